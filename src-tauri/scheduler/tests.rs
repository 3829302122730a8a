//! Jobs that break, hang and fail, and a clock that is set: each is done again, and none twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use jiff::SignedDuration;
use tokio::sync::Notify;

use super::{Act, Due, Job, JobState, NotRun, Rhythm, Run, Said, Scheduler, Told, Unfinished};
use crate::{
    clock::Clock,
    domain::{JobId, JobOutcome},
    events::Events,
    store::{
        Options, Store,
        tests::{Folder, stall},
    },
    tasks::Tasks,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A scheduler on a folder and a clock that can be moved.
struct Stage {
    scheduler: Scheduler,
    store: Store,
    clock: Clock,
    tasks: Tasks,
}

impl Stage {
    fn of(jobs: Vec<Job>) -> (Self, Folder) {
        let folder = Folder::new();
        (Self::on(&folder, Clock::movable(), jobs), folder)
    }

    fn on(folder: &Folder, clock: Clock, jobs: Vec<Job>) -> Self {
        let (store, tasks) = (folder.open(), Tasks::default());
        let scheduler =
            Scheduler::load(store.clone(), clock.clone(), Events::default(), tasks.clone(), jobs).unwrap();
        scheduler.start();
        Self { scheduler, store, clock, tasks }
    }

    fn job(&self, id: JobId) -> JobState {
        self.scheduler.job(id).unwrap()
    }

    fn outcome(&self, id: JobId) -> Option<JobOutcome> {
        self.job(id).last.map(|run| run.outcome)
    }

    /// Waits until something is so; whatever happens to a job is told.
    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let mut moved = self.scheduler.0.moved.subscribe();
        let waiting = async {
            while !holds() {
                moved.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap_or_else(|_| panic!("waited 20 s for {what}"));
    }

    /// Moves the clock, and waits until a job has ended so many runs and does not run.
    async fn after(&self, by: Duration, id: JobId, count: &AtomicUsize, runs: usize) {
        self.clock.advance(by);
        let is_done = || count.load(Ordering::SeqCst) == runs && self.job(id).running_since.is_none();
        self.until("a run to end", is_done).await;
    }

    /// Lets every task do what it can do now.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    async fn close(self) {
        self.tasks.stop();
        tokio::time::timeout(Duration::from_secs(20), self.tasks.ended()).await.expect("all tasks end");
        self.store.close().unwrap();
    }
}

fn hourly(id: JobId, act: Act) -> Job {
    let due = Due::By(Rhythm::Every { every: HOUR, jitter: Duration::ZERO });
    Job { id, title: "A job", about: "It does something.", due, limit: HOUR, off: None, act }
}

/// An act that counts its runs and then does this.
fn counting(
    count: &Arc<AtomicUsize>,
    then: impl Fn(usize) -> Result<Said, Unfinished> + Send + Sync + 'static,
) -> Act {
    let (count, then) = (Arc::clone(count), Arc::new(then));
    Box::new(move |_| {
        let (count, then) = (Arc::clone(&count), Arc::clone(&then));
        async move { then(count.fetch_add(1, Ordering::SeqCst)) }.boxed()
    })
}

fn fine(count: &Arc<AtomicUsize>) -> Act {
    counting(count, |_| Ok(Said::fine("Done.")))
}

#[tokio::test]
async fn s16_a_job_that_panics_leaves_nothing_locked_and_it_and_the_others_run_again() {
    let [broken, well] = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let breaks =
        counting(&broken, |n| if n < 2 { panic!("as it was meant to") } else { Ok(Said::fine("Done.")) });
    let (stage, _folder) =
        Stage::of(vec![hourly(JobId::Integrity, breaks), hourly(JobId::Models, fine(&well))]);
    for run in 1..=2 {
        stage.after(HOUR, JobId::Integrity, &broken, run).await;
        assert_eq!(stage.outcome(JobId::Integrity), Some(JobOutcome::Panicked));
        stage.after(Duration::ZERO, JobId::Models, &well, run).await;
        assert_eq!(stage.outcome(JobId::Models), Some(JobOutcome::Fine));
    }
    stage.after(HOUR, JobId::Integrity, &broken, 3).await;
    assert_eq!(stage.outcome(JobId::Integrity), Some(JobOutcome::Fine));
    stage.close().await;
}

#[tokio::test]
async fn a_job_that_breaks_before_it_has_begun_and_one_whose_owner_breaks_cost_only_themselves() {
    let well = Arc::new(AtomicUsize::new(0));
    let told = Told {
        words: "when told".into(),
        idle: Box::new(|| None),
        next: Box::new(|_| panic!("as it was meant to")),
        changed: Box::new(|| panic!("as it was meant to")),
    };
    let never =
        Box::new(|_: Run| -> futures_util::future::BoxFuture<'static, _> { panic!("as it was meant to") });
    let (stage, _folder) = Stage::of(vec![
        Job { due: Due::Told(told), ..hourly(JobId::Integrity, fine(&Arc::default())) },
        hourly(JobId::Retention, never),
        hourly(JobId::Models, fine(&well)),
    ]);
    stage.after(HOUR, JobId::Models, &well, 1).await;
    stage.until("the other to break", || stage.outcome(JobId::Retention).is_some()).await;
    assert_eq!(stage.outcome(JobId::Retention), Some(JobOutcome::Panicked));
    stage.after(HOUR, JobId::Models, &well, 2).await;
    assert_eq!(stage.outcome(JobId::Integrity), None, "nobody could say that it is due");
    stage.close().await;
}

#[tokio::test]
async fn a_job_that_hangs_is_given_up_told_to_stop_and_done_again() {
    let (count, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, telling) = (Arc::clone(&count), Arc::clone(&told));
    let hangs: Act = Box::new(move |run| {
        let (counted, telling) = (Arc::clone(&counted), Arc::clone(&telling));
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            // What works aside hears of it, although nobody waits for it any more.
            tokio::task::spawn_blocking(move || {
                while !run.should_stop() {
                    std::thread::yield_now();
                }
                telling.notify_one();
            });
            std::future::pending().await
        }
        .boxed()
    });
    let limit = Duration::from_millis(20);
    let (stage, _folder) = Stage::of(vec![Job { limit, ..hourly(JobId::Integrity, hangs) }]);
    for run in 1..=2 {
        stage.after(HOUR, JobId::Integrity, &count, run).await;
        assert_eq!(stage.outcome(JobId::Integrity), Some(JobOutcome::TimedOut));
        told.notified().await;
    }
    stage.close().await;
}

#[tokio::test]
async fn a_job_that_fails_says_why_and_is_done_again_at_its_time() {
    let count = Arc::new(AtomicUsize::new(0));
    let fails = counting(&count, |_| Err(Unfinished::Failed(format!("The disk\nis {}", "full".repeat(500)))));
    let (stage, _folder) = Stage::of(vec![hourly(JobId::Integrity, fails)]);
    stage.after(HOUR, JobId::Integrity, &count, 1).await;
    let last = stage.job(JobId::Integrity).last.unwrap();
    assert_eq!(last.outcome, JobOutcome::Failed);
    assert!(last.says.starts_with("The disk is full") && last.says.len() == 400, "{}", last.says);
    stage.after(HOUR, JobId::Integrity, &count, 2).await;
    stage.close().await;
}

#[tokio::test]
async fn a_run_joins_nobody_and_one_that_is_off_is_not_done() {
    let (gate, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (held, counted) = (Arc::clone(&gate), Arc::clone(&count));
    let waits: Act = Box::new(move |run| {
        let (held, counted) = (Arc::clone(&held), Arc::clone(&counted));
        async move {
            held.notified().await;
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(Said::fine(format!("By hand: {}.", run.is_by_hand())))
        }
        .boxed()
    });
    let off = Job { off: Some("nobody wants it".into()), ..hourly(JobId::Models, fine(&count)) };
    let (stage, _folder) = Stage::of(vec![hourly(JobId::Integrity, waits), off]);
    assert_eq!(stage.scheduler.run(JobId::Integrity), Some(Ok(())));
    let since = stage.job(JobId::Integrity).running_since.unwrap();
    assert_eq!(stage.scheduler.run(JobId::Integrity), Some(Err(NotRun::Running { since })));
    stage.clock.advance(2 * HOUR);
    stage.settle().await;
    assert_eq!(stage.job(JobId::Integrity).running_since, Some(since), "nor does its time start it twice");
    gate.notify_one();
    stage.scheduler.settled(JobId::Integrity).await;
    assert_eq!(&*stage.job(JobId::Integrity).last.unwrap().says, "By hand: true.");
    assert_eq!(stage.scheduler.run(JobId::Models), Some(Err(NotRun::Off("nobody wants it".into()))));
    assert_eq!(stage.scheduler.run(JobId::Retention), None, "this core has none");
    assert_eq!(stage.job(JobId::Models).next, None);
    // The time that it missed while it ran by hand is made up for.
    gate.notify_one();
    stage.after(Duration::ZERO, JobId::Integrity, &count, 2).await;
    stage.close().await;
}

#[tokio::test]
async fn while_nothing_is_due_nobody_wakes_and_news_wakes() {
    let (asked, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (news, due) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(None)));
    let (asking, wakes, told_due) = (Arc::clone(&asked), Arc::clone(&news), Arc::clone(&due));
    let told = Told {
        words: "when told".into(),
        idle: Box::new(|| None),
        next: Box::new(move |_| {
            asking.fetch_add(1, Ordering::SeqCst);
            *told_due.lock().unwrap()
        }),
        changed: Box::new(move || {
            let news = Arc::clone(&wakes);
            async move { news.notified().await }.boxed()
        }),
    };
    let job = Job { due: Due::Told(told), ..hourly(JobId::Models, fine(&count)) };
    let (stage, _folder) = Stage::of(vec![job]);
    stage.settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it looked once, at the start, and sleeps without an alarm");

    *due.lock().unwrap() = Some(stage.clock.now() + SignedDuration::from_hours(1));
    news.notify_one();
    stage.settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "and sleeps until that");
    stage.after(HOUR, JobId::Models, &count, 1).await;
    // It is still told, though it was done: a minute's rest, and not a moment's.
    stage.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    *due.lock().unwrap() = None;
    stage.close().await;
}

#[tokio::test]
async fn a_clock_that_jumps_a_day_ahead_makes_up_for_one_run_and_one_that_jumps_back_repeats_none() {
    let count = Arc::new(AtomicUsize::new(0));
    let (stage, _folder) = Stage::of(vec![hourly(JobId::Integrity, fine(&count))]);
    stage.after(DAY, JobId::Integrity, &count, 1).await;
    stage.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "twenty-four were missed, and one is done");
    let before = stage.clock.now();
    stage.clock.set_back(DAY);
    stage.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let next = stage.job(JobId::Integrity).next.unwrap();
    assert!(
        next < before - SignedDuration::from_hours(22),
        "nor does it wait for a day to come again: {next}"
    );
    stage.after(HOUR, JobId::Integrity, &count, 2).await;
    stage.close().await;
}

#[tokio::test]
async fn after_a_restart_a_daily_job_waits_for_its_day_and_what_was_missed_for_a_minute() {
    let (folder, clock, count) = (Folder::new(), Clock::movable(), Arc::new(AtomicUsize::new(0)));
    let daily = |count: &Arc<AtomicUsize>| {
        let due = Due::By(Rhythm::Every { every: DAY, jitter: Duration::ZERO });
        vec![Job { due, ..hourly(JobId::Integrity, fine(count)) }]
    };
    let stage = Stage::on(&folder, clock.clone(), daily(&count));
    stage.after(DAY, JobId::Integrity, &count, 1).await;
    let kept = stage.job(JobId::Integrity).last;
    stage.close().await;

    let stage = Stage::on(&folder, clock.clone(), daily(&count));
    let kept = kept.map(|run| (run.began_at.as_millisecond(), run.outcome, run.says));
    let read =
        stage.job(JobId::Integrity).last.map(|run| (run.began_at.as_millisecond(), run.outcome, run.says));
    assert_eq!(read, kept);
    clock.advance(Duration::from_hours(23));
    stage.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "not at each start");
    stage.close().await;

    clock.advance(DAY);
    let stage = Stage::on(&folder, clock.clone(), daily(&count));
    stage.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "there is enough to do at a start");
    stage.after(Duration::from_mins(1), JobId::Integrity, &count, 2).await;
    stage.close().await;
}

#[tokio::test]
async fn a_drain_stops_a_job_at_its_safe_point_and_the_next_start_makes_up_for_it() {
    let (folder, clock) = (Folder::new(), Clock::movable());
    let (begun, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (telling, counted) = (Arc::clone(&begun), Arc::clone(&count));
    let stops: Act = Box::new(move |run| {
        let (telling, counted) = (Arc::clone(&telling), Arc::clone(&counted));
        async move {
            telling.notify_one();
            run.stopping().await;
            counted.fetch_add(1, Ordering::SeqCst);
            Err(Unfinished::Stopped("Half of it is done.".into()))
        }
        .boxed()
    });
    let stage = Stage::on(&folder, clock.clone(), vec![hourly(JobId::Retention, stops)]);
    clock.advance(HOUR);
    begun.notified().await;
    stage.tasks.stop();
    stage.scheduler.ended().await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "it came to its safe point");
    assert_eq!(stage.outcome(JobId::Retention), Some(JobOutcome::Stopped));
    assert_eq!(stage.scheduler.run(JobId::Retention), Some(Err(NotRun::Stopping)));
    stage.close().await;

    let again = Arc::new(AtomicUsize::new(0));
    let stage = Stage::on(&folder, clock, vec![hourly(JobId::Retention, fine(&again))]);
    assert_eq!(stage.outcome(JobId::Retention), Some(JobOutcome::Stopped));
    stage.after(Duration::from_mins(1), JobId::Retention, &again, 1).await;
    stage.close().await;
}

#[tokio::test]
async fn what_a_job_found_is_told_until_it_finds_nothing_any_more() {
    let count = Arc::new(AtomicUsize::new(0));
    let finds = counting(&count, |n| {
        Ok(if n == 0 { Said::trouble("A page is torn.") } else { Said::fine("All is well.") })
    });
    let (stage, _folder) = Stage::of(vec![hourly(JobId::Integrity, finds)]);
    assert_eq!(stage.scheduler.trouble(), None);
    stage.after(HOUR, JobId::Integrity, &count, 1).await;
    assert_eq!(stage.scheduler.trouble().as_deref(), Some("A page is torn."));
    stage.after(HOUR, JobId::Integrity, &count, 2).await;
    assert_eq!(stage.scheduler.trouble(), None);
    stage.close().await;
}

#[tokio::test]
async fn a_disk_that_stood_still_held_the_jobs_and_the_scheduler() {
    let folder = Folder::new();
    // The store waits longer for the disk than this test does.
    let options = Options { patience: Duration::from_mins(5), ..Options::default() };
    let (store, tasks) = (Store::open(&folder.file(), options).unwrap(), Tasks::default());
    let (clock, count, well) =
        (Clock::movable(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let jobs = vec![hourly(JobId::Integrity, fine(&count)), hourly(JobId::Models, fine(&well))];
    let patience = Duration::from_millis(20);
    let scheduler = Scheduler::load_within(
        patience,
        store.clone(),
        clock.clone(),
        Events::default(),
        tasks.clone(),
        jobs,
    );
    let stage = Stage { scheduler: scheduler.unwrap(), store, clock, tasks };
    stage.scheduler.start();

    let disk = stall(&folder.file());
    for run in 1..=3 {
        stage.after(HOUR, JobId::Integrity, &count, run).await;
        stage.after(Duration::ZERO, JobId::Models, &well, run).await;
    }
    // Whose clock is set back is to be written down by the one task that wakes all.
    stage.clock.set_back(DAY);
    stage.settle().await;
    stage.after(HOUR, JobId::Integrity, &count, 4).await;
    stage.after(Duration::ZERO, JobId::Models, &well, 4).await;
    assert!(stage.tasks.count() <= 1 + 2, "one write of each job at most waits: {}", stage.tasks.count());
    drop(disk);
    stage.close().await;

    let kept = folder.open().jobs().unwrap();
    let is_known = |id| kept.iter().any(|row| row.id == id && row.last.is_some());
    assert!(is_known(JobId::Integrity) && is_known(JobId::Models), "what waited is written once it goes on");
}
