//! What is left of a program that knew secrets and crashed: nothing that anybody could read them from. First of its
//! memory, then of a whole life of a sign-in, with everything that it wrote and said.

use std::{
    fs::{self, metadata},
    io::{BufRead, BufReader, Write},
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use headgate::{
    clock::Clock,
    sandbox::{Sandbox, Scenario, ScriptedAccount, authority::Desk},
};
use http::Method;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::Value;
use url::Url;

use crate::{
    harness::{Client, Program, ask, holds, soon},
    sign_ins::by_program::{Place, Waiting},
};

const KEY: &str = "canary-key-that-a-core-would-hold";
/// As much as the system allows.
const CORES: &str = "ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -H -c)\"";

/// What takes root's privileges away, where we are root, so that what its programs may do is what anybody's may.
fn as_anybody() -> &'static str {
    let is_root = metadata("/proc/self").unwrap().uid() == 0;
    if is_root { "exec setpriv --inh-caps=-all --bounding-set=-all" } else { "exec" }
}

/// A program that has no privileges.
fn plain(program: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{} \"$0\" \"$@\"", as_anybody())).args(program).stdin(Stdio::null());
    shell
}

/// Whether another program of this user may look into a process that has no privileges either.
fn is_open_to_others(process: u32) -> bool {
    let looked = plain(&["cat", &format!("/proc/{process}/environ")]).output().unwrap();
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(looked.status.success() || said.contains("ermission denied"), "it could not even look: {said}");
    looked.status.success()
}

/// A process of no meaning.
struct Idler(Child);

impl Idler {
    /// One that has begun: it has given a line back.
    fn start() -> Self {
        let mut cat = plain(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        cat.stdin.as_mut().unwrap().write_all(b"here\n").unwrap();
        let mut line = String::new();
        BufReader::new(cat.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        Self(cat)
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this system writes a core at all, and whoever crashes finds his in a folder.
fn a_crash_leaves_a_core(folder: &Path) -> bool {
    let mut crashing = Command::new("sh");
    crashing.arg("-c").arg(format!("{CORES}; kill -ABRT $$")).current_dir(folder);
    crashing.status().unwrap().core_dumped()
}

#[test]
fn a_core_of_serve_held_access_tokens_in_clear() {
    let elsewhere = tempfile::tempdir().unwrap();
    let idler = Idler::start();
    assert!(is_open_to_others(idler.0.id()), "or this test would find nothing anywhere");
    let program = Program::new();
    assert!(program.add("work", "http://127.0.0.1:9", KEY, &[]).status.success());
    let served = program.serve_as(program.after(&format!("{CORES}; {}", as_anybody())));
    assert!(!is_open_to_others(served.id()), "another program could read its memory");

    let ended = served.crash();

    assert_eq!(ended.signal(), Some(6), "{ended:?}");
    assert!(!ended.core_dumped(), "its memory went to a core, or to whoever collects them");
    assert!(!holds(program.folder.path(), KEY));
    // Where the system keeps cores of nobody, what was looked at above is what counts.
    if a_crash_leaves_a_core(elsewhere.path()) {
        let cores = |folder: &Path| {
            let names = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name());
            names.filter(|name| name.to_string_lossy().starts_with("core.") || name == "core").count()
        };
        let known = ["core.json", "core.lock"].map(|name| program.folder.path().join(name).exists());
        let own = known.iter().filter(|exists| **exists).count();
        assert_eq!(cores(program.folder.path()), own, "nothing but Headgate's own files is called so");
    }
}

/// Everything that a database has in its tables, as text.
fn dump(file: &Path) -> String {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = database.prepare("SELECT name, coalesce(sql, '') FROM sqlite_master").unwrap();
    let named = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let mut text = String::new();
    for (name, sql) in named.unwrap().map(Result::unwrap) {
        text += &format!("{sql};\n");
        if !sql.starts_with("CREATE TABLE") {
            continue;
        }
        let mut rows = database.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                text += &match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
                    other => format!("{other:?}"),
                };
                text.push('|');
            }
            text.push('\n');
        }
    }
    text
}

/// The answer to every GET that the contract has, about this account wherever one is named.
async fn everything_there_is_to_get(client: &Client, token: &str, account: &str, request: &str) -> String {
    let contract: Value = serde_json::from_str(&headgate::api::document()).unwrap();
    let mut told = String::new();
    let mut asked = 0;
    for (path, acts) in contract["paths"].as_object().unwrap() {
        // Events never end; they are listened to from the beginning.
        if acts.get("get").is_none() || path.ends_with("/events") {
            continue;
        }
        let id = if path.contains("/requests/") { request } else { account };
        let mut parts = path.split('/').map(|part| if part.starts_with('{') { id } else { part });
        let first = parts.next().unwrap().to_owned();
        let path = parts.fold(first, |path, part| path + "/" + part);
        let reply = client.call(token, Method::GET, &path, "").await;
        told += &format!("{path} {}\n", reply.status);
        told += &reply.text().await;
        asked += 1;
    }
    assert!(asked > 15, "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_whole_life_of_a_sign_in_can_be_read_anywhere_when_it_has_crashed() {
    let place = Place::new().await;
    let known = (1..=20).map(|n| format!("canary-access-{n}"));
    let known = known.map(|token| ScriptedAccount::new(&token, &token));
    let upstream = Sandbox::start(&Scenario::of(known), &Clock::system(), &place.tasks).await.unwrap();
    let mut serve = place.program.after(&format!("{CORES}; exec"));
    serve.env("HEADGATE_LOG", "trace");
    let served = place.program.serve_as(serve);
    let written = fs::read(place.program.folder.path().join("core.json")).unwrap();
    let token = serde_json::from_slice::<Value>(&written).unwrap()["token"].as_str().unwrap().to_owned();
    let client = Client::to(&served.url, &place.tasks);
    let mut events = client.call(&token, Method::GET, "/api/v1/events", "").await;
    let mut told = String::new();

    // A person signs in with a browser of this machine.
    let issuer = place.authority.base_url();
    let arguments = [
        ["accounts", "sign-in", "life", "--no-open"].as_slice(),
        &["--with", "oidc", "--provider", "anthropic", "--base-url", upstream.base_url()],
        &["--issuer", issuer, "--client-id", headgate::sandbox::authority::CLIENT],
    ];
    let mut command = place.program.command(&arguments.concat());
    command.env("DISPLAY", ":9");
    let mut waiting = Waiting::on(command);
    let url = waiting.line("http");
    let back = Url::parse(&place.browse(&url).await).unwrap();
    let browser = Client::to(&format!("127.0.0.1:{}", back.port().unwrap()), &place.tasks);
    told += &browser.get(&back[url::Position::BeforePath..]).await.text().await;
    let (is_done, said) = waiting.end();
    assert!(is_done, "{said}");
    told += &said.replace(&url, "");

    // It serves, it is renewed, it serves again, and then its provider wants no more of it.
    let account = place.program.json(&["accounts"])[0]["id"].to_string();
    let renew = format!("/api/v1/accounts/{account}/renew");
    let asks = async || client.post("/v1/messages", ask("claude-opus-5-5", false)).await;
    let reply = asks().await;
    assert_eq!(reply.status, 200);
    told += &reply.text().await;
    let renewed = client.call(&token, Method::POST, &renew, "").await;
    assert_eq!(renewed.status, 200);
    told += &asks().await.text().await;
    assert_eq!(place.authority.count(Desk::Refresh), 1);
    place.authority.withdraw_all();
    let refused = client.call(&token, Method::POST, &renew, "").await;
    assert!(!refused.status.is_success());
    told += &refused.text().await;
    assert_eq!(place.authority.count(Desk::Refresh), 2);

    for command in [&["accounts", "--json"] as &[_], &["accounts"], &["status"], &["vault"], &["jobs"]] {
        let output = place.program.run(command);
        told += &(String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr));
    }
    let request = place.program.json(&["requests"])[0]["id"].to_string();
    told += &everything_there_is_to_get(&client, &token, &account, request.trim_matches('"')).await;
    assert!(told.contains("needs_sign_in"), "{told}");

    let ended = served.crash();

    assert!(!ended.core_dumped());
    soon("the events to break off", async {
        while let Some(Ok(piece)) = events.piece().await {
            told += &String::from_utf8_lossy(&piece);
        }
    })
    .await;
    assert!(place.program.log().contains("TRACE"), "it logged all that it can");
    place.is_clean();
    // What is in the file is packed in pages; here it is as a person would look at it.
    told += &dump(&place.program.database());
    for secret in place.authority.secrets() {
        assert!(!told.contains(&secret), "{secret} can be read: {told}");
    }
}
