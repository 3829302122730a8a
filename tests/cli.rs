//! The program as its user meets it: separate processes, one data folder, exit codes that mean something.

use headgate::{
    clock::Clock,
    sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount},
    tasks::Tasks,
};
use http::StatusCode;

use crate::harness::{Client, Program, ask, holds, soon};

async fn upstream() -> (Sandbox, Tasks) {
    let tasks = Tasks::default();
    let scenario = Scenario::of([
        ScriptedAccount::new("work", "sk-canary-work"),
        ScriptedAccount::new("spare", "sk-canary-spare"),
    ]);
    (Sandbox::start(&scenario, &Clock::system(), &tasks).await.unwrap(), tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_added_whether_the_server_runs_or_not() {
    let (sandbox, tasks) = upstream().await;
    let program = Program::new();
    assert!(
        program.add("work", sandbox.base_url(), "sk-canary-work\n", &[]).status.success(),
        "before it runs"
    );
    let served = program.serve();
    assert!(
        program.add("spare", sandbox.base_url(), "sk-canary-spare", &["--priority", "-1"]).status.success(),
        "while it runs"
    );
    let accounts = program.json(&["accounts"]);
    assert_eq!((&accounts[0]["name"], &accounts[1]["name"]), (&"work".into(), &"spare".into()));
    assert_eq!(accounts[1]["standing"]["state"], "ready");

    let reply = Client::to(&served.url, &tasks).post("/v1/messages", ask("claude-opus-5-5", true)).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    let seen = sandbox.seen("sk-canary-spare");
    let messages = seen.iter().filter(|arrival| arrival.path.starts_with("/v1/messages"));
    assert_eq!(messages.count(), 1, "the lower number goes first");
    assert!(served.stop().success());

    let requests = program.json(&["requests", "--limit", "1"]);
    let request = &requests[0];
    for field in [
        "id",
        "started_at",
        "ending",
        "status",
        "model",
        "account",
        "attempts",
        "usage",
        "duration_ms",
        "first_byte_ms",
    ] {
        assert!(!request[field].is_null(), "{field} is missing in {request}");
    }
    assert_eq!((&request["ending"], &request["account"]), (&"complete".into(), &"spare".into()));
    assert_eq!(request["attempts"][0]["verdict"], "fine");
    assert!(request["usage"]["output"].is_u64());
    tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_in_no_file_but_the_sealed_one_and_in_no_output() {
    let (sandbox, tasks) = upstream().await;
    let program = Program::new();
    let added = program.add("work", sandbox.base_url(), "sk-canary-work", &["--json"]);
    let served = program.serve();
    Client::to(&served.url, &tasks).post("/v1/messages", ask("m", false)).await.bytes().await;
    sandbox.script("sk-canary-work", [Behaviour::CredentialRefused]).unwrap();
    Client::to(&served.url, &tasks).post("/v1/messages", ask("m", false)).await.bytes().await;
    let listed = program.run(&["accounts"]);
    assert!(served.stop().success());
    let told = format!("{added:?} {listed:?} {}", program.log());
    assert!(!told.contains("canary"), "{told}");
    assert!(
        !holds(program.folder.path(), "sk-canary-work"),
        "not in the database, not in a log, not in the sealed file as text"
    );
    tasks.stop();
}

#[test]
fn the_key_comes_from_standard_input_alone() {
    let program = Program::new();
    let given = program.run(&["accounts", "add", "work", "--provider", "anthropic", "--key", "sk-1"]);
    assert_eq!(given.status.code(), Some(2), "there is no such flag");
    let empty = program.run(&["accounts", "add", "work", "--provider", "anthropic", "--key-stdin"]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("no key"), "{empty:?}");
}

#[test]
fn neither_id_nor_address_was_shown_of_accounts_that_messages_name_by_them() {
    let program = Program::new();
    program.json(&["accounts", "add", "passes", "--provider", "claude-login"]);
    program.add("gateway", "https://gateway.example.com", "sk-1", &[]);
    for wide in [&["accounts", "--wide"][..], &["accounts", "list", "--wide"]] {
        let listed = String::from_utf8(program.run(wide).stdout).unwrap();
        let shown: Vec<Vec<&str>> =
            listed.lines().map(|line| line.split_whitespace().take(4).collect()).collect();
        assert_eq!(shown[0], ["ID", "NAME", "PROVIDER", "ADDRESS"]);
        assert!(
            shown.contains(&vec!["1", "passes", "claude-login", "https://api.anthropic.com/"]),
            "{listed}"
        );
        assert!(
            shown.contains(&vec!["2", "gateway", "anthropic", "https://gateway.example.com/"]),
            "{listed}"
        );
    }
    let narrow = String::from_utf8(program.run(&["accounts"]).stdout).unwrap();
    assert!(!narrow.contains("ADDRESS"), "{narrow}");
}

#[test]
fn how_an_account_is_paid_is_listed_and_whether_a_person_said_so() {
    let program = Program::new();
    program.add("work", "https://gateway.example.com", "sk-1", &[]);
    let paid = || {
        let listed = String::from_utf8(program.run(&["accounts", "--wide"]).stdout).unwrap();
        let mut lines = listed.lines();
        let heading = lines.next().unwrap();
        let at = |name: &str| {
            heading.chars().count() - heading.split_once(name).unwrap().1.chars().count() - name.len()
        };
        let (from, to) = (at("PAID"), at("POOL"));
        lines.next().unwrap().chars().skip(from).take(to - from).collect::<String>().trim().to_owned()
    };
    let by_itself = program.json(&["accounts"])[0]["paid"].as_str().unwrap_or("–").to_owned();
    assert_eq!(paid(), by_itself);
    program.json(&["accounts", "set", "work", "--paid", "plan"]);
    assert_eq!(paid(), "plan, said");
    program.json(&["accounts", "set", "work", "--paid", "auto"]);
    assert_eq!(paid(), by_itself);
}

#[test]
fn an_address_of_ours_is_no_upstream_whether_the_server_runs_or_not() {
    let program = Program::new();
    let refused = |address: &str| {
        let refused = program.add("itself", address, "sk-1", &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{address}: {said}");
        assert!(said.contains("Headgate's own address"), "{said}");
    };
    refused("http://localhost:8417");
    let served = program.serve();
    refused(&served.url);
    assert!(served.stop().success());
}

#[test]
fn each_mistake_has_its_exit_code_and_its_sentence() {
    let program = Program::new();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["serve", "--no-such-flag"], 2, "unexpected argument"),
        (&["no-such-command"], 2, "unrecognized subcommand"),
        (&["accounts", "pause", "nobody"], 3, "there is no account \"nobody\""),
        (&["requests", "req_0000000000001"], 3, "no such request"),
        (&["requests", "req_xx"], 3, "req_"),
        (&["requests", "nonsense"], 3, "req_"),
        (&["explain", "req_xx"], 3, "req_"),
        (&["pause"], 1, "not running"),
        (&["requests", "--limit", "0"], 2, "0 is not in"),
    ];
    for (arguments, code, words) in cases {
        let output = program.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_taken_port_names_who_has_it() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let output = Program::new().run(&["serve", "--port", &port]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
    #[cfg(target_os = "linux")]
    assert!(said.contains(&std::process::id().to_string()), "it names this process: {said}");
}

#[test]
fn two_cores_never_share_a_folder() {
    let program = Program::new();
    let served = program.serve();
    let second = program.run(&["serve", "--port", "0"]);
    assert_eq!(second.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another Headgate is using"), "{second:?}");
    assert_eq!(
        program.json(&["status"])["status"]["address"],
        served.url,
        "other commands act through the first"
    );
    assert!(served.stop().success());
    assert!(program.json(&["status"])["status"]["address"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn s23_what_was_running_at_a_kill_is_interrupted_and_the_rest_is_kept() {
    let (sandbox, tasks) = upstream().await;
    let program = Program::new();
    program.add("work", sandbox.base_url(), "sk-canary-work", &[]);
    let served = program.serve();
    let client = Client::to(&served.url, &tasks);
    client.post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    sandbox.script("sk-canary-work", [Behaviour::Stall { after: 3, answer: Answer::default() }]).unwrap();
    let mut running = client.post("/v1/messages", ask("claude-opus-5-5", true)).await;
    running.piece().await.unwrap().unwrap();
    let both_written = async {
        while program.json(&["requests"]).as_array().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    soon("both requests to be on disk", both_written).await;
    served.kill();
    let requests = program.json(&["requests"]);
    assert_eq!((&requests[0]["ending"], &requests[1]["ending"]), (&"interrupted".into(), &"complete".into()));
    assert!(program.serve().stop().success(), "it starts again");
    tasks.stop();
}

#[test]
fn a_database_from_a_newer_version_is_refused_untouched() {
    let program = Program::new();
    program.json(&["accounts"]);
    let connection = rusqlite::Connection::open(program.database()).unwrap();
    connection.pragma_update(None, "user_version", 9999).unwrap();
    drop(connection);
    let before = std::fs::read(program.database()).unwrap();
    for arguments in [&["serve", "--port", "0"][..], &["serve", "--port", "0", "--repair"], &["accounts"]] {
        let output = program.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("newer Headgate"), "{said}");
    }
    assert_eq!(std::fs::read(program.database()).unwrap(), before);
}

#[test]
fn a_corrupt_database_is_moved_aside_only_when_asked() {
    let program = Program::new();
    let rubbish = vec![0x5a; 8192];
    std::fs::write(program.database(), &rubbish).unwrap();
    let refused = program.run(&["accounts"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--repair"), "{refused:?}");
    assert_eq!(std::fs::read(program.database()).unwrap(), rubbish, "untouched");

    let served =
        program.command(&["serve", "--port", "0", "--repair"]).stdout(std::process::Stdio::piped()).spawn();
    let mut served = served.unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(served.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    served.kill().unwrap();
    served.wait().unwrap();
    let kept = std::fs::read_dir(program.folder.path()).unwrap().flatten();
    assert!(
        kept.into_iter().any(|entry| std::fs::read(entry.path()).is_ok_and(|bytes| bytes == rubbish)),
        "every byte is kept"
    );
}

#[test]
fn env_prints_what_a_shell_needs() {
    let program = Program::new();
    let output = program.run(&["env", "--shell", "posix"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "export ANTHROPIC_BASE_URL=http://127.0.0.1:8417\nexport CLAUDE_CODE_GATEWAY_HINT_HEADERS=1\n\
         export ANTHROPIC_AUTH_TOKEN=headgate\n"
    );
    let served = program.serve();
    assert_eq!(program.json(&["env"])["ANTHROPIC_BASE_URL"], served.url);
}

#[test]
fn env_leaves_a_real_key_alone_and_says_where_one_is_missing() {
    let program = Program::new();
    let env = |own: Option<&str>, required: Option<&str>| {
        let mut command = program.command(&["env", "--shell", "posix"]);
        command.env_remove("ANTHROPIC_AUTH_TOKEN").env_remove("HEADGATE_REQUIRE_KEY");
        command.envs(own.map(|key| ("ANTHROPIC_AUTH_TOKEN", key)));
        command.envs(required.map(|word| ("HEADGATE_REQUIRE_KEY", word)));
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout).contains("AUTH_TOKEN"), text(output.stderr))
    };
    assert_eq!(env(None, None), (true, String::new()));
    assert_eq!(env(Some("sk-old"), None), (true, String::new()), "another program's token is replaced");
    assert_eq!(env(Some("hg_own"), None), (false, String::new()));
    assert_eq!(env(Some("hg_own"), Some("true")), (false, String::new()));
    let (is_set, said) = env(Some("sk-old"), Some("true"));
    assert!(!is_set && said.contains("headgate keys add") && said.contains("ANTHROPIC_AUTH_TOKEN"), "{said}");

    let mut command = program.command(&["serve", "--port", "0"]);
    command.env("HEADGATE_REQUIRE_KEY", "true");
    let served = program.serve_as(command);
    let (is_set, said) = env(None, None);
    assert!(!is_set && said.contains("headgate keys add"), "what runs is asked, not this shell: {said}");
    assert_eq!(program.json(&["status"])["status"]["needs_key"], true);
    assert!(served.stop().success());
}

#[test]
fn a_mistake_in_the_settings_is_named() {
    let program = Program::new();
    std::fs::write(program.folder.path().join("settings.toml"), "prot = 1").unwrap();
    let output = program.run(&["status"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("settings.toml"), "{output:?}");
}

#[test]
fn a_typing_error_in_the_settings_takes_no_command_away_from_a_running_core() {
    let program = Program::new();
    let served = program.serve();
    std::fs::write(program.folder.path().join("settings.toml"), "prot = 1").unwrap();
    let told = program.run(&["status"]);
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(
        told.status.success() && String::from_utf8_lossy(&told.stdout).contains("Listening on"),
        "{said}"
    );
    assert!(said.contains("settings.toml has a mistake in it") && said.contains("goes on"), "{said}");
    assert!(served.stop().success());
    assert_eq!(program.run(&["status"]).status.code(), Some(4), "where none runs, the file is read");
}

#[cfg(target_os = "linux")]
#[test]
fn what_could_not_be_written_to_standard_output_is_a_failure() {
    let program = Program::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program.command(&["keys"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"), "{output:?}");
}

#[test]
fn an_absent_keychain_is_said_and_never_replaced_by_what_was_not_chosen() {
    let program = Program::new();
    let without_bus = |vault: Option<&str>| {
        let mut command = program.command(&["status", "--json"]);
        command.env_remove("HEADGATE_VAULT").env_remove("DISPLAY");
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.env("XDG_RUNTIME_DIR", program.folder.path());
        if let Some(vault) = vault {
            command.env("HEADGATE_VAULT", vault);
        }
        command.output().unwrap()
    };
    let chosen = without_bus(Some("keychain"));
    let said = String::from_utf8_lossy(&chosen.stderr).into_owned();
    assert_eq!(chosen.status.code(), Some(4), "{said}");
    assert!(said.contains("no keychain service") && said.contains("HEADGATE_VAULT=file"), "{said}");
    assert!(said.contains("Headgate is not running"), "which nobody said: {said}");

    let unchosen = without_bus(None);
    let status: serde_json::Value = serde_json::from_slice(&unchosen.stdout).unwrap();
    assert_eq!(
        status["status"]["vault"], "file",
        "where there is none at all, a sealed file, and the status says so"
    );
}

#[test]
fn a_reader_that_leaves_is_no_reason_to_panic() {
    let program = Program::new();
    for arguments in [
        &["requests", "--json"][..],
        &["accounts"],
        &["status"],
        &["openapi"],
        &["completions", "bash"],
        &["env"],
    ] {
        let mut command = program.command(arguments);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{arguments:?}: {output:?}");
        assert!(output.status.success(), "{arguments:?}");
    }
}
#[tokio::test(flavor = "multi_thread")]
async fn commands_at_the_same_time_wait_for_each_other() {
    let program = Program::new();
    program.json(&["accounts"]);
    let spawn = |_| {
        let mut command = program.command(&["accounts", "--json"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..6).map(spawn).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_an_upstream_says_steers_the_terminal() {
    let (sandbox, tasks) = upstream().await;
    let program = Program::new();
    program.add("work", sandbox.base_url(), "sk-canary-work", &[]);
    let message = "\u{1b}]0;owned\u{7}\u{1b}[2J".into();
    let behaviour = Behaviour::Error { status: StatusCode::BAD_REQUEST, message, body: None };
    sandbox.script("sk-canary-work", [behaviour]).unwrap();
    let served = program.serve();
    Client::to(&served.url, &tasks).post("/v1/messages", ask("m", false)).await.bytes().await;
    served.stop();
    let id = program.json(&["requests"])[0]["id"].as_str().unwrap().to_owned();
    let shown = program.run(&["requests", &id]).stdout;
    assert!(!shown.contains(&0x1b), "{}", String::from_utf8_lossy(&shown).escape_debug());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_headgate_wrote_itself_is_not_called_identical() {
    let tasks = headgate::tasks::Tasks::default();
    let program = Program::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(program.add("work", &format!("http://{nobody}"), "sk-canary-work", &[]).status.success());
    let served = program.serve();
    let client = Client::to(&served.url, &tasks);
    for (path, status) in [("/v1/messages", 502), ("/v1/messages/count_tokens", 200)] {
        let reply = client.post(path, ask("claude-opus-5-5", false)).await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
        reply.bytes().await;
    }
    assert!(served.stop().success());
    let requests = program.json(&["requests"]);
    assert_eq!(requests.as_array().unwrap().len(), 2);
    for request in requests.as_array().unwrap() {
        let shown = program.run(&["requests", request["id"].as_str().unwrap()]).stdout;
        let shown = String::from_utf8(shown).unwrap();
        assert!(
            shown.contains("Headgate wrote this answer itself.") && !shown.contains("Identical"),
            "{shown}"
        );
    }
    tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn models_get_another_name_and_lose_it_again() {
    let (sandbox, tasks) = upstream().await;
    let program = Program::new();
    assert!(program.add("work", sandbox.base_url(), "sk-canary-work", &[]).status.success());
    let served = program.serve();
    let set = ["accounts", "set", "work", "--map", "claude-opus-5-5=glm-5.2", "--map", "b=c"];
    assert_eq!(program.json(&set)["models"], serde_json::json!({"claude-opus-5-5": "glm-5.2", "b": "c"}));
    Client::to(&served.url, &tasks).post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    // Besides, the account's upstream is asked what models it has.
    let asked = sandbox.seen("sk-canary-work");
    let asked = asked.iter().find(|arrival| arrival.method == http::Method::POST).unwrap();
    assert!(String::from_utf8_lossy(&asked.body).contains("glm-5.2"));

    let unset = program.json(&["accounts", "set", "work", "--unmap", "claude-opus-5-5"]);
    assert_eq!(unset["models"], serde_json::json!({"b": "c"}), "the other one stays");
    Client::to(&served.url, &tasks).post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    // A drain waits until both are on disk.
    assert!(served.stop().success());
    let requests = program.json(&["requests"]);
    for (request, words) in
        [(&requests[1], "Changed: model: claude-opus-5-5 → glm-5.2"), (&requests[0], "Identical")]
    {
        let shown = program.run(&["requests", request["id"].as_str().unwrap()]).stdout;
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains(words), "{shown}");
    }
    let twice = ["--map", "b=c", "--map", "b=d"];
    for bad in [&["--map", "no-equals-sign"][..], &["--map", "=b"], &[], &twice, &["--unmap", "zzz"]] {
        let refused = program.run(&[&["accounts", "set", "work"], bad].concat());
        assert!(!refused.status.success() && !refused.stderr.is_empty(), "{bad:?}");
    }
    tasks.stop();
}
