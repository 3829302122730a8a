//! Signing in, the whole way: a browser that is played, an authorisation server and an upstream on real sockets, and
//! every way back. What is wrong with an answer is said in a sentence and changes nothing.

mod afterwards;
pub mod by_program;
mod every_way;
mod that_fail;

use std::time::Duration;

use headgate::{
    domain::AccountId,
    sandbox::{
        Scenario, ScriptedAccount,
        authority::{Authority, CLIENT, Desk, Mischief},
    },
    tasks::Tasks,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::harness::{Client, House, Reply, soon};

/// The tokens of the first sign-in: a code, a refresh token and an access token are given out in this order.
pub const FIRST: &str = "canary-access-3";

pub struct Place {
    pub house: House,
    pub authority: Authority,
    tasks: Tasks,
}

impl Place {
    pub async fn with(tokens: &[&str]) -> Self {
        Self::of(tokens.iter().map(|token| ScriptedAccount::new(token, token))).await
    }

    /// With an upstream that knows these tokens.
    pub async fn of(accounts: impl IntoIterator<Item = ScriptedAccount>) -> Self {
        let (house, authority) = House::signing_in(Scenario::of(accounts)).await;
        // The house makes an account of each; here they are signed in to.
        let roster = &house.app.api().gateway.roster;
        for known in &roster.snapshot().contenders {
            roster.remove(known.account.id).unwrap();
        }
        Self { house, authority, tasks: Tasks::default() }
    }

    /// An order for a new account at the upstream of this house.
    pub fn order(&self, name: &str, with: &str, way: &str) -> Value {
        let mut order = json!({
            "name": name, "provider": "anthropic", "base_url": self.house.sandbox.base_url(), "with": with, "way": way,
        });
        if with == "oidc" {
            order["issuer"] = self.authority.base_url().into();
        }
        if with == "openrouter" {
            order["provider"] = "openrouter".into();
        } else {
            order["client_id"] = CLIENT.into();
        }
        order
    }

    pub async fn begin(&self, order: Value) -> Value {
        self.house.done(Method::POST, "/api/v1/sign-ins", order).await
    }

    /// Opens an address as a browser does, and says where it is sent.
    pub async fn browse(&self, begun: &Value) -> String {
        let url = Url::parse(begun["url"].as_str().unwrap()).unwrap();
        let client = Client::to(self.authority.base_url(), &self.tasks);
        let path = &url[url::Position::BeforePath..];
        let reply = client.get(path).await;
        assert_eq!(reply.status, StatusCode::FOUND, "{url}");
        reply.headers["location"].to_str().unwrap().to_owned()
    }

    /// Asks a port of this machine as a browser does that is sent there.
    pub async fn come_back(&self, to: &str) -> Reply {
        let url = Url::parse(to).unwrap();
        let host = format!("127.0.0.1:{}", url.port().unwrap());
        Client::to(&host, &self.tasks).get(&url[url::Position::BeforePath..]).await
    }

    pub async fn paste(&self, begun: &Value, text: &str) -> (StatusCode, Value) {
        let path = format!("/api/v1/sign-ins/{}/code", begun["id"].as_str().unwrap());
        let reply = self.house.api(Method::POST, &path, json!({ "code": text })).await;
        (reply.status, reply.json().await)
    }

    /// Says yes to what a deep link brought.
    pub async fn finish(&self, begun: &Value) -> StatusCode {
        let path = format!("/api/v1/sign-ins/{}/finish", begun["id"].as_str().unwrap());
        self.house.api(Method::POST, &path, json!(null)).await.status
    }

    pub async fn look(&self, begun: &Value) -> Value {
        let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
        self.house.api(Method::GET, &path, json!(null)).await.json().await
    }

    /// Waits until a sign-in is over.
    pub async fn ended(&self, begun: &Value) -> Value {
        let mut events = self.house.app.api().events.subscribe();
        soon("a sign-in to end", async {
            loop {
                let now = self.look(begun).await;
                if !["waiting", "exchanging"].contains(&now["state"].as_str().unwrap()) {
                    return now;
                }
                events.recv().await.unwrap();
            }
        })
        .await
    }

    pub async fn status(&self) -> Value {
        self.house.done(Method::GET, "/api/v1/status", json!(null)).await
    }

    pub async fn accounts(&self) -> Vec<Value> {
        let listed = self.house.api(Method::GET, "/api/v1/accounts", json!(null)).await.json().await;
        listed.as_array().unwrap().clone()
    }

    /// Nothing that was sent has begun, moved or kept anything.
    pub async fn is_untouched(&self, begun: &Value) {
        assert_eq!(self.look(begun).await["state"], "waiting");
        assert_eq!(self.authority.count(Desk::Code) + self.authority.count(Desk::Key), 0, "nobody was asked");
        assert!(self.accounts().await.is_empty());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn query(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("{address} has no {name}")).1.into_owned()
}

#[tokio::test]
async fn a_browser_on_this_machine_brings_the_answer_and_the_account_serves() {
    let mut place = Place::with(&[FIRST]).await;
    let begun = place.begin(place.order("work", "oidc", "loopback")).await;
    assert_eq!(query(begun["url"].as_str().unwrap(), "code_challenge_method"), "S256");

    let back = place.browse(&begun).await;
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    let page = place.come_back(&back).await;

    assert_eq!(page.status, StatusCode::OK);
    let text = page.text().await;
    assert!(text.contains("close this window") && !text.contains("canary"), "{text}");
    let done = place.ended(&begun).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["url"], Value::Null, "what it was begun with is gone");
    let accounts = place.accounts().await;
    assert_eq!(accounts[0]["id"], done["account"]);
    assert_eq!(accounts[0]["sign_in"]["renews"], true, "{}", accounts[0]);
    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "work");
    let seen = place.house.sandbox.seen(FIRST);
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {FIRST}"));
    assert!(!seen[0].headers.contains_key("x-api-key"), "a token goes where tokens go");
}

#[tokio::test]
async fn the_port_is_closed_once_the_answer_is_there() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "loopback")).await;
    let back = place.browse(&begun).await;
    place.come_back(&back).await.bytes().await;
    place.ended(&begun).await;
    let port = Url::parse(&back).unwrap().port().unwrap();
    soon("the port to be closed", async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_port_answers_nobody_but_the_browser_that_comes_back() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "loopback")).await;
    let back = place.browse(&begun).await;
    let url = Url::parse(&back).unwrap();
    let client = Client::to(&format!("127.0.0.1:{}", url.port().unwrap()), &place.tasks);
    let target = url[url::Position::BeforePath..].to_owned();
    let state = query(&back, "state");
    let long = format!("/oauth/callback?state={state}&code={}", "a".repeat(9 * 1024));
    for (path, status) in [
        ("/".to_owned(), StatusCode::NOT_FOUND),
        ("/favicon.ico".to_owned(), StatusCode::NOT_FOUND),
        ("/oauth/callback".to_owned(), StatusCode::BAD_REQUEST),
        ("/oauth/callback?code=CANARYfalse&state=CANARYfalse".to_owned(), StatusCode::BAD_REQUEST),
        (format!("/oauth/callback?code=a&code=b&state={state}"), StatusCode::BAD_REQUEST),
        (format!("/oauth/callback?state={state}"), StatusCode::BAD_REQUEST),
        (long, StatusCode::URI_TOO_LONG),
    ] {
        let reply = client.get(&path).await;
        assert_eq!(reply.status, status, "{path}");
        let text = reply.text().await;
        assert!(!text.contains("CANARY"), "nothing is repeated: {text}");
    }
    let request = Request::get(&target).header("host", "evil.example.com").body("".into()).unwrap();
    assert_eq!(client.send(request).await.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(client.post(&target, "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    place.is_untouched(&begun).await;
    // And the one that was waited for still comes in.
    assert_eq!(client.get(&target).await.status, StatusCode::OK);
    assert_eq!(place.ended(&begun).await["state"], "done");
}

#[tokio::test]
async fn a_code_is_pasted_in_whatever_shape_it_was_copied() {
    let place = Place::with(&[]).await;
    for (number, shape) in
        ["CODE", "CODE#STATE", " CODE # STATE\n", "URL", "?code=CODE#state=STATE"].iter().enumerate()
    {
        let begun = place.begin(place.order(&format!("work {number}"), "oidc", "paste")).await;
        let back = place.browse(&begun).await;
        let text = shape
            .replace("CODE", &query(&back, "code"))
            .replace("STATE", &query(&back, "state"))
            .replace("URL", &back);
        let (status, said) = place.paste(&begun, &text).await;
        assert_eq!(status, StatusCode::OK, "{shape}: {said}");
        assert_eq!(place.ended(&begun).await["state"], "done", "{shape}");
    }
    assert_eq!(place.accounts().await.len(), 5);
}

#[tokio::test]
async fn a_deep_link_finishes_a_sign_in_that_is_open_and_begins_none() {
    let place = Place::with(&[]).await;
    let desk = &place.house.app.api().sign_ins;
    let begun = place.begin(place.order("work", "oidc", "deep_link")).await;
    let back = place.browse(&begun).await;
    assert!(back.starts_with("headgate://oauth/callback?"), "{back}");
    let (code, state) = (query(&back, "code"), query(&back, "state"));
    let long = format!("headgate://oauth/callback?state={state}&code={}", "a".repeat(9 * 1024));
    for (foreign, why) in [
        ("headgate://oauth/callback".to_owned(), "no code"),
        ("headgate://oauth/begin?with=openrouter".to_owned(), "no address"),
        ("headgate://accounts/remove?id=1".to_owned(), "no address"),
        ("https://oauth/callback?code=a&state=b".to_owned(), "no address"),
        (format!("headgate://oauth/callback?code={code}"), "missing"),
        (format!("headgate://oauth/callback?code={code}&state={}", "x".repeat(43)), "no open sign-in"),
        (format!("headgate://oauth/callback?code={code}&state={}", &state[..42]), "no open sign-in"),
        (format!("headgate://oauth/callback?code={code}&code=b&state={state}"), "twice"),
        (
            format!("headgate://oauth/callback?code={code}&state={state}&iss=https://evil.example"),
            "another provider",
        ),
        (long, "too long"),
    ] {
        let refusal = desk.take_callback(&foreign).unwrap_err().to_string();
        assert!(refusal.contains(why), "{foreign}: {refusal}");
        let told = place.status().await["refused_link"]["message"].as_str().unwrap().to_owned();
        assert_eq!(told, refusal, "whoever followed it is told");
        assert!(!told.contains(&code) && !told.contains(&state), "{told}");
    }
    place.is_untouched(&begun).await;

    let id = desk.take_callback(&back).unwrap();

    assert_eq!(*id.0, *begun["id"].as_str().unwrap());
    assert_eq!(place.status().await["refused_link"], Value::Null, "what came of the last one counts");
    assert_eq!(place.look(&begun).await["state"], "answered");
    assert_eq!(place.authority.count(Desk::Code), 0, "nobody was asked before a person said yes");
    let again = desk.take_callback(&back).unwrap_err().to_string();
    assert!(again.contains("used"), "the first answer stays: {again}");
    assert_eq!(place.finish(&begun).await, StatusCode::OK);
    assert_eq!(place.ended(&begun).await["state"], "done");
    assert_eq!(place.finish(&begun).await, StatusCode::CONFLICT);
    let again = desk.take_callback(&back).unwrap_err().to_string();
    assert!(again.contains("used"), "a replay finds nothing: {again}");
    assert_ne!(place.status().await["refused_link"], Value::Null);
    place.house.clock.advance(Duration::from_mins(10));
    assert_eq!(place.status().await["refused_link"], Value::Null, "by now nobody looks for it");
    assert_eq!(place.authority.count(Desk::Code), 1);
}

#[tokio::test]
async fn an_answer_that_a_person_refuses_is_not_used() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "deep_link")).await;
    assert_eq!(place.finish(&begun).await, StatusCode::CONFLICT, "there is no answer yet");
    let back = json!({ "url": place.browse(&begun).await });
    let came = place.house.done(Method::POST, "/api/v1/sign-ins/callback", back.clone()).await;
    assert_eq!((&came["state"], &came["name"]), (&json!("answered"), &json!("work")));

    let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
    place.house.api(Method::DELETE, &path, json!(null)).await;

    assert_eq!(place.look(&begun).await["state"], "cancelled");
    assert_eq!(place.finish(&begun).await, StatusCode::CONFLICT);
    let late = place.house.api(Method::POST, "/api/v1/sign-ins/callback", back).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(place.authority.count(Desk::Code), 0);
    assert!(place.accounts().await.is_empty());
}

#[tokio::test]
async fn the_list_of_sign_ins_tells_no_address() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    let state = query(begun["url"].as_str().unwrap(), "state");
    let listed = place.house.api(Method::GET, "/api/v1/sign-ins", json!(null)).await.text().await;
    assert!(listed.contains(begun["id"].as_str().unwrap()), "{listed}");
    assert!(!listed.contains(&state), "{listed}");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_finds_nothing() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "deep_link")).await;
    let back = place.browse(&begun).await;
    place.house.clock.advance(Duration::from_mins(10));
    assert!(place.house.app.api().sign_ins.take_callback(&back).is_err());
    assert_eq!(place.finish(&begun).await, StatusCode::CONFLICT);
    let (status, _) = place.paste(&begun, &back).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(place.look(&begun).await["state"], "expired");
    assert_eq!(place.authority.count(Desk::Code), 0);
}

#[tokio::test]
async fn a_sign_in_whose_command_was_killed_was_taken_by_whoever_answered() {
    let place = Place::with(&[]).await;
    let begin = async |name: &str| {
        let mut order = place.order(name, "oidc", "loopback");
        order["attended"] = true.into();
        place.begin(order).await
    };
    let (left, attended) = (begin("left").await, begin("attended").await);
    let unattended = place.begin(place.order("page", "oidc", "loopback")).await;
    let (back, kept) = (place.browse(&left).await, place.browse(&attended).await);
    for _ in 0..2 {
        place.house.clock.advance(Duration::from_secs(20));
        assert_eq!(place.look(&attended).await["state"], "waiting", "somebody asks about it");
    }
    let reply = place.come_back(&back).await;
    assert_ne!(reply.status, StatusCode::OK, "nobody is there any more who wanted it");
    assert_eq!(place.look(&left).await["state"], "cancelled");
    assert_eq!(place.authority.count(Desk::Code), 0, "and its code is not exchanged");
    assert_eq!(place.look(&unattended).await["state"], "waiting", "nobody promised to ask about this one");
    place.come_back(&kept).await;
    assert_eq!(place.ended(&attended).await["state"], "done");
}

#[tokio::test]
async fn an_answer_to_one_sign_in_is_none_to_another() {
    let place = Place::with(&[]).await;
    let one = place.begin(place.order("one", "oidc", "paste")).await;
    let other = place.begin(place.order("other", "oidc", "paste")).await;
    let back = place.browse(&one).await;
    let (status, said) = place.paste(&other, &back).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    place.is_untouched(&other).await;
    // A bare code says no state; that it belongs to somebody else shows when it is exchanged.
    place.paste(&other, &query(&back, "code")).await;
    assert_eq!(place.ended(&other).await["state"], "failed", "its challenge was another one's");
    assert!(place.accounts().await.is_empty());
}

#[tokio::test]
async fn a_code_that_is_entered_elsewhere_signs_in() {
    let place = Place::with(&[]).await;
    place.authority.script(Desk::Poll, [Mischief::Hold("asked".into())]);
    let begun = place.begin(place.order("work", "huggingface", "device")).await;
    assert!(place.authority.await_held("asked").await);
    let (status, _) = place.paste(&begun, "code").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "nothing is pasted here");

    assert!(place.authority.answer_device(begun["user_code"].as_str().unwrap(), true));
    place.authority.release("asked");

    assert_eq!(place.ended(&begun).await["state"], "done");
    assert_eq!(place.accounts().await[0]["sign_in"]["with"], "huggingface");
}

#[tokio::test]
async fn a_person_who_says_no_is_believed() {
    let place = Place::with(&[]).await;
    place.authority.script(Desk::Poll, [Mischief::Hold("asked".into())]);
    let device = place.begin(place.order("device", "huggingface", "device")).await;
    assert!(place.authority.await_held("asked").await);
    place.authority.answer_device(device["user_code"].as_str().unwrap(), false);
    place.authority.release("asked");
    let browser = place.begin(place.order("browser", "oidc", "loopback")).await;
    let back = place.browse(&browser).await;
    let denied = back.replace(&format!("code={}", query(&back, "code")), "error=access_denied");
    assert_eq!(place.come_back(&denied).await.status, StatusCode::OK);
    for begun in [device, browser] {
        let ended = place.ended(&begun).await;
        assert_eq!(ended["state"], "failed");
        assert!(ended["message"].as_str().unwrap().contains("denied"), "{ended}");
    }
    assert!(place.accounts().await.is_empty());
}

#[tokio::test]
async fn openrouter_gives_a_key_for_a_code_and_needs_no_client() {
    let mut place = Place::with(&["canary-key-2"]).await;
    let begun = place.begin(place.order("router", "openrouter", "loopback")).await;
    let back = place.browse(&begun).await;
    assert!(back.starts_with("http://localhost:"), "as its documentation has it: {back}");
    assert_eq!(place.come_back(&back).await.status, StatusCode::OK);
    let done = place.ended(&begun).await;
    assert_eq!(done["state"], "done", "{done}");
    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "router");
    assert_eq!(place.accounts().await[0]["sign_in"]["renews"], false, "a key needs no renewal");
}

#[tokio::test]
async fn a_page_that_shows_code_and_state_is_answered_with_both_and_the_token_says_what_it_needs() {
    let mut place = Place::with(&[FIRST]).await;
    let begun = place.begin(place.order("plan", "anthropic", "paste")).await;
    assert_eq!(query(begun["url"].as_str().unwrap(), "code"), "true");
    let back = place.browse(&begun).await;
    place.paste(&begun, &format!("{}#{}", query(&back, "code"), query(&back, "state"))).await;
    assert_eq!(place.ended(&begun).await["state"], "done");
    let asked = place.authority.asked().iter().find(|asked| asked.desk == Desk::Code).unwrap().clone();
    assert_eq!(asked.fields["state"], query(&back, "state"));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert!(asked.headers["user-agent"].to_str().unwrap().starts_with("headgate/"), "it says who it is");
    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "plan");
    let betas = place.house.sandbox.seen(FIRST)[0].headers["anthropic-beta"].clone();
    assert!(betas.to_str().unwrap().contains("oauth-2025-04-20"), "{betas:?}");
}

#[tokio::test]
async fn whether_there_is_a_window_for_a_link_to_come_back_to_was_not_told() {
    let place = Place::with(&[]).await;
    assert_eq!(place.status().await["has_window"], false);
    place.house.app.gets_a_window();
    assert_eq!(place.status().await["has_window"], true);
}
