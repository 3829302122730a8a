//! Keeps what this process knows out of crash dumps. Whoever holds secrets says so at its start; what a program
//! that we start may dump stays its own business.

/// No crash of this process leaves a copy of its memory behind, and no other program of this user looks into it.
///
/// On Linux the kernel writes no core of it, whatever the limits are and whoever would take it (a file, or a pipe to
/// `systemd-coredump`), and `/proc/PID/mem` and `environ` belong to root; an exec begins anew. On other Unixes the soft
/// limit of a core's size is zero, which children inherit and may lift. On Windows nothing is done here: its error
/// reporting is the system's (SECURITY.md says so). A refusal is told, and a start goes on: it is no worse than before.
pub fn leave_none() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let done = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    let done = {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Core);
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })
    };
    #[cfg(unix)]
    if let Err(error) = done {
        eprintln!("headgate: a crash could leave a copy of this program's memory: {error}");
    }
}
