//! Thirty-two bytes that are looked at together: what is asked of them is answered by a word with a bit for each.

use wide::u8x32;

/// As many bytes are looked at at once.
pub(super) const BLOCK: usize = 32;

/// The block that stands at `at`, and how many of its bytes there are; `None` at the end. The last one is `padded` with
/// zeros; any other is lent where it stands.
#[inline]
pub(super) fn block_at<'a>(
    piece: &'a [u8],
    at: usize,
    padded: &'a mut [u8; BLOCK],
) -> Option<(&'a [u8; BLOCK], usize)> {
    let rest = piece.get(at..).filter(|rest| !rest.is_empty())?;
    if let Some(block) = rest.first_chunk() {
        return Some((block, BLOCK));
    }
    *padded = [0; BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    Some((padded, rest.len()))
}

/// Which of them are this one.
#[inline]
pub(super) fn are(block: u8x32, byte: u8) -> u32 {
    block.simd_eq(u8x32::splat(byte)).to_bitmask()
}
