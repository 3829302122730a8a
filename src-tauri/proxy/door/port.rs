//! Finds out who holds a port, for the one error message that everybody meets. Best effort: it reads
//! /proc where there is one, and says nothing where it can't tell.

use std::{fs, io::ErrorKind};

/// Name and process id of the program that listens on this port of the loopback.
pub fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, port))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut closed_ones = Vec::new();
    for process in processes {
        match has_open(process, &socket) {
            Some(true) => return Some(format!("{} (process {process})", name(process)?)),
            Some(false) => {}
            None => closed_ones.extend(name(process).map(|name| (process, name))),
        }
    }
    likely(&closed_ones)
}

/// Whom it may be, of those that let nobody look: a Headgate does so, but for root. Of several nobody knows which.
fn likely(closed_ones: &[(u32, String)]) -> Option<String> {
    // The kernel keeps fifteen letters of a name.
    let is_ours = |(_, name): &&(u32, String)| name == "headgate" || name == "headgate-deskto";
    let mut ours = closed_ones.iter().filter(is_ours);
    match (ours.next(), ours.next()) {
        (Some((process, _)), None) => Some(format!("another Headgate, as it seems (process {process})")),
        _ => None,
    }
}

fn name(process: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/comm")).ok().map(|name| name.trim().to_owned())
}

/// The inode of the socket that listens (state 0A) on `port`, from a table of /proc/net.
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&port) && *columns.get(3)? == "0A";
        listens.then(|| columns.get(9).copied()).flatten()
    })
}

/// `None` if nobody may look.
fn has_open(process: u32, socket: &str) -> Option<bool> {
    for file in fs::read_dir(format!("/proc/{process}/fd")).ok()?.flatten() {
        match fs::read_link(file.path()) {
            Ok(target) if target.as_os_str() == socket => return Some(true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
            _ => {}
        }
    }
    Some(false)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_program_that_holds_a_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = holder(listener.local_addr().unwrap().port()).unwrap();
        assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    }

    #[test]
    fn a_headgate_that_lets_nobody_look_is_guessed_where_there_is_one_alone() {
        let closed = |all: &[(u32, &str)]| {
            let all: Vec<_> = all.iter().map(|(process, name)| (*process, (*name).to_owned())).collect();
            likely(&all)
        };
        let one = closed(&[(1, "systemd"), (7, "headgate")]).unwrap();
        assert!(one.contains("as it seems (process 7)"), "{one}");
        assert!(closed(&[(8, "headgate-deskto")]).is_some());
        assert_eq!(closed(&[(7, "headgate"), (8, "headgate-deskto")]), None, "it may be either");
        assert_eq!(closed(&[(1, "systemd")]), None);
    }
}
