//! Where people sign in: begins a sign-in, and takes the answer from whichever way it comes.
//! Verifier and state live here, in memory, until they are used. A foreign answer finds nothing and changes nothing.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use oauth2::{CsrfToken, PkceCodeChallenge};
use tokio::sync::Notify;
use url::Url;

use super::{
    answer::{self, BadAnswer},
    book::{Book, Entry, LIFE, Look, MOST_OPEN, NotTaken, Progress, Secrets, Shown, SignInId, UNASKED},
    carrier::Carrier,
    device,
    failure::Failure,
    finish::part,
    last_link::{LastLink, RefusedLink},
    loopback::{self, Loopback},
    server::{DeviceCode, Server},
    terms::{Agreed, NotBegun, Order, agree},
    throttle::{Source, Throttle},
};
use crate::{
    accounts::{Brought, Roster},
    clock::Clock,
    domain::SignIn,
    events::{Event, Events},
    providers::Way,
    secrets::Sensitive,
    tasks::Tasks,
};

/// Where deep links come back to.
pub const DEEP_LINK: &str = "headgate://oauth/callback";
/// How long a port stays open once a sign-in is over, for whoever is being answered.
const GRACE: Duration = Duration::from_secs(1);

/// The desk. Clones are the same.
#[derive(Clone)]
pub struct Desk(pub(super) Arc<Inner>);

pub struct Inner {
    pub(super) roster: Roster,
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) clock: Clock,
    events: Events,
    pub(super) tasks: Tasks,
    book: Mutex<Book>,
    throttle: Mutex<Throttle>,
    last_link: LastLink,
    /// Rings whenever a sign-in has moved on.
    bell: Notify,
}

/// Why an answer was refused; nothing has changed. Each is a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Answer(#[from] BadAnswer),
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    #[error("too many answers of sign-ins arrive; wait a minute, or paste the code")]
    TooMany,
    #[error("that is no address that a sign-in comes back to")]
    NotOurs,
}

impl Desk {
    /// One at which nobody signs in yet.
    pub fn new(
        roster: Roster,
        carrier: Arc<dyn Carrier>,
        clock: Clock,
        events: Events,
        tasks: Tasks,
    ) -> Self {
        let (book, throttle, bell) = (Mutex::default(), Mutex::default(), Notify::new());
        let last_link = LastLink::default();
        Self(Arc::new(Inner { roster, carrier, clock, events, tasks, book, throttle, last_link, bell }))
    }

    /// Begins a sign-in, and says what a person has to do. One that waits for the same account is called off.
    ///
    /// # Errors
    /// [`NotBegun`]; nothing is open then.
    pub async fn begin(&self, order: Order) -> Result<Look, NotBegun> {
        let now = self.0.clock.now();
        let is_attended = order.is_attended;
        let agreed = agree(&self.0.roster, order, now)?;
        let terms = Arc::new(agreed.terms.clone());
        let server = Server::find(
            Arc::clone(&self.0.carrier),
            Arc::clone(&agreed.definition),
            Arc::clone(&terms),
            agreed.client_secret.clone(),
        )
        .await?;
        let id = SignInId(format!("{:016x}", getrandom::u64()?).into());
        let look = match agreed.way {
            Way::Device => self.begin_device(id, agreed, terms, server, is_attended).await?,
            _ => self.begin_browser(id, agreed, terms, server, is_attended).await?,
        };
        self.tell_of_link(None);
        self.told();
        Ok(look)
    }

    async fn begin_device(
        &self,
        id: SignInId,
        agreed: Agreed,
        terms: Arc<SignIn>,
        server: Server,
        is_attended: bool,
    ) -> Result<Look, NotBegun> {
        let code = server.device().await?;
        let shown =
            Shown { user_code: code.user_code.clone(), at: code.at.clone(), at_once: code.at_once.clone() };
        let now = self.0.clock.now();
        let open = code.at_once.clone().unwrap_or_else(|| code.at.clone());
        let until = now + code.lives;
        let look = look(id, &agreed, open, Some(shown), until);
        let entry = Entry {
            look: look.clone(),
            server: server.clone(),
            terms,
            secrets: None,
            answer: None,
            is_kept: false,
            asked: is_attended.then_some(now),
        };
        self.enter(entry, now)?;
        self.attend(
            look.id.clone(),
            code.lives,
            Self::await_device(self.clone(), look.id.clone(), server, code),
        );
        Ok(look)
    }

    async fn begin_browser(
        &self,
        id: SignInId,
        agreed: Agreed,
        terms: Arc<SignIn>,
        server: Server,
        is_attended: bool,
    ) -> Result<Look, NotBegun> {
        let definition = &agreed.definition;
        let loopback = match agreed.way {
            Way::Loopback => Some(Loopback::bind().await.map_err(NotBegun::NoPort)?),
            _ => None,
        };
        let redirect = match (agreed.way, &definition.paste_url) {
            (Way::DeepLink, _) => DEEP_LINK.to_owned(),
            (Way::Paste, Some(page)) => page.to_string(),
            _ => {
                // Whoever pastes copies the address of a page that can't be shown: nobody listens there.
                let port = loopback.as_ref().map_or(NOBODY, Loopback::port);
                format!("http://{}:{port}{}", definition.loopback_host, loopback::PATH)
            }
        };
        let redirect =
            Url::parse(&redirect).map_err(|_| Failure::Terms("its way back is no address".into()))?;
        // 256 bits each.
        let verifier = PkceCodeChallenge::new_random_sha256().1;
        let verifier = Sensitive::new(verifier.into_secret());
        let state = Sensitive::new(CsrfToken::new_random_len(32).into_secret());
        let open = server.authorise(&redirect, &state, &verifier)?;
        let now = self.0.clock.now();
        let look = look(id, &agreed, open, None, now + LIFE);
        let secrets = Some(Secrets { state, verifier, redirect });
        let asked = is_attended.then_some(now);
        let entry = Entry { look: look.clone(), server, terms, secrets, answer: None, is_kept: false, asked };
        self.enter(entry, now)?;
        let (desk, id) = (self.clone(), look.id.clone());
        self.attend(look.id.clone(), LIFE, async move {
            if let Some(loopback) = loopback {
                loopback.serve(|address| desk.take_loopback(&id, address)).await;
            }
        });
        Ok(look)
    }

    fn enter(&self, entry: Entry, now: Timestamp) -> Result<(), NotBegun> {
        self.book(|book| book.open(entry)).map_err(|next| {
            let minutes = (next.duration_since(now).as_secs() + 59) / 60;
            NotBegun::TooMany { most: MOST_OPEN, minutes }
        })
    }

    /// Runs what a sign-in waits with, until it is over, its time is up, or the drain begins.
    fn attend(&self, id: SignInId, lives: Duration, waiting: impl Future<Output = ()> + Send + 'static) {
        let desk = self.clone();
        self.0.tasks.spawn(async move {
            let ending = async {
                tokio::select! {
                    () = desk.over(&id) => {}
                    () = tokio::time::sleep(lives) => {
                        desk.book(|book| book.end_waiting(&id));
                        desk.told();
                    }
                    () = desk.left(&id) => desk.told(),
                }
            };
            let (mut waiting, mut ending) = (pin!(waiting), pin!(ending));
            tokio::select! {
                () = &mut waiting => tokio::select! {
                    () = ending => {}
                    () = desk.0.tasks.stopping() => {}
                },
                // What a browser is being told leaves this machine all the same.
                () = &mut ending => drop(tokio::time::timeout(GRACE, waiting).await),
                () = desk.0.tasks.stopping() => {}
            }
        });
    }

    /// Completes when a sign-in is over.
    async fn over(&self, id: &SignInId) {
        loop {
            let bell = self.0.bell.notified();
            if !self.book(|book| book.is_open(id)) {
                return;
            }
            bell.await;
        }
    }

    /// Completes when a sign-in is over because nobody asked about it any more. Only one that is attended can be.
    async fn left(&self, id: &SignInId) {
        if !self.book(|book| book.is_attended(id)) {
            return std::future::pending().await;
        }
        while self.book(|book| book.is_open(id)) {
            tokio::time::sleep(UNASKED / 2).await;
        }
    }

    async fn await_device(self, id: SignInId, server: Server, code: DeviceCode) {
        match device::ask(&server, &code, &self.0.clock, tokio::time::sleep).await {
            Ok(tokens) => {
                if self.book(|book| book.exchanging(&id)) {
                    self.told();
                    let desk = self.clone();
                    self.0
                        .tasks
                        .spawn(async move { desk.keep(id, server, Brought::Tokens(Arc::new(tokens))).await });
                } else {
                    part(&server, &tokens).await;
                }
            }
            Err(failure) => {
                let is_late = failure.code() == Some("expired_token");
                let how = if is_late { Progress::Expired } else { Progress::Failed(failure.to_string()) };
                self.book(|book| book.end(&id, how));
                self.told();
            }
        }
    }

    /// Takes the address that the system handed over, and lays it aside for the sign-in that is open with its state
    /// until a person says yes by [`Desk::finish`]: any page can open an address. It never begins anything.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn take_callback(&self, address: &str) -> Result<SignInId, Refusal> {
        let taken = self.let_in(Source::DeepLink).and_then(|()| {
            let taken = self.take_deep_link(address);
            self.count(Source::DeepLink, taken)
        });
        self.tell_of_link(taken.as_ref().err());
        taken
    }

    /// The last deep link, if it was refused and lately. One that is taken, or a sign-in that begins, has it forgotten.
    pub fn refused_link(&self) -> Option<RefusedLink> {
        self.0.last_link.refused(self.0.clock.now())
    }

    fn tell_of_link(&self, refusal: Option<&Refusal>) {
        if self.0.last_link.note(refusal, self.0.clock.now()) {
            self.0.events.tell(|| Event::Status);
        }
    }

    fn take_deep_link(&self, address: &str) -> Result<SignInId, Refusal> {
        let trimmed = address.trim();
        if trimmed.len() > answer::LONGEST {
            return Err(BadAnswer::TooLong.into());
        }
        let url = Url::parse(trimmed).map_err(|_| Refusal::NotOurs)?;
        let is_ours = url.scheme() == "headgate"
            && url.host_str() == Some("oauth")
            && url.path().trim_end_matches('/') == "/callback"
            && url.username().is_empty()
            && url.port().is_none();
        if !is_ours {
            return Err(Refusal::NotOurs);
        }
        let answer = answer::read_redirect(trimmed)?;
        Ok(self.book(|book| book.lay_aside(answer))?)
    }

    /// Goes on with the answer that was laid aside. To be called on a runtime, which the exchange then goes on on.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing has changed then.
    pub fn finish(&self, id: &SignInId) -> Result<(), NotTaken> {
        let (_, exchange) = self.book(|book| book.finish(id))?;
        self.go_on(exchange);
        self.told();
        Ok(())
    }

    fn take_loopback(&self, id: &SignInId, address: &str) -> Result<(), String> {
        let take = || {
            self.let_in(Source::Loopback)?;
            let taken = answer::read_redirect(address).map_err(Refusal::from).and_then(|answer| {
                let (id, exchange) = self.book(|book| book.take_for(id, answer))?;
                self.go_on(exchange);
                Ok(id)
            });
            self.count(Source::Loopback, taken)
        };
        take().map(drop).map_err(|refusal| refusal.to_string())
    }

    /// Takes what a person copied.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn take_paste(&self, id: &SignInId, text: &Sensitive<String>) -> Result<SignInId, Refusal> {
        self.let_in(Source::Paste)?;
        let taken = answer::read_paste(text.expose()).map_err(Refusal::from).and_then(|answer| {
            let (id, exchange) = self.book(|book| book.take_for(id, answer))?;
            self.go_on(exchange);
            Ok(id)
        });
        self.count(Source::Paste, taken)
    }

    fn let_in(&self, source: Source) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        let mut throttle = self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if throttle.lets_in(source, now) { Ok(()) } else { Err(Refusal::TooMany) }
    }

    fn count(&self, source: Source, taken: Result<SignInId, Refusal>) -> Result<SignInId, Refusal> {
        match &taken {
            Ok(_) => self.told(),
            Err(refusal) => {
                tracing::warn!(?source, %refusal, "the answer of a sign-in was refused");
                self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner).count_failure(source);
            }
        }
        taken
    }

    /// How a sign-in stands. Whoever began one that is attended goes on asking this.
    pub fn look(&self, id: &SignInId) -> Option<Look> {
        // Before the sweep: on a machine that was asleep, whoever asked was asleep as well.
        let now = self.0.clock.now();
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner).is_asked(id, now);
        self.book(|book| book.look(id).cloned())
    }

    /// Those that are open or remembered, the one begun last at the end.
    pub fn looks(&self) -> Vec<Look> {
        self.book(|book| book.looks().cloned().collect())
    }

    /// Calls a sign-in off.
    ///
    /// # Errors
    /// [`NotTaken`] if there is none, or it is over.
    pub fn cancel(&self, id: &SignInId) -> Result<(), NotTaken> {
        self.book(|book| book.cancel(id))?;
        self.told();
        Ok(())
    }

    pub(super) fn book<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        let now = self.0.clock.now();
        let mut book: MutexGuard<'_, Book> = self.0.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.sweep(now);
        act(&mut book)
    }

    pub(super) fn told(&self) {
        self.0.bell.notify_waiters();
        self.0.events.tell(|| Event::SignIns);
    }
}

/// The port of discard (RFC 863): browsers refuse it, and keep its address for a person to copy.
const NOBODY: u16 = 9;

fn look(id: SignInId, agreed: &Agreed, open: Url, shown: Option<Shown>, until: Timestamp) -> Look {
    Look {
        id,
        whom: agreed.whom.clone(),
        definition: Arc::clone(&agreed.definition),
        way: agreed.way,
        progress: Progress::Waiting,
        open: Some(open),
        shown,
        is_answered: false,
        until,
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}
