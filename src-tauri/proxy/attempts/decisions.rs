//! Why requests went where they went. While one is under way only what its decision was made from is kept, by
//! reference; when it has ended the record is made, and once for all that were decided alike.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{AccountId, Ask, DecisionId, DecisionRecord, KeptDecision},
    routing::{Aside, Bound, Pick, Snapshot, Why, recall},
};

/// What one decision was made from, and who was chosen.
#[derive(Debug)]
pub struct Made {
    snapshot: Arc<Snapshot>,
    bound: Option<Bound>,
    set_aside: Vec<Aside>,
    /// `None`: nobody could take it.
    taken: Option<(AccountId, Why)>,
    at: Timestamp,
}

impl Made {
    /// Nobody was found among these.
    pub fn by_nobody(
        snapshot: &Arc<Snapshot>,
        bound: Option<Bound>,
        set_aside: &[Aside],
        at: Timestamp,
    ) -> Self {
        // An empty list takes no memory.
        Self { snapshot: Arc::clone(snapshot), bound, set_aside: set_aside.to_vec(), taken: None, at }
    }

    /// When it was decided.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// This one was.
    pub fn takes(self, pick: &Pick) -> Self {
        Self { taken: Some((pick.contender.account.id, pick.why)), ..self }
    }

    fn record(&self, ask: &Ask) -> DecisionRecord {
        recall(ask, &self.snapshot, self.bound.as_ref(), &self.set_aside, self.taken, self.at)
    }
}

/// So many decisions are remembered. Each holds the snapshot that it was made from.
const MOST: usize = 32;
/// For so long at most: an hour that a guard names may have begun since.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);
/// Prompts that differ by less are taken for equally long: what most models read ends at multiples of this.
const LENGTH: u64 = 50_000;

/// The decisions that were made last.
#[derive(Debug, Default)]
pub struct Decisions {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    known: Vec<Known>,
    /// The oldest, which makes room.
    next: usize,
}

#[derive(Debug)]
struct Known {
    made: Made,
    ask: Ask,
    until: Timestamp,
    kept: Arc<KeptDecision>,
}

impl Decisions {
    /// The decision as it is to be written down.
    pub fn keep(&self, ask: &Ask, made: Made) -> Arc<KeptDecision> {
        if let Some(kept) = self.find(ask, &made) {
            return kept;
        }
        let record = made.record(ask);
        let untils = record.candidates.iter().filter_map(|one| one.until).filter(|until| *until > made.at);
        let longest = made.at.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
        let until = untils.min().unwrap_or(longest).min(longest);
        let kept = Arc::new(kept(record));
        // How accounts stand for one sign-in is put together for each request anew, and never met again.
        if !ask.login {
            let known = Known { made, ask: ask.clone(), until, kept: Arc::clone(&kept) };
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).put(known);
        }
        kept
    }

    fn find(&self, ask: &Ask, made: &Made) -> Option<Arc<KeptDecision>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recent.known.iter().find(|known| known.is_like(ask, made))?;
        Some(Arc::clone(&found.kept))
    }
}

impl Recent {
    fn put(&mut self, known: Known) {
        if self.known.len() < MOST {
            self.known.push(known);
        } else {
            self.known[self.next] = known;
            self.next = (self.next + 1) % MOST;
        }
    }
}

impl Known {
    /// Whether all is the same that a record tells of.
    fn is_like(&self, ask: &Ask, made: &Made) -> bool {
        let account = |made: &Made| made.bound.map(|bound| bound.account);
        Arc::ptr_eq(&self.made.snapshot, &made.snapshot)
            && (self.made.at..self.until).contains(&made.at)
            && self.made.taken == made.taken
            && account(&self.made) == account(made)
            && self.made.set_aside == made.set_aside
            && shape(&self.ask) == shape(ask)
    }
}

/// What of an ask a decision may hang on. All fields stand here, so that a new one is not forgotten.
fn shape(ask: &Ask) -> impl PartialEq + '_ {
    let Ask { model, role, agent_type, project, directory, needs, key, endpoint, only, pools, login, .. } =
        ask;
    // Which conversation it is, and what moving it would cost, stands in what was bound and weighed.
    let Ask { session: _, agent: _, client: _, stream: _, bytes: _, cache_price: _, .. } = ask;
    (
        (model, role, agent_type, project, directory, endpoint),
        (key, only, pools, login, needs, ask.input_tokens() / LENGTH),
    )
}

/// Equal decisions at different times are the same.
fn kept(record: DecisionRecord) -> KeptDecision {
    let prevented = record.prevented;
    let record = DecisionRecord { at: Timestamp::UNIX_EPOCH, ..record };
    let text = serde_json::to_string(&record).expect("a record is plain data");
    let digest = Sha256::digest(text.as_bytes());
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest is longer");
    // Sixty-three bits: an id is a positive number, as people read it.
    let id = DecisionId(i64::from_be_bytes(*first) & i64::MAX);
    KeptDecision { id, record: text.into(), prevented }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Account, AccountName},
        providers::Catalog,
        routing::{Contender, Decision, Load, pick},
    };

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn snapshot() -> Arc<Snapshot> {
        let provider = Catalog::built_in().get("anthropic").unwrap();
        let contender = |id: i64| {
            let name = AccountName::new(&format!("account {id}")).unwrap();
            let account = Account {
                priority: i32::try_from(id).unwrap(),
                ..Account::new(AccountId(id), name, provider.id.clone(), now())
            };
            Contender::new(account, Arc::clone(&provider), Load::default())
        };
        Arc::new(Snapshot::of([contender(1), contender(2)]))
    }

    fn ask() -> Ask {
        Ask { model: Some("claude-opus-5-5".into()), ..Ask::default() }
    }

    fn made(snapshot: &Arc<Snapshot>, set_aside: &[Aside], at: Timestamp) -> Made {
        let made = Made::by_nobody(snapshot, None, set_aside, at);
        match pick(&ask(), snapshot, None, set_aside, at) {
            Decision::Take(pick) => made.takes(&pick),
            Decision::Wait(_) => made,
        }
    }

    #[test]
    fn while_nothing_changes_a_record_is_made_once() {
        let (decisions, snapshot) = (Decisions::default(), snapshot());
        let first = decisions.keep(&ask(), made(&snapshot, &[], now()));
        for second in 1..50 {
            let at = now() + SignedDuration::from_secs(second);
            assert!(
                Arc::ptr_eq(&first, &decisions.keep(&ask(), made(&snapshot, &[], at))),
                "second {second}"
            );
        }
        let late = decisions.keep(&ask(), made(&snapshot, &[], now() + LONGEST));
        assert!(!Arc::ptr_eq(&first, &late) && first == late, "made anew, and the same");
    }

    #[test]
    fn another_ask_another_snapshot_or_another_choice_is_another_decision() {
        let (decisions, snapshot) = (Decisions::default(), snapshot());
        let first = decisions.keep(&ask(), made(&snapshot, &[], now()));
        let failed = [Aside::wholly(AccountId(1))];
        let second = decisions.keep(&ask(), made(&snapshot, &failed, now()));
        assert_ne!(first.id, second.id);
        let other = Arc::new(Snapshot::clone(&snapshot));
        let third = decisions.keep(&ask(), made(&other, &[], now()));
        assert!(!Arc::ptr_eq(&first, &third) && first == third, "equal decisions have one id");
        let strange = Ask { project: Some("a".into()), ..ask() };
        let fourth = decisions.keep(&strange, made(&snapshot, &[], now()));
        assert!(!Arc::ptr_eq(&first, &fourth));
    }

    #[test]
    fn decisions_and_their_snapshots_are_remembered_within_a_bound() {
        let decisions = Decisions::default();
        let first = snapshot();
        for _ in 0..MOST * 3 {
            decisions.keep(&ask(), made(&Arc::new(Snapshot::clone(&first)), &[], now()));
        }
        decisions.keep(&ask(), made(&first, &[], now()));
        assert_eq!(decisions.recent.lock().unwrap().known.len(), MOST);
        for _ in 0..MOST {
            decisions.keep(&ask(), made(&snapshot(), &[], now()));
        }
        assert_eq!(Arc::strong_count(&first), 1, "nobody holds an old snapshot for ever");
    }

    #[test]
    fn what_is_kept_can_be_read_and_has_no_time_of_its_own() {
        let kept = Decisions::default().keep(&ask(), made(&snapshot(), &[], now()));
        let record: DecisionRecord = serde_json::from_str(&kept.record).unwrap();
        assert_eq!((record.at, record.account), (Timestamp::UNIX_EPOCH, Some(AccountId(1))));
        assert!(kept.id.0 > 0);
    }
}
