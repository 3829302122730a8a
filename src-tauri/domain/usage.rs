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
}

impl Usage {
    /// Takes what a later message says over what is known; what it leaves out stays.
    pub fn update(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
    }
}
