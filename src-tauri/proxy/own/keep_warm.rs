//! Repeats prompts that are about to leave the cache, for one token each: if their account's owner has asked for it, not
//! more often in a row than that, and only while all repeats together cost less than to write the prompt anew.

use std::sync::Arc;

use serde_json::Value;

use super::{
    errand::{self, Errand},
    warm::Kept,
};
use crate::{domain::Micros, proxy::Gateway, routing::Contender, tasks::Tasks};

/// What was done, in numbers and a sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptWarm {
    pub repeated: u64,
    pub failed: u64,
    /// Prompts that are left to go cold.
    pub left: u64,
    /// About the last one.
    word: Option<String>,
}

enum Came {
    Repeated(String),
    Left(String),
    Failed(String),
}

/// Repeats all that are due. Once `stopping` completes it ends, whatever is left.
pub async fn keep_warm(gateway: &Gateway, tasks: &Tasks, stopping: impl Future<Output = ()>) -> KeptWarm {
    let mut stopping = std::pin::pin!(stopping);
    let mut all = KeptWarm::default();
    // One that was repeated is due later, so this ends.
    while let Some(kept) = gateway.warm.take_due(gateway.clock.now()) {
        let came = tokio::select! {
            came = repeat(gateway, tasks, kept) => came,
            () = &mut stopping => return all,
        };
        let (count, word) = match came {
            Came::Repeated(word) => (&mut all.repeated, word),
            Came::Left(word) => (&mut all.left, word),
            Came::Failed(word) => (&mut all.failed, word),
        };
        *count += 1;
        all.word = Some(word);
    }
    all
}

async fn repeat(gateway: &Gateway, tasks: &Tasks, kept: Kept) -> Came {
    let Some(contender) = gateway.roster.snapshot().get(kept.account()).cloned() else {
        return Came::Left("its account is gone".into());
    };
    let name = &contender.account.name;
    let at = gateway.clock.now();
    if let Some(why) = kept.why_not(&contender, at) {
        return Came::Left(format!("a prompt at {name} is left: {why}"));
    }
    let (costs, saves) = kept.weigh();
    let weighed = format!(
        "{} k tokens: repeats cost {}, a cold prompt {} more",
        kept.tokens / 1000,
        dollars(costs),
        dollars(saves)
    );
    if costs >= saves {
        return Came::Left(format!("it is not worth it at {name} ({weighed})"));
    }
    let Some(arrival) = kept.arrival() else {
        return Came::Left(format!("a prompt at {name} can't be asked for a single token"));
    };
    let change: Arc<str> = format!("max_tokens: 1, to keep the prompt cached ({weighed})").into();
    let nothing = std::future::ready(true);
    let unwanted = |known: &Contender, now| kept.why_not(known, now);
    let errand =
        Errand { arrival: &arrival, contender: &contender, change: Some(change), unwanted: &unwanted };
    match errand::send(gateway, tasks, errand, nothing).await {
        Ok(Ok(answer)) => {
            if was_cached(&answer) {
                gateway.warm.put_back(kept, at);
                Came::Repeated(format!("{name}: {weighed}"))
            } else {
                Came::Left(format!("a prompt at {name} was no longer in the cache"))
            }
        }
        Ok(Err(why)) => Came::Failed(format!("{name}: {why}")),
        Err(kept_back) => Came::Left(format!("{name} is kept back: {}", kept_back.why)),
    }
}

fn was_cached(answer: &[u8]) -> bool {
    let answer: Option<Value> = serde_json::from_slice(answer).ok();
    let read = answer.as_ref().and_then(|answer| answer.pointer("/usage/cache_read_input_tokens")?.as_u64());
    read.is_some_and(|tokens| tokens > 0)
}

fn dollars(micros: u64) -> String {
    format!("${:.3}", Micros(micros).dollars())
}

impl KeptWarm {
    /// In a sentence.
    pub fn says(&self) -> String {
        let Self { repeated, failed, left, word } = self;
        match word {
            None => "No prompt is due.".into(),
            Some(word) => {
                format!(
                    "Repeated {repeated}, left {left} to go cold, failed at {failed}. The last one: {word}."
                )
            }
        }
    }
}
