//! The other processes of the load bench: the upstream and nginx. Each lives in a folder that is gone
//! afterwards and is stopped when its handle is dropped.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use headgate::clock::Clock;

use crate::running::{PATIENCE, Running};

/// Starts this very program as the upstream.
pub fn upstream(clock: &Clock) -> io::Result<Running> {
    Running::announced(Command::new(std::env::current_exe()?).arg("--as-upstream"), clock)
}

/// Starts nginx as a plain reverse proxy with `workers` workers. `None` where there is no nginx.
pub fn nginx(
    program: &Path,
    folder: &Path,
    upstream: SocketAddr,
    workers: usize,
    clock: &Clock,
) -> io::Result<Option<Running>> {
    let address = free_address()?;
    let conf = folder.join("nginx.conf");
    fs::write(&conf, nginx_conf(folder, address, upstream, workers))?;
    let began = clock.instant();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&conf).stdin(Stdio::null());
    let child = match command.stderr(File::create(folder.join("nginx.log"))?).spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spawned => spawned?,
    };
    let mut running = Running::new(child, address, (None, None));
    while TcpStream::connect(address).is_err() {
        running.started_in = clock.instant().duration_since(began);
        if running.started_in > PATIENCE || running.child.try_wait()?.is_some() {
            let said = fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
            return Err(io::Error::other(format!("nginx does not listen: {}", said.trim())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(Some(running))
}

/// The least that makes it comparable: warm connections, nothing held back, bodies in memory, no log.
fn nginx_conf(folder: &Path, address: SocketAddr, upstream: SocketAddr, workers: usize) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes {workers}; worker_rlimit_nofile 8192;
pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 32m; client_body_buffer_size 256k; tcp_nodelay on; keepalive_requests 10000000;
    upstream mock {{ server {upstream}; keepalive 256; keepalive_requests 10000000; }}
    server {{
        listen {address} backlog=1024;
        location / {{
            proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
        }}
    }}
}}
"
    )
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
