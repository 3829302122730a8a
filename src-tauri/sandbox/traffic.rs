//! The demo's client: a gentle, endless trickle of requests like those of a few people who code. Says
//! honestly in its user-agent what it is; refuses to hurry, and to have more than four requests open.

use std::{fmt::Write as _, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::tasks::Tasks;

/// The most requests that are open at once; where there is no room one is left out.
const OPEN: usize = 4;

/// Between two requests: this and up to as much again.
const PAUSE: Duration = Duration::from_millis(450);

/// No reply of the demo takes so long; what does is given up.
const PATIENCE: Duration = Duration::from_mins(2);

const USER_AGENT: &str = concat!("headgate-demo/", env!("CARGO_PKG_VERSION"));

/// The people: their main model, and their session.
const SESSIONS: [(&str, &str); 3] = [
    ("claude-opus-5-5", "5a1e0c2e-7b1d-4a53-9a41-1f2d6f0c9a01"),
    ("claude-sonnet-5-5", "5a1e0c2e-7b1d-4a53-9a41-1f2d6f0c9a02"),
    ("claude-opus-5-5", "5a1e0c2e-7b1d-4a53-9a41-1f2d6f0c9a03"),
];

/// What a subagent runs on.
const SMALL: &str = "claude-haiku-5-5";

/// Where the requests go and what they carry.
#[derive(Debug, Clone)]
pub struct Traffic {
    authority: Arc<str>,
    key: Arc<str>,
}

/// The address is not one of plain HTTP with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the address of a proxy; it looks like http://127.0.0.1:8417")]
pub struct BadTarget(String);

/// One request that somebody makes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    path: &'static str,
    model: &'static str,
    session: &'static str,
    agent: Option<String>,
    stream: bool,
    /// Bytes of instructions and history, roughly.
    bytes: usize,
    /// How far the session has come.
    turn: u64,
}

/// A small generator of numbers: the same trickle in every demo.
struct Dice(u64);

impl Traffic {
    /// Sends to this base URL with this client key, which may be empty.
    ///
    /// # Errors
    /// `BadTarget` unless it is `http://host:port`.
    pub fn to(base_url: &str, key: &str) -> Result<Self, BadTarget> {
        let uri: Uri = base_url.parse().map_err(|_| BadTarget(base_url.to_owned()))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => {
                Ok(Self { authority: authority.as_str().into(), key: key.into() })
            }
            _ => Err(BadTarget(base_url.to_owned())),
        }
    }

    /// Sends until the tasks are told to stop. What becomes of a request is the proxy's to tell.
    pub async fn run(self, tasks: Tasks) {
        let room = Arc::new(Semaphore::new(OPEN));
        let mut dice = Dice(0x005E_ED0F_0DE3);
        for turn in 0.. {
            let ask = next(&mut dice, turn);
            if let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
                let (traffic, asking) = (self.clone(), tasks.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        // The demo shows failures on its page; here is nobody to tell.
                        _ = tokio::time::timeout(PATIENCE, traffic.send(&ask)) => {}
                        () = asking.stopping() => {}
                    }
                    drop(permit);
                });
            }
            let pause =
                PAUSE + Duration::from_millis(dice.below(u64::try_from(PAUSE.as_millis()).unwrap_or(1)));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = tasks.stopping() => return,
            }
        }
    }

    /// Sends one request and reads its reply to the end.
    async fn send(&self, ask: &Ask) -> io::Result<()> {
        let stream = TcpStream::connect(&*self.authority).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let exchange = async {
            let response = sender.send_request(self.request(ask)?).await.map_err(io::Error::other)?;
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                frame.map_err(io::Error::other)?;
            }
            Ok(())
        };
        tokio::pin!(connection);
        tokio::select! {
            done = exchange => done,
            ended = &mut connection => ended.map_err(io::Error::other),
        }
    }

    fn request(&self, ask: &Ask) -> io::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(ask.path)
            .header(header::HOST, &*self.authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01")
            .header("x-claude-code-session-id", ask.session);
        if !self.key.is_empty() {
            request = request.header("x-api-key", &*self.key);
        }
        if let Some(agent) = &ask.agent {
            request = request.header("x-claude-code-agent-id", agent);
        }
        request.body(body(ask).into()).map_err(io::Error::other)
    }
}

/// Who asks next, and for what.
fn next(dice: &mut Dice, turn: u64) -> Ask {
    let (main, session) = SESSIONS[dice.pick(SESSIONS.len())];
    let counts = dice.below(12) == 0;
    let agent = (dice.below(4) == 0).then(|| format!("agent-{}", 1 + dice.below(3)));
    Ask {
        path: if counts { "/v1/messages/count_tokens?beta=true" } else { "/v1/messages?beta=true" },
        model: if agent.is_some() { SMALL } else { main },
        session,
        stream: !counts && dice.below(10) > 0,
        // Half of them are as large as what a coding client sends for a single word.
        bytes: if dice.below(2) == 0 { 40_000 + dice.pick(50_000) } else { 3_000 + dice.pick(9_000) },
        agent,
        turn,
    }
}

/// A body like a coding client's: instructions, tools, a history that ends in a tool's result.
fn body(ask: &Ask) -> String {
    let user = format!(r#"{{"device_id":"demo","account_uuid":"","session_id":"{}"}}"#, ask.session);
    let result =
        format!("running {} tests\ntest result: ok. {} passed; 0 failed", ask.turn % 400, ask.turn % 400);
    let messages = serde_json::json!([
        { "role": "user", "content": [{ "type": "text", "text": "Make the failing test pass." }] },
        { "role": "assistant", "content": [
            { "type": "text", "text": "I will look at the test first." },
            { "type": "tool_use", "id": format!("toolu_{}", ask.turn), "name": "Bash", "input": { "command": "cargo test" } },
        ] },
        { "role": "user", "content": [{
            "type": "tool_result", "tool_use_id": format!("toolu_{}", ask.turn), "content": result,
            "cache_control": { "type": "ephemeral" },
        }] },
    ]);
    let tools =
        serde_json::json!([tool("Bash", "command"), tool("Read", "file_path"), tool("Edit", "file_path")]);
    let system = serde_json::json!([{
        "type": "text", "text": filler(ask.bytes), "cache_control": { "type": "ephemeral" },
    }]);
    let rest = if ask.path.contains("count_tokens") {
        String::new()
    } else {
        format!(
            r#","metadata":{},"max_tokens":32000,"stream":{}"#,
            serde_json::json!({ "user_id": user }),
            ask.stream
        )
    };
    // Written by hand where order matters: clients send the model first.
    format!(r#"{{"model":"{}","messages":{messages},"system":{system},"tools":{tools}{rest}}}"#, ask.model)
}

fn tool(name: &str, argument: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "description": format!("Runs {name} in the user's project."),
        "input_schema": { "type": "object", "properties": { argument: { "type": "string" } }, "required": [argument] },
    })
}

fn filler(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    for line in 1.. {
        if text.len() >= bytes {
            break;
        }
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{line}. Read what is there before adding to it, and say why.");
    }
    text
}

impl Dice {
    /// A number below `most`, which is above 0. `SplitMix64` (Steele, Lea, Flood 2014).
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        clock::Clock,
        sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount},
    };

    fn asks(count: u64) -> Vec<Ask> {
        let mut dice = Dice(1);
        (0..count).map(|turn| next(&mut dice, turn)).collect()
    }

    #[test]
    fn every_kind_of_request_comes_up_within_a_minute() {
        let asks = asks(90);
        let models: BTreeSet<_> = asks.iter().map(|ask| ask.model).collect();
        assert_eq!(models.len(), 3, "{models:?}");
        assert!(asks.iter().any(|ask| ask.path.contains("count_tokens")));
        assert!(asks.iter().any(|ask| ask.agent.is_some()));
        assert!(asks.iter().any(|ask| !ask.stream && !ask.path.contains("count_tokens")));
        assert!(asks.iter().filter(|ask| ask.stream).count() > 60, "most are streams");
        let sessions: BTreeSet<_> = asks.iter().map(|ask| ask.session).collect();
        assert_eq!(sessions.len(), SESSIONS.len());
    }

    #[test]
    fn every_body_is_json_of_its_size() {
        for ask in asks(50) {
            let body = body(&ask);
            let read: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(read["model"], ask.model);
            assert!((ask.bytes..ask.bytes + 4_000).contains(&body.len()), "{} of {}", body.len(), ask.bytes);
        }
    }

    #[test]
    fn only_plain_http_with_a_host_is_a_target() {
        for wrong in ["", "127.0.0.1:1", "https://127.0.0.1:1", "/v1"] {
            assert!(Traffic::to(wrong, "").is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn the_trickle_says_what_it_is_and_ends_with_the_tasks() {
        let (tasks, clock) = (Tasks::default(), Clock::system());
        let scenario = Scenario::of([ScriptedAccount::new("One", "demo-key")]);
        let sandbox = Sandbox::start(&scenario, &clock, &tasks).await.unwrap();
        let held = Behaviour::SlowHead { gate: "held".into(), answer: Answer::default() };
        sandbox.script("demo-key", vec![held; 9]).unwrap();
        tasks.spawn(Traffic::to(sandbox.base_url(), "demo-key").unwrap().run(tasks.clone()));
        let arrivals = sandbox.await_requests(1).await.unwrap();
        assert!(arrivals[0].headers["user-agent"].to_str().unwrap().starts_with("headgate-demo/"));
        tasks.stop();
        tasks.ended().await;
    }
}
