//! Whether the person at this command has a desktop in front of them, and opening an address there.

use crate::secrets::VARIABLE;

/// Whether a browser that is opened here is seen by whoever typed the command.
pub fn is_here() -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_far = has("SSH_CONNECTION") || has("SSH_TTY");
    let has_screen = cfg!(any(target_os = "macos", windows)) || has("DISPLAY") || has("WAYLAND_DISPLAY");
    has_screen && !is_far
}

/// Asks the desktop to open a link; on a machine without one nothing happens.
pub fn open(url: &str) {
    let (program, first): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some() {
        ("xdg-open", &[])
    } else {
        return;
    };
    let quiet = std::process::Stdio::null;
    // The link was printed: whoever has no such program opens it by hand.
    let _ = std::process::Command::new(program)
        .args(first)
        .arg(url)
        // It is nobody's business there.
        .env_remove(VARIABLE)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
}
