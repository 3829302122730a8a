//! Signing in by the command line, as processes: over SSH by a code, with the secrets in a sealed file, and with
//! everything that is ever written searched for what nobody may read.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

use headgate::{
    clock::Clock,
    sandbox::authority::{Authority, CLIENT, Desk, House as Setup, Mischief},
    tasks::Tasks,
};
use serde_json::Value;
use url::Url;

use crate::{
    harness::{Client, Program, holds},
    terminal::at_a_terminal,
};

/// An upstream that is not there: nothing is asked of it but its models.
const NOBODY: &str = "http://127.0.0.1:9";

pub struct Place {
    pub program: Program,
    pub authority: Authority,
    pub tasks: Tasks,
}

/// A command that waits for somebody to sign in.
pub struct Waiting {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
    heard: String,
}

impl Place {
    pub async fn new() -> Self {
        let (clock, tasks) = (Clock::system(), Tasks::default());
        let authority = Authority::start(Setup::default(), &clock, &tasks).await.unwrap();
        Self { program: Program::new(), authority, tasks }
    }

    /// `accounts sign-in` at the authorisation server of this place.
    fn sign_in(&self, name: &str, more: &[&str]) -> Waiting {
        let arguments = [
            "accounts",
            "sign-in",
            name,
            "--with",
            "oidc",
            "--provider",
            "anthropic",
            "--base-url",
            NOBODY,
            "--issuer",
            self.authority.base_url(),
            "--client-id",
            CLIENT,
        ];
        Waiting::on(self.program.command(&[&arguments, more].concat()))
    }

    /// Opens the address as a browser does, and says where it is sent.
    pub async fn browse(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let reply =
            Client::to(self.authority.base_url(), &self.tasks).get(&url[url::Position::BeforePath..]).await;
        reply.headers["location"].to_str().unwrap().to_owned()
    }

    /// The secrets that nobody may read, wherever they were written to.
    pub fn is_clean(&self) {
        let secrets = self.authority.secrets();
        assert!(!secrets.is_empty());
        for secret in secrets {
            assert!(!holds(self.program.folder.path(), &secret), "{secret} was written down");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Waiting {
    /// Starts it as over a wire, without a screen of its own.
    pub fn on(mut command: Command) -> Self {
        for name in ["SSH_CONNECTION", "SSH_TTY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said, heard: String::new() }
    }

    /// The next line that begins so.
    pub fn line(&mut self, begins: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended after {}", self.heard);
            self.heard += &line;
            if line.starts_with(begins) {
                return line.trim().to_owned();
            }
        }
    }

    pub fn type_in(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
    }

    /// Waits for its end: whether it was done, and all that it said.
    pub fn end(mut self) -> (bool, String) {
        drop(self.child.stdin.take());
        self.said.read_to_string(&mut self.heard).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (output.status.success(), self.heard + &String::from_utf8_lossy(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_pasted_signs_in_without_a_screen_and_outlives_the_process() {
    let place = Place::new().await;
    let mut waiting = place.sign_in("work", &["--paste"]);
    let url = waiting.line("http");
    waiting.type_in(&place.browse(&url).await);
    let (is_done, said) = waiting.end();
    assert!(is_done && said.contains("Signed in: work"), "{said}");
    let accounts = place.program.json(&["accounts"]);
    assert_eq!(accounts[0]["sign_in"]["with"], "oidc", "{accounts}");
    assert_eq!(accounts[0]["sign_in"]["renews"], true, "another process reads it from the vault");
    assert_eq!(accounts[0]["standing"]["state"], "ready");
    place.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_a_code_is_entered_on_another_device() {
    let place = Place::new().await;
    place.authority.script(Desk::Poll, [Mischief::Hold("asked".into())]);
    let command = place.sign_in("work", &[]);
    let mut waiting = command;
    let line = waiting.line("Open ");
    let code = line.rsplit(' ').next().unwrap();
    assert!(place.authority.await_held("asked").await);
    assert!(place.authority.answer_device(code, true), "{line}");
    place.authority.release("asked");
    let (is_done, said) = waiting.end();
    assert!(is_done && said.contains("Signed in: work"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_secret_comes_by_standard_input_and_goes_where_tokens_are_asked_for_alone() {
    const SECRET: &str = "canary-client-secret";
    let place = Place::new().await;
    place.authority.furnish(|house| house.client_secret = Some(SECRET.into()));
    let mut waiting = place.sign_in("work", &["--paste", "--client-secret-stdin"]);
    waiting.type_in(SECRET);
    let url = waiting.line("http");
    assert!(!url.contains(SECRET), "{url}");
    waiting.type_in(&place.browse(&url).await);
    let (is_done, said) = waiting.end();
    assert!(is_done && !said.contains(SECRET), "{said}");
    assert!(!holds(place.program.folder.path(), SECRET), "it lies sealed");
    // Whoever renews it in another process shows it again.
    let id = place.program.json(&["accounts"])[0]["id"].to_string();
    let renewed = place.program.run(&["accounts", "renew", &id]);
    assert!(renewed.status.success(), "{renewed:?}");
    assert_eq!(place.authority.count(Desk::Refresh), 1);
    let (is_done, said) = place.sign_in("other", &["--paste", "--client-secret-stdin"]).end();
    assert!(!is_done && said.contains("no client's secret came by standard input"), "{said}");
    place.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_wrong_or_missing_ends_the_command_with_a_sentence() {
    let place = Place::new().await;
    let mut waiting = place.sign_in("work", &["--paste"]);
    waiting.line("http");
    waiting.type_in("https://example.com/nothing");
    let (is_done, said) = waiting.end();
    assert!(!is_done && said.contains("there is no code in it"), "{said}");
    let (is_done, said) = place.sign_in("work", &["--paste"]).end();
    assert!(!is_done && said.contains("no code came by standard input"), "{said}");
    let output = place.program.run(&[
        "accounts",
        "sign-in",
        "work",
        "--provider",
        "anthropic-compatible",
        "--base-url",
        "http://127.0.0.1:9",
        "--with",
        "google",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("console.cloud.google.com"), "it says where to get a client: {said}");
    assert_eq!(place.program.json(&["accounts"]), Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slip_at_a_terminal_ended_the_sign_in() {
    let place = Place::new().await;
    let line = format!(
        "exec \"$HEADGATE\" accounts sign-in work --paste --with oidc --provider anthropic --base-url {NOBODY} --issuer {} \
         --client-id {CLIENT}",
        place.authority.base_url()
    );
    let mut waiting = Waiting::on(at_a_terminal(&place.program, &line));
    let url = waiting.line("http");
    let back = place.browse(&url).await;
    for slip in ["", "yes", &back[..back.len() - 4], &back] {
        waiting.type_in(slip);
    }
    let (is_done, said) = waiting.end();
    assert!(is_done && said.contains("Signed in: work"), "{said}");
    for why in ["Nothing was pasted", "that is no code", "cut short"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    assert_eq!(place.authority.count(Desk::Code), 1, "its provider was shown one code");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_sign_in_is_written_down_however_much_is_logged() {
    let place = Place::new().await;
    let mut serve = place.program.command(&["serve", "--port", "0"]);
    serve.env("HEADGATE_LOG", "trace");
    let served = place.program.serve_as(serve);
    let mut told = String::new();

    // One that fails, one by a port of this machine, one that is pasted, and one that is asked for twice.
    place.authority.script(Desk::Code, [Mischief::Refuse("invalid_grant".into())]);
    let mut failing = place.sign_in("work", &["--paste"]);
    let url = failing.line("http");
    failing.type_in(&place.browse(&url).await);
    let (is_done, said) = failing.end();
    assert!(!is_done && said.contains("expired, used or withdrawn"), "{said}");
    told += &said.replace(&url, "");

    let arguments = [
        "accounts",
        "sign-in",
        "here",
        "--with",
        "oidc",
        "--provider",
        "anthropic",
        "--base-url",
        NOBODY,
        "--no-open",
        "--issuer",
        place.authority.base_url(),
        "--client-id",
        CLIENT,
    ];
    let mut command = place.program.command(&arguments);
    command.env("DISPLAY", ":9");
    let mut here = Waiting::on(command);
    let url = here.line("http");
    let back = Url::parse(&place.browse(&url).await).unwrap();
    let browser = Client::to(&format!("127.0.0.1:{}", back.port().unwrap()), &place.tasks);
    told += &browser.get(&back[url::Position::BeforePath..]).await.text().await;
    let (is_done, said) = here.end();
    assert!(is_done, "{said}");
    told += &said.replace(&url, "");

    let mut pasted = place.sign_in("there", &["--paste", "--json"]);
    let url = pasted.line("  \"url\": ");
    let url = url.trim_start_matches("\"url\": \"").trim_end_matches("\",").to_owned();
    pasted.type_in(&place.browse(&url).await);
    let (is_done, said) = pasted.end();
    assert!(is_done, "{said}");
    told += &said.replace(&url, "");

    place.program.json(&["accounts"]);
    let removed = place.program.run(&["accounts", "remove", "here", "--yes"]);
    let said = String::from_utf8(removed.stdout).unwrap();
    assert!(said.starts_with("Removed here and its sign-in from the sealed file."), "{said}");
    assert!(place.authority.await_asked(Desk::Revoke, 1).await);
    assert!(served.stop().success());

    assert!(place.program.log().contains("TRACE"), "it logged all that it can");
    place.is_clean();
    for secret in place.authority.secrets() {
        assert!(!told.contains(&secret), "{secret} was told: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_waited_without_a_core_kept_everybody_out_and_did_not_say_who_it_was() {
    let place = Place::new().await;
    let mut waiting = place.sign_in("work", &["--paste"]);
    let url = waiting.line("http");
    let pid = format!("(pid {})", waiting.child.id());
    for command in [&["serve", "--port", "0"] as &[_], &["status"], &["jobs"], &["vault"], &["accounts"]] {
        let refused = place.program.run(command);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(4), "{command:?}: {said}");
        assert!(said.contains("accounts sign-in is waiting") && said.contains(&pid), "{command:?}: {said}");
    }
    waiting.type_in(&place.browse(&url).await);
    assert!(waiting.end().0);
    assert!(place.program.run(&["status"]).status.success(), "and afterwards nobody is kept out");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_whose_terminal_was_closed_stayed_open() {
    let place = Place::new().await;
    let served = place.program.serve();
    let written = std::fs::read(place.program.folder.path().join("core.json")).unwrap();
    let token = serde_json::from_slice::<Value>(&written).unwrap()["token"].as_str().unwrap().to_owned();
    let api = Client::to(&served.url, &place.tasks);
    for signal in ["-HUP", "-TERM", "-INT"] {
        let mut waiting = place.sign_in("work", &["--device"]);
        waiting.line("Waiting");
        let pid = waiting.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let (is_done, said) = waiting.end();
        assert!(!is_done && said.contains("was called off"), "{signal}: {said}");
        let all = api.call(&token, http::Method::GET, "/api/v1/sign-ins", "").await.json().await;
        let last = all.as_array().unwrap().last().unwrap();
        assert_eq!(last["state"], "cancelled", "{signal}: {all}");
    }
    assert!(served.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_for_a_paste_hears_that_its_headgate_has_ended() {
    let place = Place::new().await;
    let served = place.program.serve();
    let mut waiting = place.sign_in("work", &["--paste"]);
    waiting.line("http");
    served.kill();
    // It ends by itself: nothing is typed, and its standard input stays open.
    waiting.said.read_to_string(&mut waiting.heard).unwrap();
    let (is_done, said) = waiting.end();
    assert!(!is_done && said.contains("start Headgate, and sign in again"), "{said}");
}

#[test]
fn an_unknown_way_to_sign_in_is_called_that_and_the_known_ones_are_listed() {
    let refused = Program::new().run(&["accounts", "sign-in", "work", "--with", "open-router"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(
        said.contains("\"open-router\"") && said.contains("google") && said.contains("openrouter"),
        "{said}"
    );
    assert!(!said.contains("--provider"), "nobody is asked for what its definition would say: {said}");
}
