//! Every task that runs aside from its caller, so that a drain can stop them and wait for them.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The set of running tasks. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task on the runtime that calls. It should watch [`Tasks::stopping`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// The same on a runtime that outlives the caller's.
    pub fn spawn_on(&self, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        self.tracker.spawn_on(task, runtime);
    }

    /// Runs what may block where it may, and gives back what comes of it.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tracker.spawn_blocking(act)
    }

    /// Completes once the drain has begun.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// A sign of its own for one task: given with the drain, or before by whoever holds it.
    pub fn sign(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Whether the drain has begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Asks every task to end; does not wait.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Completes when every task has ended after [`Tasks::stop`].
    pub async fn ended(&self) {
        self.tracker.wait().await;
    }

    /// How many run now.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }
}
