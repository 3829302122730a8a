//! What is small leaves as one piece: hyper writes the size of a chunk, its bytes and what ends it as a list of three, over
//! which the kernel takes longer than their copy does. Over TLS, where they become one record anyway, it changes nothing.
//! Keeps nothing: what was not taken is written again by whoever wrote it.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncWrite, ReadBuf};

/// Pieces of so many bytes together are joined: a burst of events, and not a document.
const SMALL: usize = 8 * 1024;

/// Writes a list of pieces, in one plain write where it is small; how much is taken is the connection's to say.
pub fn poll_write_joined<T: AsyncWrite>(
    io: Pin<&mut T>,
    cx: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [piece] = pieces {
        return io.poll_write(cx, piece);
    }
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() > SMALL {
        return io.poll_write_vectored(cx, pieces);
    }
    let mut room = [MaybeUninit::uninit(); SMALL];
    let mut joined = ReadBuf::uninit(&mut room);
    for piece in pieces {
        joined.put_slice(piece);
    }
    io.poll_write(cx, joined.filled())
}

#[cfg(test)]
mod tests {
    use std::{task::Waker, time::Duration};

    use super::*;
    use crate::proxy::door::unread::Watched;

    /// Takes so many bytes of a write, none means that it waits; keeps what it was given, and whether that was a list.
    struct Socket {
        room: usize,
        given: Vec<(bool, Vec<u8>)>,
    }

    impl Socket {
        fn take(&mut self, is_list: bool, bytes: Vec<u8>) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.room);
            self.given.push((is_list, bytes));
            if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.take(false, bytes.to_vec())
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.take(true, pieces.iter().flat_map(|piece| piece.iter().copied()).collect())
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// What comes of these pieces, and what the socket was given.
    fn write(room: usize, pieces: &[&[u8]]) -> (Poll<Option<usize>>, (bool, Vec<u8>)) {
        let mut socket = Socket { room, given: Vec::new() };
        let pieces: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let cx = &mut Context::from_waker(Waker::noop());
        let sent = poll_write_joined(Pin::new(&mut socket), cx, &pieces).map(Result::ok);
        let given = socket.given.pop().unwrap();
        assert!(socket.given.is_empty(), "one write");
        let watched = Watched::new(socket, Duration::ZERO);
        assert!(watched.is_write_vectored(), "or hyper copies whatever is large");
        (sent, given)
    }

    #[test]
    fn what_is_small_leaves_as_one_piece_and_what_is_large_uncopied() {
        for (size, is_list) in [(1, false), (SMALL - 6, false), (SMALL - 5, true)] {
            let body = vec![b'x'; size];
            let pieces = [&b"98\r\n"[..], &body, b"\r\n"];
            let given = (is_list, pieces.concat());
            assert!(write(usize::MAX, &pieces) == (Poll::Ready(Some(size + 6)), given.clone()), "{size}");
            assert!(write(3, &pieces) == (Poll::Ready(Some(3)), given.clone()), "a part of {size}");
            assert!(write(0, &pieces) == (Poll::Pending, given), "{size} that wait");
        }
        let large = vec![b'x'; 2 * SMALL];
        assert!(write(usize::MAX, &[&large]) == (Poll::Ready(Some(large.len())), (false, large.clone())));
    }
}
