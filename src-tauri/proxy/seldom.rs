//! What seldom happens to a task that is often woken by something else: a limit that is nearly never reached,
//! a drain. Asking such a future costs more than the look that tells whether it has come.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// A future that is polled to register a waker, and then only once a look says that it is ready.
pub struct Seldom<F> {
    future: F,
    /// Whom the future will wake; `None` where it has to be polled.
    known: Option<Waker>,
}

/// Waits for a moment of the runtime's own time.
pub type Deadline = Seldom<Pin<Box<Sleep>>>;

impl<F: Future + Unpin> Seldom<F> {
    /// Not polled yet.
    pub fn new(future: F) -> Self {
        Self { future, known: None }
    }

    /// Polls it where that could tell anything. `is_ready` may say yes too early, but never no once the waker has been
    /// called. Not to be asked again behind `Ready`, unless the future can be.
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

impl Deadline {
    /// Ready from this moment on.
    pub fn at(deadline: Instant) -> Self {
        Self::new(Box::pin(sleep_until(deadline)))
    }

    /// When it is reached.
    pub fn moment(&self) -> Instant {
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

/// How long something has been waited for that mostly comes at once.
#[derive(Default)]
pub struct Wait {
    /// `None` while nothing is waited for, so that what comes at once costs no look at the clock.
    since: Option<Instant>,
    /// Made with the first wait, and set anew only when it rings or would ring too late.
    timer: Option<Deadline>,
}

impl Wait {
    /// Whether something is waited for.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// It has come.
    pub fn over(&mut self) {
        self.since = None;
    }

    /// It has not. Ready once that has lasted so long.
    pub fn poll_too_long(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let moment = *self.since.get_or_insert_with(now) + limit;
        let timer = self.timer.get_or_insert_with(|| Deadline::at(moment));
        if timer.moment() > moment {
            timer.set(moment);
        }
        loop {
            ready!(timer.poll(cx));
            if timer.moment() >= moment {
                return Poll::Ready(());
            }
            timer.set(moment);
        }
    }
}

/// The runtime's own time, in which its timers count.
#[expect(clippy::disallowed_methods, reason = "no clock of ours moves the runtime's timers")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Waker};

    use tokio::task::consume_budget;

    use super::*;

    fn later() -> Instant {
        now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_deadline_wakes_whoever_asked_last_and_again_once_it_is_moved() {
        let mut deadline = Deadline::at(later());
        let deaf = &mut Context::from_waker(Waker::noop());
        assert!(deadline.poll(deaf).is_pending());
        // Another waker than the one that is known.
        poll_fn(|cx| deadline.poll(cx)).await;
        assert!(deadline.poll(deaf).is_ready(), "it stays reached");
        deadline.set(later());
        assert!(deadline.poll(deaf).is_pending());
        poll_fn(|cx| deadline.poll(cx)).await;
    }

    #[tokio::test]
    async fn a_deadline_of_a_task_that_has_had_its_turn_is_reached_all_the_same() {
        let mut deadline = Deadline::at(later());
        let mut is_spent = false;
        poll_fn(|cx| {
            let noop = &mut Context::from_waker(Waker::noop());
            while !is_spent && pin!(consume_budget()).poll(noop).is_ready() {}
            is_spent = true;
            deadline.poll(cx)
        })
        .await;
    }
}
