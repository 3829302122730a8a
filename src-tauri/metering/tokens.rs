//! How many tokens of `cl100k_base` a text is, to the number that tiktoken gives. Its ranks lie in the program as a map
//! that is read where it lies (`build.rs` makes it), so nothing has to be loaded: tiktoken's own tables have to be read
//! first, and take 20 MiB for as long as the program lives. Knows texts alone, and no special tokens.

use std::{cmp::Reverse, collections::BinaryHeap, sync::LazyLock};

use fancy_regex::Regex;
use fst::Map;

/// Of each token its rank: which of two merges goes first.
static RANKS: LazyLock<Map<&[u8]>> = LazyLock::new(|| {
    Map::new(&include_bytes!(concat!(env!("OUT_DIR"), "/cl100k_base.fst"))[..]).expect("build.rs made it")
});

/// How the encoding takes a text apart before it merges anything.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    )
    .expect("the pattern of the encoding is one")
});

/// A start that no part has any more.
const GONE: usize = usize::MAX;

/// Makes ready what is made at run time, which is a few milliseconds' work, so that no count has to.
pub fn prepare() {
    LazyLock::force(&RANKS);
    LazyLock::force(&WORDS);
}

/// How many tokens a text is; `None` where it can't be taken apart.
pub fn count(text: &str) -> Option<u64> {
    WORDS.find_iter(text).map(|word| Some(of_word(word.ok()?.as_str().as_bytes()) as u64)).sum()
}

fn of_word(word: &[u8]) -> usize {
    if RANKS.contains_key(word) { 1 } else { merged(word) }
}

/// Byte-pair encoding: of all neighbours that are a token together those of the lowest rank become one part, the first
/// such where there are several, until none are.
fn merged(word: &[u8]) -> usize {
    let pair = |start, end| RANKS.get(&word[start..end]).map(|rank| Reverse((rank, start, end)));
    // Where the part ends that begins here, and where the part begins whose last byte is here.
    let mut ends: Vec<usize> = (1..=word.len()).collect();
    let mut starts: Vec<usize> = (0..word.len()).collect();
    let mut pairs: BinaryHeap<_> = (2..=word.len()).filter_map(|end| pair(end - 2, end)).collect();
    let mut parts = word.len();
    while let Some(Reverse((_, start, end))) = pairs.pop() {
        let middle = ends[start];
        // One of the two has become another part since.
        if ends.get(middle) != Some(&end) {
            continue;
        }
        (ends[start], ends[middle], starts[end - 1]) = (end, GONE, start);
        parts -= 1;
        if start > 0 {
            pairs.extend(pair(starts[start - 1], end));
        }
        if let Some(&next) = ends.get(end) {
            pairs.extend(pair(start, next));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tiktoken_rs::CoreBPE;

    use super::*;

    static TIKTOKEN: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::cl100k_base().unwrap());

    fn by_tiktoken(text: &str) -> u64 {
        TIKTOKEN.count_ordinary(text) as u64
    }

    #[test]
    fn prose_code_and_what_nobody_writes_is_counted_as_tiktoken_does() {
        assert_eq!(count(""), Some(0));
        assert_eq!(count("hello world"), Some(2));
        for text in [
            include_str!("../../README.md"),
            include_str!("tokens.rs"),
            include_str!("prices.toml"),
            "Ünïcödé 漢字かな 한국어 🦀🏳️‍🌈 \u{0}\u{feff}\u{202e}",
            "I'LL we'Ve  it'S 12345678 \r\n\r\n \t  x\u{a0}\u{3000}y   ",
            &"a".repeat(4096),
            &" ".repeat(4096),
            &"\r\n".repeat(500),
            &"ab".repeat(1000),
            &"aGVhZGdhdGU=".repeat(200),
        ] {
            assert_eq!(count(text), Some(by_tiktoken(text)), "{}", &text[..text.floor_char_boundary(40)]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_counted_as_tiktoken_does(
            text in "(\\PC{0,40}|[a-zA-Z']{1,30}|[ \\t\\r\\n]{1,9}|[a-f0-9]{1,64}|[{}\\[\\]\":,;=/\\\\]{1,12}|\\p{Any}{0,9}){0,12}"
        ) {
            prop_assert_eq!(count(&text), Some(by_tiktoken(&text)));
        }
    }
}
