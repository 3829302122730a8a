//! What seldom happens to a task that is often woken by something else: a limit that is nearly never reached,
//! a drain. Asking such a future costs more than the look that tells whether it has come.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// A future that is polled to register a waker, and then only once a look says that it is ready.
pub struct Seldom<F> {
    future: F,
    /// Whom the future will wake.
    known: Option<Waker>,
}

/// A moment of the runtime's own time.
pub type Limit = Seldom<Pin<Box<Sleep>>>;

impl<F: Future + Unpin> Seldom<F> {
    /// Not polled yet.
    pub fn new(future: F) -> Self {
        Self { future, known: None }
    }

    /// Polls it where that could tell anything; `is_ready` may say so too early, and never too late: from when the
    /// waker is called on it has to.
    pub fn poll_if(&mut self, is_ready: impl FnOnce(&F) -> bool, cx: &mut Context<'_>) -> Poll<F::Output> {
        let is_known = self.known.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        if is_known && !is_ready(&self.future) {
            return Poll::Pending;
        }
        // A task that has had its turn would be told to come again, and no waker be registered.
        let polled = Pin::new(&mut unconstrained(&mut self.future)).poll(cx);
        self.known = polled.is_pending().then(|| cx.waker().clone());
        polled
    }
}

impl Limit {
    /// Ready from this moment on.
    pub fn at(deadline: Instant) -> Self {
        Self::new(Box::pin(sleep_until(deadline)))
    }

    /// When it is reached.
    pub fn deadline(&self) -> Instant {
        self.future.deadline()
    }

    /// Moves it.
    pub fn set(&mut self, deadline: Instant) {
        self.future.as_mut().reset(deadline);
        self.known = None;
    }

    /// Ready once it is reached, and each time again until it is moved.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_if(|sleep| sleep.is_elapsed(), cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Waker, time::Duration};

    use tokio::task::consume_budget;

    use super::*;

    fn later() -> Instant {
        #[expect(
            clippy::disallowed_methods,
            reason = "the runtime's own timer counts in the runtime's own time"
        )]
        let now = Instant::now();
        now + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_limit_wakes_whoever_asked_last_and_again_once_it_is_moved() {
        let mut limit = Limit::at(later());
        let deaf = &mut Context::from_waker(Waker::noop());
        assert!(limit.poll(deaf).is_pending());
        // Another waker than the one that is known.
        poll_fn(|cx| limit.poll(cx)).await;
        assert!(limit.poll(deaf).is_ready(), "it stays reached");
        limit.set(later());
        assert!(limit.poll(deaf).is_pending());
        poll_fn(|cx| limit.poll(cx)).await;
    }

    #[tokio::test]
    async fn a_limit_of_a_task_that_has_had_its_turn_is_reached_all_the_same() {
        let mut limit = Limit::at(later());
        let mut is_spent = false;
        poll_fn(|cx| {
            let noop = &mut Context::from_waker(Waker::noop());
            while !is_spent && pin!(consume_budget()).poll(noop).is_ready() {}
            is_spent = true;
            limit.poll(cx)
        })
        .await;
    }
}
