//! HTTP/1.1 as an upstream speaks it (RFC 9112): heads and the framing of bodies, as values. Knows no socket.

mod framing;
mod head;

pub use framing::{BadChunk, Chunks, Framing};
pub use head::{BadHead, Head, Names, read_head, write_head};
