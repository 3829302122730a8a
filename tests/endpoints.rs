//! Addresses of one's own: every kind of account is served at one, no address betrays a credential, and none is taken
//! along to where an upstream points.

use std::sync::Arc;

use headgate::{
    accounts::{Brought, NewAccount, PlainHttp, Tokens, sign_in::Whom},
    domain::{AccountId, Provider, SignIn},
    providers::{Catalog, is_private},
    sandbox::{Scenario, ScriptedAccount},
    secrets::Sensitive,
    settings::Limits,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Program, Wire, aside, ask, outer_address, soon, wire};

/// Providers whose accounts have a credential of their own, in the order of the catalog.
fn with_a_credential() -> Vec<Arc<Provider>> {
    Catalog::built_in().iter().filter(|provider| !provider.passes_logins()).cloned().collect()
}

#[tokio::test]
async fn every_kind_of_account_is_served_at_an_address_of_its_own() {
    let house = House::of(Limits::default(), Scenario::of([ScriptedAccount::new("any", "key-any")])).await;
    let (catalog, roster) = (Catalog::built_in(), &house.app.api().gateway.roster);
    roster.remove(roster.snapshot().contenders[0].account.id).unwrap();
    let mut kinds = 0;
    let mut is_served = async |id, kind: String| {
        kinds += 1;
        assert_eq!(house.ask().await.status, StatusCode::OK, "{kind}");
        let seen = house.sandbox.seen("key-any");
        assert_eq!(
            seen.iter().filter(|arrival| arrival.path.starts_with("/v1/messages")).count(),
            kinds,
            "{kind}: at its own address, with its credential"
        );
        roster.remove(id).unwrap();
    };
    for provider in with_a_credential() {
        let new = NewAccount {
            name: "own".into(),
            provider: provider.id.to_string(),
            base_url: Some(house.sandbox.base_url().into()),
            plain_http: PlainHttp::Here,
            priority: 0,
            key: Some(Sensitive::new("key-any".into())),
        };
        is_served(roster.add(new).unwrap().account.id, format!("{} with a key", provider.id)).await;
        for definition in catalog.sign_ins().iter().filter(|definition| definition.fits(&provider)) {
            let terms = SignIn {
                with: Arc::clone(&definition.id),
                client_id: None,
                issuer: None,
                tenant: None,
                scopes: Vec::new(),
                at: house.clock.now(),
            };
            let token = || Sensitive::new("key-any".to_owned());
            let brought = if definition.yields_key() {
                Brought::Key(token())
            } else {
                Brought::Tokens(Arc::new(Tokens {
                    access: Arc::new(token()),
                    refresh: None,
                    expires_at: None,
                    obtained_at: house.clock.now(),
                    client_secret: None,
                }))
            };
            let whom = Whom::New {
                name: "own".into(),
                provider: provider.id.to_string(),
                base_url: Some(house.sandbox.base_url().into()),
                plain_http: PlainHttp::Here,
                priority: 0,
            };
            let id = roster.sign_in(&whom, &terms, &brought).unwrap();
            is_served(id, format!("{} signed in with {}", provider.id, definition.id)).await;
        }
    }
    assert!(kinds > with_a_credential().len(), "signed-in kinds were among them");
}

#[tokio::test]
async fn no_kind_of_account_takes_an_address_that_would_betray_its_credential() {
    let house = House::with(&["there"]).await;
    let own = house.app.api().status().address.unwrap();
    let bad = [
        ("http://gateway.example.com", "--allow-plaintext"),
        ("http://10.0.0.7:4000", "--allow-plaintext"),
        ("https://user:canary@gateway.example.com", "leave user name"),
        ("https://canary@gateway.example.com", "leave user name"),
        ("https://gateway.example.com/?key=canary", "everything from ? or #"),
        ("https://gateway.example.com/#canary", "everything from ? or #"),
        ("ftp://gateway.example.com", "starts with https://"),
        ("file:///etc/passwd", "starts with https://"),
        ("canary@nonsense", "not an address"),
        (own.as_str(), "Headgate's own address"),
    ];
    let refused = async |method: Method, path: &str, body: Value, why: &str| {
        let reply = house.api(method, path, body.clone()).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let said = reply.json().await["message"].as_str().unwrap().to_owned();
        assert!(said.contains(why) && !said.contains("canary"), "{body}: {said}");
    };
    for provider in with_a_credential() {
        let name = format!("at {}", provider.id);
        let id = house.done(
            Method::POST,
            "/api/v1/accounts",
            json!({ "name": name, "provider": *provider.id.0, "key": "k", "base_url": house.sandbox.base_url() }),
        );
        let path = format!("/api/v1/accounts/{}", id.await["id"]);
        for (address, why) in bad {
            let new = json!({ "name": "new", "provider": *provider.id.0, "key": "k", "base_url": address });
            refused(Method::POST, "/api/v1/accounts", new, why).await;
            refused(Method::PATCH, &path, json!({ "base_url": address }), why).await;
            let order = json!({
                "name": "new", "provider": *provider.id.0, "base_url": address, "with": "oidc", "client_id": "c",
                "issuer": "https://id.example.com", "way": "paste",
            });
            refused(Method::POST, "/api/v1/sign-ins", order, why).await;
        }
    }
    // A sign-in that is passed on goes to its provider alone, whatever is allowed.
    for address in ["https://gateway.example.com", "http://10.0.0.7"] {
        let new = json!({ "name": "mine", "provider": "claude-login", "base_url": address, "allow_plaintext": true });
        refused(Method::POST, "/api/v1/accounts", new, "goes to https://api.anthropic.com").await;
    }
}

#[tokio::test]
async fn plain_text_reaches_a_private_network_where_a_person_allows_it_and_never_the_internet() {
    let house = House::with(&[]).await;
    let add = async |address: &str| {
        let new = json!({
            "name": address, "provider": "anthropic", "key": "key-any", "base_url": address, "allow_plaintext": true,
        });
        house.api(Method::POST, "/api/v1/accounts", new).await
    };
    assert_eq!(add("http://10.9.8.7:4000").await.status, StatusCode::CREATED);
    let public = add("http://93.184.216.34").await;
    assert_eq!(public.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(public.text().await.contains("over the internet"));
    let roster = &house.app.api().gateway.roster;
    roster.remove(AccountId(house.id("http://10.9.8.7:4000"))).unwrap();

    // What a name leads to is known once it is asked for; here it leads to this machine, which is no stranger.
    let Some(outer) = outer_address().filter(|ip| is_private(*ip)) else { return };
    let listener = tokio::net::TcpListener::bind((outer, 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (heard, arrival) = tokio::sync::oneshot::channel();
    let _serving = aside(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let _ = heard.send(socket);
    });
    assert_eq!(add(&address).await.status, StatusCode::CREATED);
    let client = house.client.clone();
    let _asking =
        aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", false)).await.status });
    soon("the connection to a private address", arrival).await.unwrap();
}

fn pointing(to: &str, status: &str) -> wire::Reply {
    let to = format!("{to}/v1/elsewhere");
    wire::Reply::Keep(format!("HTTP/1.1 {status}\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
}

#[tokio::test]
async fn where_an_upstream_points_no_credential_goes() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        // The one that has a client ask with GET and without its body.
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let house = House::asking(Limits::default(), Scenario::of(Vec::<ScriptedAccount>::new())).await;
        let elsewhere = Wire::saying([]).await;
        // In whatever order it is asked: for its models by itself, for a message by a client, and by a test.
        let upstream = Wire::saying((0..3).map(|_| pointing(&elsewhere.base_url, status))).await;
        let id = upstream.account(&house, "work", 0);
        upstream.arrival().await;
        let reply = house.ask().await;
        assert_eq!(reply.status.as_u16().to_string(), status[..3], "the client sees what was answered");
        let test =
            house.done(Method::POST, &format!("/api/v1/accounts/{id}/test"), json!({ "model": "m" })).await;
        assert_eq!(test["finding"], "redirected", "{test}");
        assert_eq!((upstream.heard(), elsewhere.heard()), (3, 0), "{status}");
    }
}

#[test]
fn the_command_line_takes_a_persons_word_for_plain_text() {
    let program = Program::new();
    let refused = program.add("lan", "http://10.0.0.7:4000", "key-lan", &[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--allow-plaintext"), "{said}");
    assert!(program.add("lan", "http://10.0.0.7:4000", "key-lan", &["--allow-plaintext"]).status.success());
    assert!(!program.run(&["accounts", "base-url", "lan", "http://10.0.0.8"]).status.success());
    let moved = program.json(&["accounts", "base-url", "lan", "http://10.0.0.8", "--allow-plaintext"]);
    assert_eq!(moved["base_url"], "http://10.0.0.8/");
}
