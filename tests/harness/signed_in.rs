//! A core whose only account is signed in at a scripted authorisation server, with a vault that can be locked and a
//! clock that can be moved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use headgate::{
    accounts::{
        Tokens,
        sign_in::{Polled, Server},
    },
    app::{App, AppError},
    clock::Clock,
    domain::{AccountId, AccountName, ProviderId, SignIn},
    events::Event,
    providers::Catalog,
    sandbox::{
        Behaviour, Sandbox, Scenario, ScriptedAccount,
        authority::{Authority, CLIENT, Desk, House},
    },
    secrets::{Memory, SecretName, Sensitive, Vault, VaultError, VaultKind},
    settings::{Limits, Network, Settings},
    store::{self, NewAccountRow, Store},
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;
use url::Url;

use super::{Client, Reply, ask, soon};

/// A vault that can be locked.
#[derive(Debug, Default)]
pub struct Chest {
    memory: Memory,
    pub is_locked: AtomicBool,
}

impl Vault for Chest {
    fn kind(&self) -> VaultKind {
        VaultKind::Memory
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        self.memory.get(name)
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        if self.is_locked.load(Ordering::Relaxed) {
            return Err(VaultError::Locked);
        }
        self.memory.put(name, secret)
    }

    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.memory.remove(name)
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        self.memory.names()
    }
}

/// A core whose only account, `work`, is signed in for an hour.
pub struct SignedIn {
    pub app: App,
    pub authority: Authority,
    pub sandbox: Sandbox,
    pub client: Client,
    pub clock: Clock,
    pub chest: Arc<Chest>,
    pub id: AccountId,
    events: Receiver<Event>,
    pub folder: TempDir,
    tasks: Tasks,
}

/// The access token that the authority gives out as the nth: its canaries are numbered, and between two of them is a
/// refresh token. The first came after a device code.
pub fn access(n: usize) -> String {
    format!("canary-access-{}", 2 * n + 1)
}

impl SignedIn {
    pub async fn set(house: House) -> Self {
        let (clock, tasks) = (Clock::movable(), Tasks::default());
        let authority = Authority::start(house, &clock, &tasks).await.unwrap();
        // Whoever signs in anew by a device code gets one that stands between two renewals.
        let known = (1..=81).map(|n| format!("canary-access-{n}"));
        let known = known.map(|token| ScriptedAccount::new(&token, &token));
        let sandbox = Sandbox::start(&Scenario::of(known), &clock, &tasks).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let chest = Arc::new(Chest::default());
        let sign_in = SignIn {
            with: "oidc".into(),
            client_id: Some(CLIENT.into()),
            issuer: Some(Url::parse(authority.base_url()).unwrap()),
            tenant: None,
            scopes: Vec::new(),
            at: clock.now(),
        };
        let row = NewAccountRow {
            name: AccountName::new("work").unwrap(),
            provider: ProviderId("anthropic".into()),
            base_url: Some(Url::parse(sandbox.base_url()).unwrap()),
            priority: 0,
            sign_in: Some(Arc::new(sign_in)),
            created_at: clock.now(),
        };
        let store = Store::open(&folder.path().join("headgate.db"), store::Options::default()).unwrap();
        let id = store.add_account(&row).unwrap().id;
        store.close().unwrap();
        // To sign in takes a core, which is opened for it and stops again.
        let app = open(&folder, &clock, &chest).unwrap();
        let tokens = signed_in(&app, &authority, &clock).await;
        app.drain().await;
        drop(app);
        chest.put(&SecretName::of_account(id), &tokens.text()).unwrap();
        let (app, client, events) = started(&folder, &clock, &chest, &tasks);
        Self { app, authority, sandbox, client, clock, chest, id, events, folder, tasks }
    }

    /// Stops the core and starts another one on the same folder.
    pub async fn restart(&mut self) {
        self.app.drain().await;
        let aside = tempfile::tempdir().unwrap();
        // Nobody else may hold the folder when it is opened again.
        self.app = open(&aside, &self.clock, &Arc::default()).unwrap();
        (self.app, self.client, self.events) = started(&self.folder, &self.clock, &self.chest, &self.tasks);
    }

    /// A minute later: no token is so young any more that it is not exchanged.
    pub fn a_minute_later(&self) {
        self.clock.advance(Duration::from_mins(1));
    }

    pub fn bearer(&self) -> Arc<Sensitive<String>> {
        self.app.api().gateway.roster.bearer(self.id).unwrap()
    }

    /// What the vault has.
    pub fn kept(&self) -> Tokens {
        Tokens::read(&self.chest.get(&SecretName::of_account(self.id)).unwrap().unwrap()).unwrap()
    }

    pub fn renewals(&self) -> usize {
        self.authority.count(Desk::Refresh)
    }

    pub async fn ask(&self) -> Reply {
        self.client.post("/v1/messages", ask("claude-opus-5-5", false)).await
    }

    /// The upstream refuses the nth token so often.
    pub fn refuse(&self, n: usize, times: usize) {
        self.sandbox.script(&access(n), vec![Behaviour::CredentialRefused; times]).unwrap();
    }

    pub async fn call(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let token = self.app.api().keys.core().expose();
        let reply = self.client.call(token, method, path, "").await;
        (reply.status, reply.json().await)
    }

    pub async fn renew(&self) -> (StatusCode, Value) {
        self.call(Method::POST, &format!("/api/v1/accounts/{}/renew", self.id)).await
    }

    pub async fn view(&self) -> Value {
        self.call(Method::GET, &format!("/api/v1/accounts/{}", self.id)).await.1
    }

    pub async fn state(&self) -> String {
        self.view().await["standing"]["state"].as_str().unwrap().to_owned()
    }

    /// Waits until the nth token is in use and its renewal has landed; every renewal that ends tells of it.
    pub async fn until_token(&mut self, n: usize) {
        let app = self.app.clone();
        let id = self.id;
        let coming = async {
            let (roster, renewals) = (&app.api().gateway.roster, &app.api().gateway.renewals);
            // Whoever asks for one before it has landed would join it.
            let is_landing = || renewals.look(id).is_some_and(|look| look.is_under_way);
            while roster.bearer(id).unwrap().expose() != &access(n) || is_landing() {
                self.events.recv().await.unwrap();
            }
        };
        soon("a renewal", coming).await;
    }
}

impl Drop for SignedIn {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

pub fn open(folder: &TempDir, clock: &Clock, chest: &Arc<Chest>) -> Result<App, AppError> {
    let limits = Limits { models_hours: 0.0, ..Limits::default() };
    let (data_dir, network) = (folder.path().to_owned(), Network::default());
    let settings = Settings { data_dir, port: 0, vault: None, require_key: false, limits, network };
    App::open(settings, clock.clone(), Some(chest.clone()))
}

fn started(
    folder: &TempDir,
    clock: &Clock,
    chest: &Arc<Chest>,
    tasks: &Tasks,
) -> (App, Client, Receiver<Event>) {
    let app = open(folder, clock, chest).unwrap();
    let events = app.api().events.subscribe();
    let client = Client::to(&app.start().unwrap().to_string(), tasks);
    (app, client, events)
}

/// Signs in by a device code, which is the shortest way to tokens.
pub async fn signed_in(app: &App, authority: &Authority, clock: &Clock) -> Tokens {
    let definition = Catalog::built_in().sign_ins().get("oidc").unwrap();
    let terms = app.api().gateway.roster.snapshot().contenders[0].account.sign_in.clone().unwrap();
    let server = Server::find(Arc::clone(app.carrier()), definition, terms, None).await.unwrap();
    let device = server.device().await.unwrap();
    assert!(authority.answer_device(&device.user_code, true));
    let Polled::Tokens(tokens) = server.poll(&device, clock.now()).await.unwrap() else {
        panic!("the person agreed");
    };
    tokens
}
