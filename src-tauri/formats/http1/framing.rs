//! Where the body of an answer over HTTP/1.1 ends, and which of the bytes on the wire are its own (RFC 9112,
//! sections 6 and 7). Knows no socket: it is shown what has arrived, and takes from it what it can.

use bytes::{Buf as _, Bytes, BytesMut};

/// How a body is delimited, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Pieces that tell their own length.
    Chunked(Chunks),
    /// As long as the connection lasts.
    Close,
    /// It has ended, or there is none.
    Over,
}

/// What came is no chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk;

/// Within the pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunks {
    step: Step,
    /// The length of the piece, as far as it is read or still to come.
    left: u64,
    /// Bytes of the line that is being read; of all trailers together.
    line: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Size,
    /// Blanks behind a length.
    Blank,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    TrailerOrEnd,
    Trailer,
    TrailerEnd,
    LastEnd,
    Over,
}

/// Hexadecimal digits that a length may have.
const MAX_DIGITS: usize = 16;
/// Bytes that a piece may have behind its length, and all trailers together; neither is passed on.
const MAX_EXTENSION: usize = 4 * 1024;
const MAX_TRAILERS: usize = 16 * 1024;

impl Framing {
    /// A body of this many bytes.
    pub fn of_length(length: u64) -> Self {
        if length == 0 { Self::Over } else { Self::Length(length) }
    }

    /// Whether all of it has been taken.
    pub fn is_over(&self) -> bool {
        *self == Self::Over
    }

    /// Takes what there is of the body, `most` bytes of it at most. Empty where more has to arrive first.
    ///
    /// # Errors
    /// [`BadChunk`], after which nothing on this connection can be trusted.
    pub fn take(&mut self, wire: &mut BytesMut, most: usize) -> Result<Bytes, BadChunk> {
        let there = wire.len().min(most);
        // To split nothing off still counts one more owner of the buffer, and the first time allocates for that count.
        if there == 0 {
            return Ok(Bytes::new());
        }
        match self {
            Self::Over => Ok(Bytes::new()),
            Self::Close => Ok(wire.split_to(there).freeze()),
            Self::Length(left) => {
                let taken = wire.split_to(usize::try_from(*left).map_or(there, |left| left.min(there)));
                *left -= taken.len() as u64;
                if *left == 0 {
                    *self = Self::Over;
                }
                Ok(taken.freeze())
            }
            Self::Chunked(chunks) => {
                let taken = chunks.take(wire, most)?;
                if chunks.step == Step::Over {
                    *self = Self::Over;
                }
                Ok(taken)
            }
        }
    }
}

impl Chunks {
    /// The data of all pieces that are there, as one: each is moved up to the one before it, in place.
    fn take(&mut self, wire: &mut BytesMut, most: usize) -> Result<Bytes, BadChunk> {
        let (mut at, mut from, mut kept) = (0, 0, 0);
        while at < wire.len() && kept < most && self.step != Step::Over {
            if self.step != Step::Data {
                if let Some(length) = self.read_usual(&wire[at..]) {
                    at += length;
                    continue;
                }
                match self.read(wire[at]) {
                    Ok(()) => at += 1,
                    // What came before it is the body's all the same; the next call meets this byte again.
                    Err(_) if kept > 0 => break,
                    Err(bad) => return Err(bad),
                }
                continue;
            }
            let there = (wire.len() - at).min(most - kept);
            let size = usize::try_from(self.left).map_or(there, |left| left.min(there));
            if kept == 0 {
                from = at;
            } else {
                wire.copy_within(at..at + size, from + kept);
            }
            at += size;
            kept += size;
            self.left -= size as u64;
            if self.left == 0 {
                self.step = Step::DataReturn;
            }
        }
        let mut taken = wire.split_to(at);
        taken.advance(from);
        taken.truncate(kept);
        Ok(taken.freeze())
    }

    /// Reads at once what nearly always stands between the data: a line's end, and the length of a piece that has
    /// one. Says how long that was; `None` where it is anything else, or not all there.
    fn read_usual(&mut self, rest: &[u8]) -> Option<usize> {
        let line = match self.step {
            Step::DataReturn => rest.strip_prefix(b"\r\n")?,
            Step::Size if self.line == 0 => rest,
            _ => return None,
        };
        let digits = line.iter().map_while(|byte| char::from(*byte).to_digit(16)).take(MAX_DIGITS);
        let (count, left) =
            digits.fold((0, 0), |(count, left), digit| (count + 1, left << 4 | u64::from(digit)));
        let line = line[count..].strip_prefix(b"\r\n").filter(|_| left > 0)?;
        (self.step, self.left, self.line) = (Step::Data, left, 0);
        Some(rest.len() - line.len())
    }

    /// Reads one byte of what stands between the data.
    fn read(&mut self, byte: u8) -> Result<(), BadChunk> {
        self.step = match (self.step, byte) {
            (Step::Size, _) if byte.is_ascii_hexdigit() && self.line < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                self.left = self.left << 4 | u64::from(digit);
                self.line += 1;
                Step::Size
            }
            (Step::Size, b'\r') if self.line > 0 => Step::SizeEnd,
            (Step::Size, b' ' | b'\t') if self.line > 0 => {
                self.line = 0;
                Step::Blank
            }
            (Step::Blank, b' ' | b'\t') if self.line < MAX_EXTENSION => {
                self.line += 1;
                Step::Blank
            }
            (Step::Size, b';') if self.line > 0 => {
                self.line = 0;
                Step::Extension
            }
            (Step::Blank, b';') => Step::Extension,
            (Step::Blank | Step::Extension, b'\r') => Step::SizeEnd,
            (Step::Extension, _) if byte != b'\n' && self.line < MAX_EXTENSION => {
                self.line += 1;
                Step::Extension
            }
            (Step::SizeEnd, b'\n') => {
                self.line = 0;
                if self.left == 0 { Step::TrailerOrEnd } else { Step::Data }
            }
            (Step::DataReturn, b'\r') => Step::DataEnd,
            (Step::DataEnd, b'\n') => Step::Size,
            (Step::TrailerOrEnd, b'\r') => Step::LastEnd,
            (Step::Trailer, b'\r') => Step::TrailerEnd,
            (Step::TrailerOrEnd | Step::Trailer, _) if byte != b'\n' && self.line < MAX_TRAILERS => {
                self.line += 1;
                Step::Trailer
            }
            (Step::TrailerEnd, b'\n') => Step::TrailerOrEnd,
            (Step::LastEnd, b'\n') => Step::Over,
            _ => return Err(BadChunk),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a body says that arrives in these pieces, and what is left on the wire behind its end.
    fn read(mut framing: Framing, pieces: &[&[u8]], most: usize) -> Result<(Vec<u8>, Vec<u8>), BadChunk> {
        let (mut wire, mut body) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            wire.extend_from_slice(piece);
            loop {
                let taken = framing.take(&mut wire, most)?;
                body.extend_from_slice(&taken);
                if taken.is_empty() {
                    break;
                }
            }
        }
        if framing.is_over() || framing == Framing::Close { Ok((body, wire.to_vec())) } else { Err(BadChunk) }
    }

    fn chunked(wire: &str) -> Result<String, BadChunk> {
        let (body, rest) = read(Framing::Chunked(Chunks::default()), &[wire.as_bytes()], 1024)?;
        Ok(format!("{}|{}", String::from_utf8_lossy(&body), String::from_utf8_lossy(&rest)))
    }

    #[test]
    fn pieces_are_taken_as_one_and_what_stands_between_them_is_not() {
        assert_eq!(chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP").unwrap(), "abcde|HTTP");
        assert_eq!(chunked("0\r\n\r\n").unwrap(), "|");
        assert_eq!(
            chunked("00a;name=\"v\"\r\n0123456789\r\n0 \r\nx-sum: 1\r\ny: 2\r\n\r\n").unwrap(),
            "0123456789|"
        );
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for wire in [
            "x\r\n",
            "\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "-1\r\n",
            "3\r\nabc\r\n0\r\nx: 1\n\r\n",
            "3;a\nb\r\nabc",
            "11111111111111111\r\n",
            "3\r\nabc\r\n",
            "3\r\nabc\r\n0\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "3 3\r\nabc\r\n0\r\n\r\n",
            "3 x\r\nabc\r\n0\r\n\r\n",
        ] {
            assert_eq!(chunked(wire), Err(BadChunk), "{wire:?}");
        }
        let endless = format!("0\r\n{}", "x: y\r\n".repeat(MAX_TRAILERS));
        assert_eq!(chunked(&endless), Err(BadChunk), "trailers have an end");
        let endless = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(MAX_EXTENSION + 1));
        assert_eq!(chunked(&endless), Err(BadChunk), "so has what stands behind a length");
    }

    #[test]
    fn what_came_before_a_chunk_that_makes_no_sense_is_not_lost_with_it() {
        let mut framing = Framing::Chunked(Chunks::default());
        let mut wire = BytesMut::from("3\r\nabc\r\n2\r\nde\r\nnonsense");
        assert_eq!(framing.take(&mut wire, 1024).unwrap(), "abcde");
        assert_eq!(framing.take(&mut wire, 1024), Err(BadChunk));
    }

    #[test]
    fn a_length_is_kept_to_the_byte() {
        let read = |length, wire: &str| read(Framing::of_length(length), &[wire.as_bytes()], 2);
        assert_eq!(read(3, "abcHTTP").unwrap(), (b"abc".to_vec(), b"HTTP".to_vec()));
        assert_eq!(read(0, "HTTP").unwrap(), (Vec::new(), b"HTTP".to_vec()));
        assert_eq!(read(u64::MAX, "abc"), Err(BadChunk), "it is not over");
    }

    proptest! {
        #[test]
        fn however_it_is_torn_it_says_the_same(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..6),
            size in 1_usize..70,
            most in 1_usize..400,
        ) {
            let mut wire = Vec::new();
            for piece in &pieces {
                wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                wire.extend_from_slice(piece);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let torn: Vec<&[u8]> = wire.chunks(size).collect();
            let (body, rest) = read(Framing::Chunked(Chunks::default()), &torn, most).unwrap();
            prop_assert_eq!(body, pieces.concat());
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..400)) {
            if let Ok((body, rest)) = read(Framing::Chunked(Chunks::default()), &[&bytes], 64) {
                prop_assert!(body.len() + rest.len() <= bytes.len());
            }
        }
    }
}
