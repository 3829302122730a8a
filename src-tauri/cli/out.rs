//! Standard output that may be gone: `headgate requests | head -1` is no reason to panic.

use std::{fmt::Arguments, io::Write};

/// Prints a line; a reader that has left misses it.
pub fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints bytes as they are; a reader that has left misses them.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// `println!` for an output that may be gone.
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::out::line(format_args!($($argument)*)) };
}
pub(super) use say;
