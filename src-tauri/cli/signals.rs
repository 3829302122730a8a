//! What ends a command from outside. Each listens from the call on, not from the first poll: whoever reads that we
//! listen may stop us in the next moment.

/// Completes on SIGINT or, where there is such a thing, on SIGTERM.
pub fn told_to_stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    return any_of([Kind::interrupt(), Kind::terminate()]);
    #[cfg(not(unix))]
    interrupted()
}

/// The same for a command that a person waits at: it ends with its terminal as well (SIGHUP).
pub fn told_to_leave() -> impl Future<Output = ()> {
    #[cfg(unix)]
    return any_of([Kind::interrupt(), Kind::terminate(), Kind::hangup()]);
    #[cfg(not(unix))]
    interrupted()
}

#[cfg(unix)]
use tokio::signal::unix::SignalKind as Kind;

#[cfg(unix)]
fn any_of<const N: usize>(kinds: [Kind; N]) -> impl Future<Output = ()> {
    let listening: Result<Vec<_>, _> = kinds.into_iter().map(tokio::signal::unix::signal).collect();
    async move {
        let Ok(mut listening) = listening else { return interrupted().await };
        std::future::poll_fn(|context| {
            if listening.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// Without a handler the signal ends the process, which is what it asks for.
async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}
