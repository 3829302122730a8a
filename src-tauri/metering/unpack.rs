//! Unpacks a compressed reply for the listener, piece by piece, while the packed bytes go on to the client.
//! Refuses to unpack more than a reply can sensibly hold: what grows without measure is not listened to.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A reply that unpacks to more than this many times its size is no reply but a bomb.
const MOST_GROWTH: u64 = 200;
/// However small, a reply may unpack to this much.
const ALWAYS_FINE: u64 = 1 << 20;
/// However large, a reply may not unpack to more.
const NEVER_FINE: u64 = 256 << 20;
/// The widest window, as a power of two, that a zstd stream may ask memory for (RFC 9659, section 3).
const ZSTD_WINDOW: u32 = 23;
const BUFFER: usize = 8 * 1024;

/// Hears what comes out.
pub trait Listen {
    /// The next unpacked bytes.
    fn hear(&mut self, bytes: &[u8]);
}

/// Unpacks for one listener.
pub struct Unpacker<L: Listen> {
    packing: Packing<Bounded<L>>,
    heard: u64,
}

enum Packing<W: Write> {
    Gzip(MultiGzDecoder<W>),
    Zlib(ZlibDecoder<W>),
    /// Without the wrapping that the name asks for, as some servers send it (RFC 9110, section 8.4.1.2).
    Deflate(DeflateDecoder<W>),
    Brotli(Box<brotli::DecompressorWriter<W>>),
    Zstd(zstd::stream::write::Decoder<'static, W>),
}

struct Bounded<L> {
    listener: L,
    left: u64,
}

impl<L: Listen> Unpacker<L> {
    /// For a `content-encoding` and the first byte of the body; `None` where we can't unpack it.
    pub fn new(encoding: &[u8], first: u8, listener: L) -> Option<Self> {
        let sink = Bounded { listener, left: ALWAYS_FINE };
        let packing = match encoding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Packing::Gzip(MultiGzDecoder::new(sink)),
            b"deflate" if first & 0x0f == 8 => Packing::Zlib(ZlibDecoder::new(sink)),
            b"deflate" => Packing::Deflate(DeflateDecoder::new(sink)),
            b"br" => Packing::Brotli(Box::new(brotli::DecompressorWriter::new(sink, BUFFER))),
            b"zstd" => {
                let mut decoder = zstd::stream::raw::Decoder::new().ok()?;
                // Its default would let a stream ask for 128 MiB.
                decoder.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW)).ok()?;
                Packing::Zstd(zstd::stream::write::Decoder::with_decoder(sink, decoder))
            }
            _ => return None,
        };
        Some(Self { packing, heard: 0 })
    }

    /// Unpacks the next piece.
    ///
    /// # Errors
    /// If it is damaged, or grows beyond measure; there is no going on after that.
    pub fn hear(&mut self, piece: &[u8]) -> io::Result<()> {
        let before = self.allowed();
        self.heard += piece.len() as u64;
        let more = self.allowed() - before;
        let sink = self.packing.sink_mut();
        sink.left = sink.left.saturating_add(more);
        self.packing.write(piece)
    }

    /// Whoever listens.
    pub fn listener(&self) -> &L {
        &self.packing.sink().listener
    }

    fn allowed(&self) -> u64 {
        self.heard.saturating_mul(MOST_GROWTH).clamp(ALWAYS_FINE, NEVER_FINE)
    }
}

impl<W: Write> Packing<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::Gzip(writer) => writer,
            Self::Zlib(writer) => writer,
            Self::Deflate(writer) => writer,
            Self::Brotli(writer) => writer,
            Self::Zstd(writer) => writer,
        };
        writer.write_all(piece)?;
        writer.flush()
    }

    fn sink(&self) -> &W {
        match self {
            Self::Gzip(writer) => writer.get_ref(),
            Self::Zlib(writer) => writer.get_ref(),
            Self::Deflate(writer) => writer.get_ref(),
            Self::Brotli(writer) => writer.get_ref(),
            Self::Zstd(writer) => writer.get_ref(),
        }
    }

    fn sink_mut(&mut self) -> &mut W {
        match self {
            Self::Gzip(writer) => writer.get_mut(),
            Self::Zlib(writer) => writer.get_mut(),
            Self::Deflate(writer) => writer.get_mut(),
            Self::Brotli(writer) => writer.get_mut(),
            Self::Zstd(writer) => writer.get_mut(),
        }
    }
}

impl<L: Listen> Write for Bounded<L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| io::Error::other("it unpacks to more than a reply can hold"))?;
        self.listener.hear(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<L: Listen> std::fmt::Debug for Unpacker<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("heard", &self.heard).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Vec<u8>);

    impl Listen for Kept {
        fn hear(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn packed(encoding: &str, bytes: &[u8]) -> Vec<u8> {
        use flate2::{Compression, write};
        let level = Compression::default();
        match encoding {
            "gzip" => {
                let mut packer = write::GzEncoder::new(Vec::new(), level);
                packer.write_all(bytes).unwrap();
                packer.finish().unwrap()
            }
            "deflate" => {
                let mut packer = write::ZlibEncoder::new(Vec::new(), level);
                packer.write_all(bytes).unwrap();
                packer.finish().unwrap()
            }
            "bare deflate" => {
                let mut packer = write::DeflateEncoder::new(Vec::new(), level);
                packer.write_all(bytes).unwrap();
                packer.finish().unwrap()
            }
            "br" => {
                let mut packed = Vec::new();
                let mut packer = brotli::CompressorWriter::new(&mut packed, 4096, 5, 20);
                packer.write_all(bytes).unwrap();
                drop(packer);
                packed
            }
            _ => zstd::encode_all(bytes, 3).unwrap(),
        }
    }

    fn unpacked(encoding: &str, packed: &[u8], size: usize) -> (Vec<u8>, io::Result<()>) {
        let name = encoding.trim_start_matches("bare ");
        let mut unpacker = Unpacker::new(name.as_bytes(), packed[0], Kept::default()).unwrap();
        let done = packed.chunks(size).try_for_each(|piece| unpacker.hear(piece));
        (unpacker.listener().0.clone(), done)
    }

    const ALL: [&str; 5] = ["gzip", "deflate", "bare deflate", "br", "zstd"];

    #[test]
    fn every_packing_is_heard_in_pieces_of_any_size() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for encoding in ALL {
            for size in [1, 7, 4096, usize::MAX] {
                let (heard, done) = unpacked(encoding, &packed(encoding, &text), size);
                assert!(done.is_ok() && heard == text, "{encoding} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; 16 << 20];
        for encoding in ALL {
            let bomb = packed(encoding, &zeros);
            let (heard, done) = unpacked(encoding, &bomb, 32 * 1024);
            assert!(done.is_err(), "{encoding}");
            let most = (bomb.len() as u64 * MOST_GROWTH).max(ALWAYS_FINE);
            assert!(heard.len() as u64 <= most, "{encoding}: {} bytes", heard.len());
        }
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        for encoding in ALL {
            let mut bytes = packed(encoding, b"something that was packed in good order, and then was not");
            let middle = bytes.len() / 2;
            bytes[middle..].iter_mut().for_each(|byte| *byte ^= 0x5a);
            drop(unpacked(encoding, &bytes, 3));
        }
    }
}
