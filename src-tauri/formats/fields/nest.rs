//! The end of an object or a list, looked for a block at a time: which brackets stand outside of texts is reckoned for
//! all its bytes at once, since a processor guesses wrong where the next quote stands. How that is done with a few words
//! of bits is told in Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1. Does not ask
//! whether a bracket closes one of its own kind.

use wide::u8x32;

use super::block::{BLOCK, are, block_at};

/// Every second bit, from the first on.
const EVEN: u32 = 0x5555_5555;

/// How far into a value somebody has read. Means nothing once [`Nest::end`] has found the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nest {
    /// So many objects and lists are open: one at least.
    depth: u32,
    /// A text is.
    in_text: bool,
    /// And its next byte is escaped; never outside of one.
    escaped: bool,
}

/// What stands in a block, a bit for each byte.
struct Block {
    quotes: u32,
    backslashes: u32,
    opening: u32,
    closing: u32,
}

impl Nest {
    /// Behind the bracket that opens it.
    pub(super) fn open() -> Self {
        Self { depth: 1, in_text: false, escaped: false }
    }

    /// The place behind the bracket that closes the value; `None` if it is not in this piece.
    pub(super) fn end(&mut self, piece: &[u8], at: usize) -> Option<usize> {
        let (mut at, mut padded) = (at, [0; BLOCK]);
        while let Some((block, length)) = block_at(piece, at, &mut padded) {
            if let Some(nth) = self.pass(block, length) {
                return Some(at + nth + 1);
            }
            at += length;
        }
        None
    }

    /// The place of the bracket that closes the value, among the first `length` bytes of the block.
    fn pass(&mut self, bytes: &[u8; BLOCK], length: usize) -> Option<usize> {
        let vector = u8x32::new(*bytes);
        let quotes = are(vector, b'"');
        if quotes == 0 && self.in_text && bytes[length - 1] != b'\\' {
            self.escaped = false;
            return None;
        }
        let block = Block::of(vector, quotes);
        let (escaped, is_next_escaped) = match block.backslashes {
            0 => (u32::from(self.escaped), false),
            backslashes => escaped(backslashes, self.escaped),
        };
        let within = within(block.quotes & !escaped) ^ if self.in_text { !0 } else { 0 };
        if block.backslashes & !within != 0 {
            // No JSON: outside of a text a backslash escapes nothing, which the reckoning takes for granted.
            return self.walk(&bytes[..length]);
        }
        self.in_text = within >> (BLOCK - 1) == 1;
        self.escaped = if length < BLOCK { escaped >> length & 1 == 1 } else { is_next_escaped };
        let (opening, closing) = (block.opening & !within, block.closing & !within);
        if opening | closing == 0 {
            return None;
        }
        // It can't end in a block that closes less than is open.
        if closing.count_ones() < self.depth {
            self.depth = self.depth.saturating_add(opening.count_ones()) - closing.count_ones();
            return None;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let nth = brackets.trailing_zeros();
            if closing >> nth & 1 == 1 {
                self.depth -= 1;
            } else {
                self.depth = self.depth.saturating_add(1);
            }
            if self.depth == 0 {
                return Some(nth as usize);
            }
            brackets &= brackets - 1;
        }
        None
    }

    /// `pass` for what is no JSON, byte by byte.
    fn walk(&mut self, bytes: &[u8]) -> Option<usize> {
        for (nth, byte) in bytes.iter().enumerate() {
            match (self.in_text, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_text = !self.in_text,
                (false, b'{' | b'[') => self.depth = self.depth.saturating_add(1),
                (false, b'}' | b']') => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                return Some(nth);
            }
        }
        None
    }
}

impl Block {
    fn of(block: u8x32, quotes: u32) -> Self {
        // Objects and lists differ by this bit.
        let folded = block | u8x32::splat(0x20);
        Self {
            quotes,
            backslashes: are(block, b'\\'),
            opening: are(folded, b'{'),
            closing: are(folded, b'}'),
        }
    }
}

/// Which bytes stand behind a backslash that is not escaped itself, and whether the one behind the block does. Of a run
/// of backslashes every second one escapes; adding the runs that begin at odd places carries to where each ends.
fn escaped(backslashes: u32, is_first_escaped: bool) -> (u32, bool) {
    let first = u32::from(is_first_escaped);
    let backslashes = backslashes & !first;
    let behind = backslashes << 1 | first;
    let odd_starts = backslashes & !EVEN & !behind;
    let (ends, is_next_escaped) = odd_starts.overflowing_add(backslashes);
    ((EVEN ^ (ends << 1)) & behind, is_next_escaped)
}

/// From each first quote to the byte before the second one.
fn within(quotes: u32) -> u32 {
    [1, 2, 4, 8, 16].iter().fold(quotes, |bits, by| bits ^ bits << by)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts and what stands between them, and now and then what JSON can't be.
    fn json_like() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            8 => r#""([\[\]{}a:,]|\\["\\n]){0,40}""#,
            8 => r"[\[\]{}:, ]{1,4}",
            1 => r#"["\\]"#,
        ];
        proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn a_block_at_once_is_as_good_as_byte_by_byte(
            bytes in json_like(),
            cuts in proptest::collection::vec(0_usize..400, 0..4),
            depth in 1_u32..40,
            in_text: bool,
            escaped: bool,
        ) {
            let begin = Nest { depth, in_text, escaped: in_text && escaped };
            let (mut quick, mut slow) = (begin, begin);
            let expected = slow.walk(&bytes).map(|nth| nth + 1);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut pieces = cuts.windows(2);
            let found = pieces.find_map(|cut| Some(cut[0] + quick.end(&bytes[cut[0]..cut[1]], 0)?));
            prop_assert_eq!(found, expected);
            if found.is_none() {
                prop_assert_eq!(quick, slow);
            }
        }
    }
}
