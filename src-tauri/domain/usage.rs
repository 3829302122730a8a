//! Where the tokens of one reply went.

use serde::{Deserialize, Serialize};

/// Tokens by what they cost. `None` means the upstream has not said, which is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens that no cache served (`input_tokens`).
    pub input: Option<u64>,
    /// Generated tokens (`output_tokens`).
    pub output: Option<u64>,
    /// Prompt tokens read from the cache (`cache_read_input_tokens`).
    pub cache_read: Option<u64>,
    /// Prompt tokens written to the cache (`cache_creation_input_tokens`).
    pub cache_write: Option<u64>,
    /// As much of `cache_write` as is kept for an hour, which costs more than the usual five minutes
    /// (`cache_creation.ephemeral_1h_input_tokens`).
    pub cache_write_1h: Option<u64>,
    /// The reply says that it was served on terms with prices of their own (another service tier, a fast
    /// mode, a region), or a count of it can't be read. Not written down; its cost is, and that is unknown.
    pub is_off_list: bool,
}

impl Usage {
    /// Takes what a later message says over what is known; what it leaves out stays.
    pub fn update(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_write_1h = later.cache_write_1h.or(self.cache_write_1h);
        self.is_off_list |= later.is_off_list;
    }

    /// Tokens of every kind that was told of.
    pub fn total(&self) -> u64 {
        [self.input, self.output, self.cache_read, self.cache_write]
            .into_iter()
            .flatten()
            .fold(0, u64::saturating_add)
    }
}
