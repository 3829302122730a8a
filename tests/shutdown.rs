//! Stopping: nothing new, running requests end, and whatever is cut is recorded as cut by us.

use headgate::{
    app::App,
    clock::Clock,
    domain::Ending,
    sandbox::{Answer, Behaviour},
    secrets::{SecretName, Sensitive, VaultError},
    settings::{Limits, Network, Settings},
};

use crate::harness::{House, aside, soon};

#[tokio::test]
async fn a_drain_lets_a_stream_end() {
    let house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Hold { gate: "middle".into(), after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    let app = house.app.clone();
    let mut draining = aside(async move { app.drain().await });
    let address = house.app.api().status().address.unwrap();
    let refused = async {
        let address = address.trim_start_matches("http://");
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("new connections to be refused", refused).await;
    house.sandbox.release("middle");
    assert!(reply.text().await.contains("message_stop"), "the running stream ends as it should");
    soon("the drain to end", draining.join_next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_recorded_as_interrupted() {
    let mut house = House::within(Limits { drain_seconds: 0.1, ..Limits::default() }, &["work"]).await;
    house.script("work", [Behaviour::Stall { after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    soon("the drain to end", house.app.drain()).await;
    assert_eq!(house.ended().await.ending, Some(Ending::Interrupted));
    let (_, was_cut) = reply.until_end_or_cut().await;
    assert!(was_cut);
}

/// A keychain that waits for its owner, who has gone for lunch.
#[derive(Debug, Default)]
struct Waiting {
    asked: std::sync::Arc<tokio::sync::Notify>,
    back: std::sync::Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl headgate::secrets::Vault for Waiting {
    fn kind(&self) -> headgate::secrets::VaultKind {
        headgate::secrets::VaultKind::Memory
    }
    fn get(&self, _: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        Ok(None)
    }
    fn put(&self, _: &SecretName, _: &Sensitive<String>) -> Result<(), VaultError> {
        self.asked.notify_one();
        let back = self.back.lock().unwrap().take().unwrap();
        let _ = back.recv_timeout(std::time::Duration::from_secs(30));
        Ok(())
    }
    fn remove(&self, _: &SecretName) -> Result<(), VaultError> {
        Ok(())
    }
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        Ok(None)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_wait_for_the_keychains_owner() {
    let (owner, back) = std::sync::mpsc::channel();
    let vault = Waiting { back: Some(back).into(), ..Waiting::default() };
    let asked = std::sync::Arc::clone(&vault.asked);
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { drain_seconds: 0.2, ..Limits::default() };
    let (data_dir, network) = (folder.path().to_owned(), Network::default());
    let settings = Settings { data_dir, port: 0, vault: None, require_key: false, limits, network };
    let app = App::open(settings, Clock::system(), Some(std::sync::Arc::new(vault))).unwrap();
    let tasks = headgate::tasks::Tasks::default();
    let client = crate::harness::Client::to(&app.start().unwrap().to_string(), &tasks);
    let token = app.api().keys.core().expose().clone();
    let new = r#"{"name":"work","provider":"anthropic","priority":0,"key":"k"}"#;
    let _adding =
        aside(async move { client.call(&token, http::Method::POST, "/api/v1/accounts", new).await.status });
    soon("the keychain to be asked", asked.notified()).await;
    soon("the drain to end", app.drain()).await;
    drop(owner);
}
