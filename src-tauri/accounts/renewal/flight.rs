//! One renewal under way: asking, keeping, and telling how it ended. It ends by itself whatever becomes of those who
//! wanted it, and one that breaks off says so: nobody waits for it for ever.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    NotRenewed, Renewals,
    course::{Act, Ended},
};
use crate::{
    accounts::{
        Tokens,
        sign_in::{Failure, Server},
    },
    domain::{AccountId, Mending, RenewalTrouble},
    events::Event,
};

pub(super) struct Flight {
    renewals: Renewals,
    id: AccountId,
    /// The tokens that are to be exchanged.
    before: Arc<Tokens>,
    /// What came for them, if that was not kept.
    next: Option<Arc<Tokens>>,
    tell: watch::Sender<Option<Result<(), NotRenewed>>>,
    has_landed: bool,
}

impl Flight {
    pub fn new(
        renewals: Renewals,
        id: AccountId,
        before: Arc<Tokens>,
        next: Option<Arc<Tokens>>,
        tell: watch::Sender<Option<Result<(), NotRenewed>>>,
    ) -> Self {
        Self { renewals, id, before, next, tell, has_landed: false }
    }

    pub async fn fly(mut self, act: Act) {
        let ended = match (act, self.next.take()) {
            (Act::Keep, Some(next)) => self.keep(next).await,
            (Act::End, _) => {
                self.needs(Mending::SignIn, "its sign-in has ended, and nothing can renew it".into()).await
            }
            _ => match self.ask().await {
                Ok(next) => self.keep(self.bring(next)).await,
                Err(failure) => match Ended::by(&failure) {
                    Ended::Needs(needs, why) => self.needs(needs, why).await,
                    // Whoever has signed in meanwhile need not wait because the old tokens met bad weather.
                    Ended::Weather(_) if !self.renewals.0.roster.has_tokens(self.id, &self.before) => {
                        Ended::Overtaken
                    }
                    ended => ended,
                },
            },
        };
        let trouble = self.ends(&ended);
        self.write_down(trouble.clone()).await;
        self.land(&ended, trouble);
    }

    async fn ask(&self) -> Result<Tokens, Failure> {
        let inner = &self.renewals.0;
        let (roster, now) = (&inner.roster, self.renewals.now());
        let terms = roster.snapshot().get(self.id).and_then(|known| known.account.sign_in.clone());
        let unknown = || Failure::Terms("it is not known how this account was signed in".into());
        let terms = terms.ok_or_else(unknown)?;
        let definition = roster.catalog().sign_ins().get(&terms.with).ok_or_else(unknown)?;
        let secret = self.before.client_secret.clone();
        let server = Server::find(Arc::clone(&inner.carrier), definition, terms, secret).await?;
        server.refresh(&self.before, now).await
    }

    /// From now on these are the only ones that are good, so they are held before anything else is done.
    fn bring(&self, next: Tokens) -> Arc<Tokens> {
        let next = Arc::new(next);
        let mut desk = self.renewals.desk();
        if let Some(entry) = desk.entries.get_mut(&self.id) {
            entry.unkept = Some(Arc::clone(&next));
            entry.course.brings();
        }
        next
    }

    async fn keep(&self, next: Arc<Tokens>) -> Ended {
        let (roster, id, before) = (self.renewals.0.roster.clone(), self.id, Arc::clone(&self.before));
        let keeping = move || roster.renew_tokens(id, &before, &next);
        match self.renewals.0.tasks.spawn_blocking(keeping).await {
            Ok(Ok(true)) => Ended::Renewed,
            Ok(Ok(false)) => Ended::Overtaken,
            Ok(Err(error)) => Ended::Unkept(error.to_string().into()),
            Err(_) => Ended::Unkept("the vault broke off".into()),
        }
    }

    /// Has the account need a person, if it still has the tokens that were refused.
    async fn needs(&self, needs: Mending, why: Arc<str>) -> Ended {
        let (roster, id, before) = (self.renewals.0.roster.clone(), self.id, Arc::clone(&self.before));
        let said = Arc::clone(&why);
        let ending = move || roster.end_sign_in(id, &before, &said);
        match self.renewals.0.tasks.spawn_blocking(ending).await {
            Ok(Ok(false)) => Ended::Overtaken,
            _ => Ended::Needs(needs, why),
        }
    }

    /// What stays of how it ended.
    fn ends(&self, ended: &Ended) -> Option<RenewalTrouble> {
        let now = self.renewals.now();
        let mut desk = self.renewals.desk();
        let entry = desk.entries.get_mut(&self.id)?;
        let part = entry.part(self.id);
        let was_for_a_person = entry.course.trouble.as_ref().is_some_and(|trouble| trouble.needs.is_some());
        entry.course.ends(ended, self.before.obtained_at, part, now);
        let trouble = entry.course.trouble.clone();
        drop(desk);
        // What a person had asked again, and nobody has answered, is tried by itself from here on.
        let is_open = was_for_a_person && matches!(ended, Ended::Weather(_) | Ended::Unkept(_));
        if *ended == Ended::Renewed || is_open {
            self.renewals.0.roster.revive_sign_in(self.id, was_for_a_person);
        }
        trouble
    }

    async fn write_down(&self, trouble: Option<RenewalTrouble>) {
        let (store, id) = (self.renewals.0.roster.inner().store.clone(), self.id);
        let written =
            self.renewals.0.tasks.spawn_blocking(move || store.save_renewal(id, trouble.as_ref())).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "what became of a renewal could not be written down");
        }
    }

    fn land(&mut self, ended: &Ended, trouble: Option<RenewalTrouble>) {
        self.has_landed = true;
        let inner = &self.renewals.0;
        let name = inner.roster.name_of(self.id);
        let name = name.as_ref().map_or("removed", |name| name.as_str());
        let again_at = trouble.map_or_else(|| self.renewals.now(), |trouble| trouble.again_at);
        let result = match ended {
            Ended::Renewed => {
                tracing::info!(account = name, "its sign-in was renewed");
                Ok(())
            }
            Ended::Overtaken if inner.roster.tokens(self.id).is_none() => Err(NotRenewed::NoSignIn),
            Ended::Overtaken => Ok(()),
            Ended::Unkept(why) => {
                tracing::error!(account = name, %why, "its sign-in was renewed and can't be kept; it is held in memory until it is");
                Err(NotRenewed::Unkept { why: Arc::clone(why), again_at })
            }
            Ended::Weather(why) => {
                tracing::warn!(account = name, %why, %again_at, "its sign-in could not be renewed");
                Err(NotRenewed::Failed { why: Arc::clone(why), again_at })
            }
            Ended::Needs(_, why) => {
                tracing::warn!(account = name, %why, "its sign-in can't be renewed without a person");
                Err(NotRenewed::Needs(Arc::clone(why)))
            }
        };
        {
            let mut desk = self.renewals.desk();
            if matches!(ended, Ended::Renewed | Ended::Overtaken) {
                desk.entries.remove(&self.id);
            } else if let Some(entry) = desk.entries.get_mut(&self.id) {
                entry.course.lands();
                entry.flight = None;
            }
        }
        self.tell.send_replace(Some(result));
        let inner = inner.roster.inner();
        inner.due_anew.notify_waiters();
        inner.events.tell(|| Event::Accounts);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_landed {
            let ended = Ended::Weather("the renewal broke off".into());
            let trouble = self.ends(&ended);
            self.land(&ended, trouble);
        }
    }
}
