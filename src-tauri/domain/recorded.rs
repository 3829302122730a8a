//! A request as it was written down, as far as it can be played again: a few words of the whole story, since
//! hundreds of thousands of them are in memory at once.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{AccountId, Conversation, Ending, KeyId, Micros, Role, Usage};

/// A request for a message that has ended. What is not written down of requests (the folder, images, tools, beta
/// features, whether it came with a sign-in) is not here either.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it came.
    pub at: Timestamp,
    pub model: Option<Arc<str>>,
    pub session: Option<Arc<str>>,
    pub agent: Option<Arc<str>>,
    pub role: Option<Role>,
    pub agent_type: Option<Arc<str>>,
    pub project: Option<Arc<str>>,
    pub key: Option<KeyId>,
    /// Bytes of its body.
    pub bytes: u64,
    pub ending: Ending,
    pub status: Option<u16>,
    /// The account whose answer the client saw.
    pub account: Option<AccountId>,
    pub usage: Usage,
    pub cost: Option<Micros>,
    pub duration: Option<Duration>,
    /// How long it was here before an account was tried; `None` where none was.
    pub waited: Option<Duration>,
    /// The accounts that refused it because a window was spent, one for each refusal. Whoever was only too fast is
    /// not among them.
    pub limited: Vec<AccountId>,
    /// It was decided who takes it, or that nobody can. What is refused before that is refused under any plan.
    pub decided: bool,
}

impl Recorded {
    /// The conversation that it is a turn of.
    pub fn conversation(&self) -> Option<Conversation> {
        let session = Arc::clone(self.session.as_ref()?);
        Some(Conversation { session, agent: self.agent.clone() })
    }

    /// The account that served it, if one did.
    pub fn served_by(&self) -> Option<AccountId> {
        self.account.filter(|_| self.status.is_some_and(|status| (200..300).contains(&status)))
    }

    /// Whether it could have come to another end elsewhere: somebody was to take it, and it was not at fault
    /// itself.
    pub fn is_playable(&self) -> bool {
        let is_at_fault = self.ending == Ending::UpstreamError
            && self.status.is_some_and(|status| matches!(status, 400 | 404 | 413 | 422));
        (self.decided || self.account.is_some()) && !is_at_fault
    }
}
