//! Finds out who holds a port, for the one error message that everybody meets. Best effort: it reads
//! /proc where there is one, and says nothing where it can't tell.

use std::fs;

/// Name and process id of the program that listens on this port of the loopback.
pub fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, port))?;
    let socket = format!("socket:[{inode}]");
    let mut processes = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let process = processes.find(|process| has_open(*process, &socket))?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("{} (process {process})", name.trim()))
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

fn has_open(process: u32, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket))
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
}
