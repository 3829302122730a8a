//! What is small leaves as one piece: over a list, such as the size of a chunk, its bytes and what ends it, or a head and
//! its body, the kernel takes longer than their copy does.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pieces of so many bytes together are joined: a burst of events, and not a document.
const SMALL: usize = 8 * 1024;

/// A socket that is given lists of pieces.
pub struct Joined<T>(pub T);

impl<T: AsyncRead + Unpin> AsyncRead for Joined<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Joined<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() > SMALL {
            return Pin::new(&mut self.0).poll_write_vectored(cx, pieces);
        }
        let mut room = [MaybeUninit::uninit(); SMALL];
        let mut joined = ReadBuf::uninit(&mut room);
        for piece in pieces {
            joined.put_slice(piece);
        }
        Pin::new(&mut self.0).poll_write(cx, joined.filled())
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Keeps what each write brought, and whether it was a list.
    #[derive(Default)]
    struct Written(Vec<(bool, Vec<u8>)>);

    impl AsyncWrite for Written {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push((false, bytes.to_vec()));
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            self.0.push((true, bytes));
            Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_is_small_leaves_as_one_piece_and_what_is_large_uncopied() {
        let mut joined = Joined(Written::default());
        let cx = &mut Context::from_waker(Waker::noop());
        for size in [0, 1, SMALL - 6, SMALL - 5] {
            let body = vec![b'x'; size];
            let pieces = [&b"98\r\n"[..], &body, b"\r\n"];
            let sent = Pin::new(&mut joined).poll_write_vectored(cx, &pieces.map(IoSlice::new));
            assert!(matches!(sent, Poll::Ready(Ok(sent)) if sent == size + 6));
            let is_list = size + 6 > SMALL;
            assert!(joined.0.0.pop() == Some((is_list, pieces.concat())), "{size}");
        }
    }
}
