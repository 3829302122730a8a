//! Accepts connections and sorts requests: the proxy's own paths go to `forward`, everything else through
//! the door. Each worker is a thread with a runtime and a pool of its own, so that a request never
//! changes threads.

use std::{
    future::{Future, ready},
    net::{IpAddr, SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, OnceLock, atomic::Ordering},
    thread,
    time::Duration,
};

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{
    connection::{Connections, MAX_HEADERS},
    crew::{Accepted, Crew, Seat},
    listener::{self, Listener, Places, StartError, needs_key},
    meant::{climbs, holds_a_key, is_crooked, is_meant_for_us, is_of_a_foreign_page, quotes_a_key},
    shortage::{self, Shortage},
};
use crate::{
    proxy::{
        AnswerBody, Gateway,
        answer::failure::{Failure, plain},
        arrival::keyholder::{BeyondLoopback, is_key},
        forward::forward,
        upstream::Upstreams,
    },
    tasks::Tasks,
};

/// Where requests go that are not the proxy's: the management API and the page.
pub type Door = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;

/// An answer on its way. In a box, for it is some kilobytes large: within the connection's own state it would stay
/// for as long as that lives, and each future around it would be copied with it.
pub type Answering = Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>;

/// A listening proxy. Dropped without [`Server::drain`], it stops at once.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    tasks: Tasks,
    workers: Vec<oneshot::Receiver<()>>,
}

const MAX_WORKERS: usize = 8;
/// A connection that is silent so long is asked whether it is there.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(45);
/// And asked again so often.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

impl Server {
    /// Listens and serves until drained. `tasks` belongs to this server alone.
    ///
    /// # Errors
    /// [`StartError`], with the name of the program that has the port where it can be found.
    pub fn start(gateway: Gateway, door: Door, places: Places<'_>, tasks: Tasks) -> Result<Self, StartError> {
        let bound = listener::bind(places, &gateway.clock)?;
        let listeners: Vec<Listener> = bound.iter().map(|(listener, _)| listener.clone()).collect();
        gateway.outward.avoid(listeners.iter().map(Listener::address).collect());
        let failed = |source| StartError::Io { address: listeners[0].address(), source };
        let count = thread::available_parallelism().map_or(2, usize::from).min(MAX_WORKERS);
        let room = Arc::new(Semaphore::new(gateway.limits.connections));
        let shortage = Arc::<Shortage>::default();
        let mut workers = Vec::with_capacity(count);
        for (index, (crew, given)) in Crew::of(count).into_iter().enumerate() {
            let copy =
                |(listener, socket): &(Listener, TcpListener)| Ok((listener.clone(), socket.try_clone()?));
            let sockets = bound.iter().map(copy).collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let (ended, wait) = oneshot::channel();
            let worker = Worker {
                upstreams: Upstreams::new(
                    gateway.outward.clone(),
                    &gateway.limits,
                    gateway.clock.clone(),
                    tasks.clone(),
                ),
                connections: Connections::new(&gateway.limits),
                crew,
                room: Arc::clone(&room),
                shortage: Arc::clone(&shortage),
                gateway: gateway.clone(),
                door: Arc::clone(&door),
                tasks: tasks.clone(),
            };
            thread::Builder::new()
                .name(format!("proxy-{index}"))
                .spawn(move || {
                    worker.run(sockets, given);
                    drop(ended);
                })
                .map_err(failed)?;
            workers.push(wait);
        }
        Ok(Self { listeners, tasks, workers })
    }

    /// Where it listens on the loopback; the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listeners[0].address()
    }

    /// Every address that it listens on, the loopback first.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Takes no new connections, lets running requests end, and cuts what is left after the limit.
    pub async fn drain(mut self) {
        self.tasks.stop();
        for worker in std::mem::take(&mut self.workers) {
            // The sender is dropped when the worker has ended, which is all we wait for.
            let _ = worker.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

#[derive(Clone)]
struct Worker {
    gateway: Gateway,
    upstreams: Upstreams,
    connections: Connections,
    crew: Crew,
    /// For connections of clients; all workers share it.
    room: Arc<Semaphore>,
    shortage: Arc<Shortage>,
    door: Door,
    tasks: Tasks,
}

/// By which way a request came.
struct Way {
    listener: Listener,
    /// Our own end of the connection.
    local: IpAddr,
    /// The `host` of the first request that was meant for us, which the next ones mostly repeat.
    host: OnceLock<HeaderValue>,
}

impl Way {
    /// Whether a request is meant for us; see `meant`.
    fn leads_here(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().filter(|_| hosts.next().is_none());
        if host.is_some() && host == self.host.get() && !headers.contains_key(header::ORIGIN) {
            return true;
        }
        let is_ours = |host: &str| self.listener.is_named(host, self.local);
        let leads_here = is_meant_for_us(uri, headers, self.listener.tls().is_some(), is_ours);
        if let Some(host) = host.filter(|_| leads_here) {
            // A copy: the value itself would keep all that was read with it for as long as the connection lasts.
            // The first one stays.
            let _ = HeaderValue::from_bytes(host.as_bytes()).map(|host| self.host.set(host));
        }
        leads_here
    }
}

impl Worker {
    fn run(self, sockets: Vec<(Listener, TcpListener)>, given: mpsc::Receiver<Accepted>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let on = |runtime: &tokio::runtime::Runtime| {
            let _inside = runtime.enter();
            let watched = |(listener, socket)| Ok((listener, tokio::net::TcpListener::from_std(socket)?));
            sockets.into_iter().map(watched).collect::<std::io::Result<Vec<_>>>()
        };
        match runtime.and_then(|runtime| on(&runtime).map(|sockets| (runtime, sockets))) {
            Ok((runtime, sockets)) => {
                runtime.block_on(self.serve_all(sockets, given));
                // A call of the API may wait for the keychain's owner, which is no reason to wait with it.
                runtime.shutdown_background();
            }
            Err(error) => tracing::error!(%error, "a worker could not start"),
        }
    }

    async fn serve_all(
        self,
        sockets: Vec<(Listener, tokio::net::TcpListener)>,
        given: mpsc::Receiver<Accepted>,
    ) {
        // Each connection holds a receiver: they are told of the drain by a change, and all of them have
        // ended when none is left.
        let (stop, _) = watch::channel(());
        let accepting = sockets.into_iter().map(|(listener, socket)| self.accept(listener, socket, &stop));
        tokio::join!(join_all(accepting), self.take_over(given, &stop));
        stop.send_replace(());
        let limit = self.gateway.limits.drain();
        if tokio::time::timeout(limit, stop.closed()).await.is_err() {
            tracing::warn!("running requests did not end within {limit:?}");
            self.gateway.stopping.store(true, Ordering::Relaxed);
        }
    }

    async fn accept(&self, listener: Listener, socket: tokio::net::TcpListener, stop: &watch::Sender<()>) {
        loop {
            let socket = tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    Err(error) if shortage::is_of_one(&error) => continue,
                    Err(error) => {
                        if self.shortage.met(self.gateway.clock.instant()) {
                            tracing::warn!(%error, "connections can't be accepted; it is tried again until they can");
                        }
                        // Out of file descriptors, most likely: wait for some to come back.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = self.tasks.stopping() => return,
            };
            if let Some(failures) = self.shortage.passed(|| self.gateway.clock.instant()) {
                tracing::info!(failures, "connections are accepted again");
            }
            // Whoever comes beyond the bound finds the connection closed.
            let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { continue };
            let _ = socket.set_nodelay(true);
            let _ = keep_alive(&socket);
            let (seat, listener) = (self.crew.seat(), listener.clone());
            if self.crew.is_own(&seat) {
                self.hold(socket, listener, place, seat, stop);
            } else if let Ok(socket) = socket.into_std()
                && let Err(own) = self.crew.give(Accepted { socket, listener, place, seat })
            {
                self.hold_given(own, stop);
            }
        }
    }

    /// Holds what other workers have accepted, to the last that was on its way when a drain began.
    async fn take_over(&self, mut given: mpsc::Receiver<Accepted>, stop: &watch::Sender<()>) {
        loop {
            tokio::select! {
                biased;
                Some(accepted) = given.recv() => self.hold_given(accepted, stop),
                () = self.tasks.stopping() => return,
            }
        }
    }

    fn hold_given(&self, accepted: Accepted, stop: &watch::Sender<()>) {
        let Accepted { socket, listener, place, seat } = accepted;
        if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
            self.hold(socket, listener, place, seat, stop);
        }
    }

    /// Serves a connection in a task of its own; its place and its seat are free when it has ended.
    fn hold(
        &self,
        socket: tokio::net::TcpStream,
        listener: Listener,
        place: OwnedSemaphorePermit,
        seat: Seat,
        stop: &watch::Sender<()>,
    ) {
        let Ok(local) = socket.local_addr() else { return };
        let way = Way { listener, local: local.ip(), host: OnceLock::new() };
        let (worker, stop) = (self.clone(), stop.subscribe());
        self.tasks.spawn(async move {
            worker.serve_connection(socket, way, stop).await;
            drop((place, seat));
        });
    }

    /// Serves one connection, after the TLS handshake where there is one.
    async fn serve_connection(&self, socket: tokio::net::TcpStream, way: Way, mut stop: watch::Receiver<()>) {
        let serve = |request| self.serve(request, &way);
        let Some((identity, acceptor)) = way.listener.tls() else {
            return self.connections.serve(socket, serve, stop).await;
        };
        if identity.is_due() {
            let identity = identity.clone();
            // What it does ends by itself; this connection still gets the old one.
            drop(tokio::task::spawn_blocking(move || identity.look_again()));
        }
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.connections.limit(), acceptor.accept(socket)) => shaken,
            _ = stop.changed() => return,
        };
        match shaken {
            // Apart, so that a connection in plain text is not as large as one with TLS.
            Ok(Ok(io)) => Box::pin(self.connections.serve(io, serve, stop)).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    fn serve(&self, mut request: Request<Incoming>, way: &Way) -> Answering {
        if let Err(failure) = check(&request, way) {
            return Box::pin(ready(failure.answer(None, self.gateway.clock.now())));
        }
        if needs_key(&way.listener) {
            request.extensions_mut().insert(BeyondLoopback);
        }
        let path = request.uri().path();
        if path == "/api/hello" && matches!(*request.method(), Method::HEAD | Method::GET) {
            return Box::pin(ready(plain(StatusCode::OK, "text/plain", "")));
        }
        if path.starts_with("/v1/") {
            return Box::pin(forward(self.gateway.clone(), self.upstreams.clone(), request));
        }
        (self.door)(request)
    }
}

/// A client that waits for its answer, or is held until an account is back, may see no byte for minutes: the systems
/// ask each other meanwhile, so that nothing on the way forgets the connection, and a peer that is gone is found out.
fn keep_alive(socket: &tokio::net::TcpStream) -> std::io::Result<()> {
    let asks = TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER).with_interval(KEEP_ALIVE_EVERY);
    SockRef::from(socket).set_tcp_keepalive(&asks)
}

/// What every request has to pass before anybody looks at what it wants.
fn check(request: &Request<Incoming>, way: &Way) -> Result<(), Failure> {
    let (uri, headers) = (request.uri(), request.headers());
    // Over HTTP/1.1 hyper counts them before we see any.
    if headers.len() > MAX_HEADERS {
        return Err(Failure::TooManyHeaders { limit: MAX_HEADERS });
    }
    if request.method() == Method::CONNECT {
        return Err(Failure::Tunnel);
    }
    if !way.leads_here(uri, headers) {
        return Err(Failure::Foreign);
    }
    // The proxy's own paths have their key looked at where their requests are admitted, and the management
    // API where its tokens are; nothing else is for other machines.
    if needs_key(&way.listener) && !uri.path().starts_with("/v1/") && !shows_a_key(uri, headers) {
        return Err(Failure::NeedsKey);
    }
    let upgrade = headers.get(header::UPGRADE);
    // HTTP/2 in plain text may be offered and passed over, which its clients expect.
    if upgrade.is_some_and(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c")) {
        return Err(Failure::Upgrade);
    }
    if uri.path().starts_with("/v1/") {
        if climbs(uri.path()) {
            return Err(Failure::ClimbingPath);
        }
        if is_crooked(uri.path()) {
            return Err(Failure::CrookedPath);
        }
        let is_said = uri.path_and_query().is_some_and(|target| holds_a_key(target.as_str()));
        if is_said || quotes_a_key(request.method().as_str().as_bytes()) {
            return Err(Failure::KeyInAddress);
        }
        if is_of_a_foreign_page(headers) {
            return Err(Failure::Foreign);
        }
    }
    Ok(())
}

/// Whether the management API is asked with a key of ours. Its session is opened with a ticket, which is for
/// this machine alone.
fn shows_a_key(uri: &Uri, headers: &HeaderMap) -> bool {
    let path = uri.path();
    let is_guarded = path.starts_with("/api/v1/") && path != "/api/v1/session";
    is_guarded && headers.get(header::AUTHORIZATION).is_some_and(|value| is_key(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bytes::Bytes;

    use super::*;
    use crate::{clock::Clock, settings::Network};

    #[test]
    fn a_connection_keeps_nothing_of_the_head_of_its_first_request() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { port: 0, network: &Network::default(), folder: folder.path() };
        let (listener, _) = listener::bind(places, &Clock::movable()).unwrap().remove(0);
        let way = Way { listener, local: Ipv4Addr::LOCALHOST.into(), host: OnceLock::new() };
        let head = Bytes::from(b"localhost".to_vec());
        let host = HeaderValue::from_maybe_shared(head.clone()).unwrap();
        let headers = HeaderMap::from_iter([(header::HOST, host)]);
        assert!(way.leads_here(&Uri::from_static("/v1/messages"), &headers));
        drop(headers);
        assert!(way.host.get().is_some_and(|host| host == "localhost"));
        assert!(head.is_unique());
    }
}
