//! Pieces of a body that go on together.

use bytes::{Bytes, BytesMut};

/// Pieces that were there at the same moment; a single one is not copied.
#[derive(Default)]
pub struct Gathered {
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    /// Puts one behind the others.
    pub fn add(&mut self, data: Bytes) {
        if self.is_empty() {
            self.first = data;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.extend_from_slice(&data);
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
