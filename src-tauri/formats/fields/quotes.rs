//! Where a text is closed. Its quotes are found a block at a time, and backslashes are counted back from each of them:
//! there are far fewer quotes than escapes.

use wide::u8x32;

use super::block::{BLOCK, are, block_at};

/// Where the text that begins at `start`, or goes on there, is closed; `Err` if it is not in this piece, with whether
/// the byte that comes next is escaped.
pub(super) fn close(piece: &[u8], start: usize, escaped: bool) -> Result<usize, bool> {
    let start = start + usize::from(escaped);
    if start > piece.len() {
        return Err(true);
    }
    let is_escaped = |place: usize| {
        let before = piece[start..place].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    };
    let (mut at, mut padded) = (start, [0; BLOCK]);
    while let Some((block, length)) = block_at(piece, at, &mut padded) {
        let mut quotes = are(u8x32::new(*block), b'"');
        while quotes != 0 {
            let place = at + quotes.trailing_zeros() as usize;
            if !is_escaped(place) {
                return Ok(place);
            }
            quotes &= quotes - 1;
        }
        at += length;
    }
    Err(is_escaped(piece.len()))
}
