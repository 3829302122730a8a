//! Standard output that may be gone: `headgate requests | head -1` is no reason to panic.

use std::{
    fmt::Arguments,
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// A disk that is full is another matter: what was asked for is not there, and the exit code says so. A process has
/// one standard output, so this is the process's.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Whether something could not be written, although somebody was there to read it.
pub fn has_failed() -> bool {
    HAS_FAILED.load(Ordering::Relaxed)
}

fn settle(written: io::Result<()>) {
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        HAS_FAILED.store(true, Ordering::Relaxed);
    }
}

/// Prints a line; a reader that has left misses it.
pub fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    settle(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Prints bytes as they are; a reader that has left misses them.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    settle(out.write_all(bytes).and_then(|()| out.flush()));
}

/// `println!` for an output that may be gone.
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::out::line(format_args!($($argument)*)) };
}
pub(super) use say;
