//! The sandbox's socket: accepts on the loopback, speaks HTTP/1.1, and can break a connection on purpose.

use std::{
    future::Future,
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::pieces::Pieces;
use crate::tasks::Tasks;

/// One connection, as a reply sees it: it can say how the connection is to end.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// From now on the connection ends with a TCP reset.
    pub fn reset(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn resets(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long to wait when the system takes no more connections.
const FULL: Duration = Duration::from_millis(50);

/// Binds the loopback; port 0 takes any that is free.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serves until told to stop; every connection ends then as well.
pub async fn accept<A, F>(listener: TcpListener, stop: CancellationToken, tasks: Tasks, answer: A)
where
    A: Fn(Request<Incoming>, Line) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Response<Pieces>>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
            () = tasks.stopping() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Most likely no descriptor is left; asking again at once would only burn the processor.
            tokio::time::sleep(FULL).await;
            continue;
        };
        tasks.spawn(serve(stream, stop.clone(), tasks.clone(), answer.clone()));
    }
}

async fn serve<A, F>(stream: TcpStream, stop: CancellationToken, tasks: Tasks, answer: A)
where
    A: Fn(Request<Incoming>, Line) -> F,
    F: Future<Output = io::Result<Response<Pieces>>>,
{
    // Events are small and should leave as they are made; without it they are only late.
    let _ = stream.set_nodelay(true);
    let line = Line::default();
    let wire = TokioIo::new(Wire { stream, line: line.clone() });
    let service = service_fn(move |request| answer(request, line.clone()));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(wire, service);
    tokio::select! {
        // Errors are what the script wanted, or a client that left: the recorder knows.
        _ = connection => {}
        () = stop.cancelled() => {}
        () = tasks.stopping() => {}
    }
}

/// The stream, which sends a reset when it is dropped if the script says so.
struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.resets() {
            // Without it the client sees a close instead of a reset; nobody can be told here.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A shutdown would send the end in order before the reset.
        if self.line.resets() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_shutdown(cx) }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
