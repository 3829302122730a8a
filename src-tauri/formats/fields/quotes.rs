//! The quotes of a piece of JSON, found thirty-two bytes at a time, and which of them close a text. Knows nothing of what
//! stands between them.

use wide::u8x32;

/// As many bytes are looked at at once.
const BLOCK: usize = 32;

/// Those of one piece, from the first to the last.
pub(super) struct Quotes<'a> {
    piece: &'a [u8],
    /// Those of the last block that were not told yet, a bit for each byte.
    left: u32,
    /// Where the next block begins.
    ahead: usize,
}

impl<'a> Quotes<'a> {
    /// Those that stand at this place or behind it.
    pub(super) fn behind(piece: &'a [u8], place: usize) -> Self {
        Self { piece, left: 0, ahead: place }
    }

    /// Where the next one stands.
    fn next(&mut self) -> Option<usize> {
        while self.left == 0 {
            let rest = self.piece.get(self.ahead..).filter(|rest| !rest.is_empty())?;
            let block = rest.first_chunk().copied().unwrap_or_else(|| {
                let mut padded = [0; BLOCK];
                padded[..rest.len()].copy_from_slice(rest);
                padded
            });
            self.left = u8x32::new(block).simd_eq(u8x32::splat(b'"')).to_bitmask();
            self.ahead += BLOCK;
        }
        let place = self.ahead - BLOCK + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(place)
    }

    /// Where the text that begins at `start`, or goes on there, is closed; `Err` if it is not in this piece, with
    /// whether the byte that comes next is escaped. Backslashes are counted back from each quote: there are far
    /// fewer quotes than escapes.
    pub(super) fn close(&mut self, start: usize, escaped: bool) -> Result<usize, bool> {
        let start = start + usize::from(escaped);
        if start > self.piece.len() {
            return Err(true);
        }
        while let Some(place) = self.next() {
            // The first byte of the piece may be a quote that the one before has escaped.
            if place >= start && !self.is_escaped(start, place) {
                return Ok(place);
            }
        }
        Err(self.is_escaped(start, self.piece.len()))
    }

    fn is_escaped(&self, start: usize, place: usize) -> bool {
        let before = self.piece[start..place].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    }
}
