//! Accepts connections and sorts requests: the proxy's own paths go to `forward`, everything else through
//! the door. Each worker is a thread with a runtime and a pool of its own, so that a request never
//! changes threads.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::sync::oneshot;

use super::{
    AnswerBody, Gateway,
    discover::keep_asking,
    failure::{Failure, plain},
    forward::forward,
    meant::{climbs, is_meant_for_us},
    port,
    upstream::Upstreams,
};
use crate::tasks::Tasks;

/// Where requests go that are not the proxy's: the management API and the page.
pub type Door = Arc<
    dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>> + Send + Sync,
>;

/// A listening proxy. Dropped without [`Server::drain`], it stops at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tasks: Tasks,
    workers: Vec<oneshot::Receiver<()>>,
}

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else has the port.
    #[error("port {port} is taken{}; choose another with --port or `port` in settings.toml", by_whom(.by.as_deref()))]
    PortTaken { port: u16, by: Option<String> },
    /// Anything else.
    #[error("127.0.0.1:{port} can't be listened on: {source}")]
    Io { port: u16, source: io::Error },
}

fn by_whom(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" by {name}"))
}

/// A connection that has not sent a whole request head by then is closed.
const HEAD_LIMIT: Duration = Duration::from_mins(1);
const MAX_WORKERS: usize = 8;

impl Server {
    /// Listens on 127.0.0.1 and serves until drained. `tasks` belongs to this server alone.
    ///
    /// # Errors
    /// [`StartError`], with the name of the program that has the port where it can be found.
    pub fn start(gateway: Gateway, door: Door, port: u16, tasks: Tasks) -> Result<Self, StartError> {
        let listener = bind(port).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken { port, by: port::holder(port) },
            _ => StartError::Io { port, source },
        })?;
        let failed = |source| StartError::Io { port, source };
        let address = listener.local_addr().map_err(failed)?;
        let count = thread::available_parallelism().map_or(2, usize::from).min(MAX_WORKERS);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let listener = listener.try_clone().map_err(failed)?;
            let (ended, wait) = oneshot::channel();
            let worker = Worker {
                upstreams: Upstreams::new(
                    address,
                    gateway.tls.clone(),
                    &gateway.limits,
                    gateway.clock.clone(),
                    tasks.clone(),
                ),
                gateway: gateway.clone(),
                door: Arc::clone(&door),
                tasks: tasks.clone(),
            };
            thread::Builder::new()
                .name(format!("proxy-{index}"))
                .spawn(move || {
                    // One worker is enough for what happens in the background.
                    worker.run(listener, index == 0);
                    drop(ended);
                })
                .map_err(failed)?;
            workers.push(wait);
        }
        Ok(Self { address, tasks, workers })
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
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

fn bind(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[derive(Clone)]
struct Worker {
    gateway: Gateway,
    upstreams: Upstreams,
    door: Door,
    tasks: Tasks,
}

impl Worker {
    fn run(self, listener: TcpListener, asks: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let listener = |runtime: &tokio::runtime::Runtime| {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)
        };
        match runtime.and_then(|runtime| listener(&runtime).map(|listener| (runtime, listener))) {
            Ok((runtime, listener)) => {
                if asks {
                    let _inside = runtime.enter();
                    let (gateway, upstreams) = (self.gateway.clone(), self.upstreams.clone());
                    self.tasks.spawn(keep_asking(gateway, upstreams, self.tasks.clone()));
                }
                runtime.block_on(self.accept(listener));
                // A call of the API may wait for the keychain's owner, which is no reason to wait with it.
                runtime.shutdown_background();
            }
            Err(error) => tracing::error!(%error, "a worker could not start"),
        }
    }

    async fn accept(self, listener: tokio::net::TcpListener) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256);
        let graceful = GracefulShutdown::new();
        loop {
            let socket = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    Err(error) => {
                        // Out of file descriptors, most likely: wait for some to come back.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = self.tasks.stopping() => break,
            };
            let _ = socket.set_nodelay(true);
            let worker = self.clone();
            let service = service_fn(move |request| {
                let worker = worker.clone();
                async move { Ok::<_, Infallible>(worker.serve(request).await) }
            });
            let connection =
                graceful.watch(builder.serve_connection(TokioIo::new(socket), service).into_owned());
            self.tasks.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        drop(listener);
        let limit = self.gateway.limits.drain();
        if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
            tracing::warn!("running requests did not end within {limit:?}");
            self.gateway.stopping.store(true, Ordering::Relaxed);
        }
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        if !is_meant_for_us(request.uri(), request.headers()) {
            return Failure::Foreign.answer(None, self.gateway.clock.now());
        }
        let path = request.uri().path();
        if path == "/api/hello" && matches!(*request.method(), Method::HEAD | Method::GET) {
            return plain(StatusCode::OK, "text/plain", "");
        }
        if path.starts_with("/v1/") {
            if climbs(path) {
                return Failure::ClimbingPath.answer(None, self.gateway.clock.now());
            }
            return forward(&self.gateway, &self.upstreams, request).await;
        }
        (self.door)(request).await
    }
}
