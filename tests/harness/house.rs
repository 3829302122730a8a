//! A core in this process, with a sandbox as its only upstream and a clock that can be moved.

use std::{sync::Arc, time::Duration};

use headgate::{
    accounts::NewAccount,
    api::views::RequestView,
    app::App,
    clock::Clock,
    domain::{AccountId, Exchange},
    events::Event,
    providers::Catalog,
    sandbox::authority::{Authority, House as Setup},
    sandbox::{Behaviour, Sandbox, Scenario, ScriptedAccount},
    secrets::{Memory, Sensitive},
    settings::{Limits, Network, Settings},
    tasks::Tasks,
};
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

use super::{Client, Reply, ask, soon};

pub struct House {
    pub app: App,
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub client: Client,
    pub folder: TempDir,
    events: Receiver<Event>,
    tasks: Tasks,
}

impl House {
    /// Accounts of these names, the first one first in line, their keys `key-NAME`.
    pub async fn with(names: &[&str]) -> Self {
        Self::within(Limits::default(), names).await
    }

    pub async fn within(limits: Limits, names: &[&str]) -> Self {
        let scripted = names.iter().map(|name| ScriptedAccount::new(name, &format!("key-{name}")));
        Self::of(limits, Scenario::of(scripted)).await
    }

    pub async fn of(limits: Limits, scenario: Scenario) -> Self {
        // Journeys count what reaches their upstreams; those about models ask for this themselves.
        Self::furnished(scenario, |settings| settings.limits = Limits { models_hours: 0.0, ..limits }).await
    }

    /// As `of`; upstreams are asked for their models in the background if the limits say so.
    pub async fn asking(limits: Limits, scenario: Scenario) -> Self {
        Self::furnished(scenario, |settings| settings.limits = limits).await
    }

    /// In another network than the loopback alone.
    pub async fn on(limits: Limits, network: Network, names: &[&str]) -> Self {
        let scripted = names.iter().map(|name| ScriptedAccount::new(name, &format!("key-{name}")));
        Self::furnished(Scenario::of(scripted), |settings| {
            settings.limits = Limits { models_hours: 0.0, ..limits };
            settings.network = network;
        })
        .await
    }

    /// With settings of its own.
    pub async fn furnished(scenario: Scenario, choose: impl FnOnce(&mut Settings)) -> Self {
        let (clock, tasks) = (Clock::movable(), Tasks::default());
        Self::built(scenario, choose, Catalog::built_in(), clock, tasks).await
    }

    /// With an authorisation server, to which every way to sign in leads.
    pub async fn signing_in(scenario: Scenario) -> (Self, Authority) {
        let (clock, tasks) = (Clock::movable(), Tasks::default());
        let authority = Authority::start(Setup::default(), &clock, &tasks).await.unwrap();
        let catalog = Catalog::built_in().signing_in_at(&authority.base_url().parse().unwrap());
        (Self::built(scenario, |_| {}, catalog, clock, tasks).await, authority)
    }

    async fn built(
        scenario: Scenario,
        choose: impl FnOnce(&mut Settings),
        catalog: Catalog,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        let sandbox = Sandbox::start(&scenario, &clock, &tasks).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { models_hours: 0.0, ..Limits::default() };
        let (data_dir, network) = (folder.path().to_owned(), Network::default());
        let mut settings = Settings { data_dir, port: 0, vault: None, require_key: false, limits, network };
        choose(&mut settings);
        let app =
            App::open_with(settings, clock.clone(), Some(Arc::new(Memory::default())), catalog).unwrap();
        for (place, account) in scenario.accounts.iter().enumerate() {
            let new = NewAccount {
                name: account.name.clone(),
                provider: "anthropic".into(),
                base_url: Some(sandbox.base_url().into()),
                plain_http: headgate::accounts::PlainHttp::default(),
                priority: i32::try_from(place).unwrap(),
                key: Some(Sensitive::new(account.key.clone())),
            };
            app.api().gateway.roster.add(new).unwrap();
        }
        let address = app.start().unwrap();
        let client = Client::to(&address.to_string(), &tasks);
        let events = app.api().events.subscribe();
        Self { app, sandbox, clock, client, folder, events, tasks }
    }

    /// Adds an account at this address, its key `key-NAME`.
    pub fn add(&self, name: &str, base_url: &str, priority: i32) -> AccountId {
        let new = NewAccount {
            name: name.into(),
            provider: "anthropic".into(),
            base_url: Some(base_url.into()),
            plain_http: headgate::accounts::PlainHttp::default(),
            priority,
            key: Some(Sensitive::new(format!("key-{name}"))),
        };
        self.app.api().gateway.roster.add(new).unwrap().account.id
    }

    /// Has an account be served at another address.
    pub fn lead(&self, name: &str, base_url: &str) {
        let roster = &self.app.api().gateway.roster;
        let account = roster
            .snapshot()
            .contenders
            .iter()
            .find(|known| known.account.name.to_string() == name)
            .unwrap()
            .account
            .id;
        let change = headgate::accounts::Change { base_url: Some(base_url.into()), ..Default::default() };
        roster.change(account, change).unwrap();
    }

    /// Has an account do this next.
    pub fn script(&self, name: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.sandbox.script(&format!("key-{name}"), behaviours).unwrap();
    }

    /// Moves on to the beginning of the next day, as caps count them.
    pub fn to_midnight(&self) {
        let now = self.clock.now().to_zoned_datetime(TimeZone::UTC);
        let midnight = now.tomorrow().unwrap().start_of_day().unwrap().timestamp();
        let left: Duration = midnight.duration_since(self.clock.now()).try_into().unwrap();
        self.clock.advance(left + Duration::from_secs(1));
    }

    /// Asks for a message and reads it.
    pub async fn ask(&self) -> Reply {
        self.client.post("/v1/messages", ask("claude-opus-5-5", false)).await
    }

    /// Asks for a stream.
    pub async fn ask_stream(&self) -> Reply {
        self.client.post("/v1/messages?beta=true", ask("claude-opus-5-5", true)).await
    }

    /// The next exchange to end.
    pub async fn ended(&mut self) -> Arc<Exchange> {
        soon("an exchange to end", async {
            loop {
                if let Event::Request(exchange) = self.events.recv().await.unwrap()
                    && exchange.ending.is_some()
                {
                    return exchange;
                }
            }
        })
        .await
    }

    /// The names of the accounts that an exchange tried, in order.
    pub fn tried(&self, exchange: &Exchange) -> Vec<String> {
        let roster = &self.app.api().gateway.roster;
        exchange.attempts.iter().map(|attempt| roster.name_of(attempt.account).unwrap().to_string()).collect()
    }

    /// What is on disk, newest first.
    pub async fn written(&self) -> Vec<RequestView> {
        let store = self.app.api().store.clone();
        tokio::task::spawn_blocking(move || store.flush()).await.unwrap().unwrap();
        let page = self.client.call(self.token(), http::Method::GET, "/api/v1/requests?limit=500", "").await;
        serde_json::from_value(page.json().await["requests"].take()).unwrap()
    }

    /// Calls the management API.
    pub async fn api(&self, method: http::Method, path: &str, body: serde_json::Value) -> Reply {
        self.client.call(self.token(), method, path, &body.to_string()).await
    }

    /// Makes or changes something by the API, and reads it.
    pub async fn done(&self, method: http::Method, path: &str, body: serde_json::Value) -> serde_json::Value {
        let reply = self.api(method, path, body).await;
        let status = reply.status;
        let text = reply.text().await;
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// An account's id.
    pub fn id(&self, name: &str) -> i64 {
        let snapshot = self.app.api().gateway.roster.snapshot();
        snapshot.contenders.iter().find(|known| known.account.name.as_str() == name).unwrap().account.id.0
    }

    /// Asks for a message, reads it, and says who answered.
    pub async fn answered_by(&mut self, reply: Reply) -> String {
        let status = reply.status;
        let text = reply.text().await;
        assert_eq!(status, http::StatusCode::OK, "{text}");
        let exchange = self.ended().await;
        self.tried(&exchange).pop().unwrap()
    }

    /// The sentence with which a request was refused.
    pub async fn refused(&mut self, reply: Reply) -> String {
        assert!(!reply.status.is_success(), "it should be refused");
        let message = reply.json().await["error"]["message"].as_str().unwrap().to_owned();
        self.ended().await;
        message
    }

    /// The core's own token.
    pub fn token(&self) -> &str {
        self.app.api().keys.core().expose()
    }

    /// An account's standing as the API tells it.
    pub async fn standing(&self, name: &str) -> serde_json::Value {
        let accounts =
            self.client.call(self.token(), http::Method::GET, "/api/v1/accounts", "").await.json().await;
        accounts.as_array().unwrap().iter().find(|account| account["name"] == name).unwrap()["standing"]
            .clone()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}
