//! Listeners beyond the loopback as a person sets them up: a certificate of one's own, and plain text.

use std::{path::Path, time::Duration};

use headgate::settings::{Limits, Listen, ListenTls, Network};
use http::{Request, StatusCode};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use crate::harness::{
    Client, House, Program, aside, ask, outer_address, secure::Authority, soon, visit::visit,
};

async fn house(cert: &Path, key: &Path) -> House {
    let tls = ListenTls::Files { cert: cert.to_owned(), key: key.to_owned() };
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls };
    let network = Network { listen: vec![listen], hosts: vec!["headgate.lan".into()], ..Network::default() };
    House::on(Limits::default(), network, &[]).await
}

fn told(house: &House) -> String {
    house.app.api().status().listeners[0].fingerprint.clone().unwrap()
}

fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[tokio::test]
async fn ones_own_certificate_is_shown_and_its_renewal_taken_up_while_we_run() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (cert, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let first = authority.write(&["headgate.lan"], &cert, &key);
    let house = house(&cert, &key).await;
    let shown = async |alpn| visit(&house, &authority.file(), "headgate.lan", alpn).await.unwrap().1;
    for alpn in ["h2", "http/1.1"] {
        assert_eq!(shown(alpn).await, first);
    }
    assert_eq!(told(&house), fingerprint(&first));

    // Half of a renewal is none: certificate and key don't belong together yet.
    let second = authority.write(&["headgate.lan"], &cert, &folder.path().join("other.pem"));
    house.clock.advance(Duration::from_hours(1));
    for _ in 0..5 {
        assert_eq!(shown("h2").await, first);
    }
    std::fs::rename(folder.path().join("other.pem"), &key).unwrap();
    house.clock.advance(Duration::from_hours(1));
    soon("the renewed certificate to be shown", async { while shown("h2").await != second {} }).await;
    assert_eq!(told(&house), fingerprint(&second));
}

#[test]
fn certificate_files_that_cannot_be_shown_are_named_at_the_start() {
    let program = Program::new();
    let authority = Authority::new();
    let file = |name: &str| program.folder.path().join(name);
    authority.write(&["headgate.lan"], &file("chain.pem"), &file("key.pem"));
    authority.write(&["headgate.lan"], &file("other.pem"), &file("others-key.pem"));
    std::fs::write(file("empty.pem"), "nothing").unwrap();
    for (cert, key, sentence) in [
        ("chain.pem", "others-key.pem", "don't belong together"),
        ("empty.pem", "key.pem", "there is no certificate in"),
        ("chain.pem", "missing.pem", "the key in"),
    ] {
        let listen = format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}\n"
        );
        std::fs::write(file("settings.toml"), listen).unwrap();
        let refused = program.run(&["serve", "--port", "0"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(sentence), "{cert}, {key}: {said}");
    }
}

/// What a program with these variables asked of a company's proxy while it served one request for this upstream.
async fn asked_of_a_proxy(no_proxy: Option<&str>) -> Vec<String> {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&asked);
    let _proxy = aside(async move {
        while let Ok((socket, _)) = proxy.accept().await {
            let mut socket = tokio::io::BufReader::new(socket);
            let mut line = String::new();
            socket.read_line(&mut line).await.unwrap();
            heard.lock().unwrap().push(line.trim_end().to_owned());
            socket.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    let program = Program::new();
    // Nobody is asked for models beside the request, and a name that leads nowhere is soon given up.
    std::fs::write(
        program.folder.path().join("settings.toml"),
        "[limits]\nmodels_hours = 0\nconnect_seconds = 1\n",
    )
    .unwrap();
    assert!(program.add("work", "https://upstream.invalid", "sk-canary", &[]).status.success());
    let mut command = program.command(&["serve", "--port", "0"]);
    for name in ["ALL_PROXY", "all_proxy", "https_proxy", "no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    command.env("HTTPS_PROXY", &address);
    if let Some(names) = no_proxy {
        command.env("NO_PROXY", names);
    }
    let served = program.serve_as(command);
    let tasks = headgate::tasks::Tasks::default();
    let reply = Client::to(&served.url, &tasks).post("/v1/messages", ask("claude-opus-5-5", false)).await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "the upstream is not there");
    tasks.stop();
    assert!(served.stop().success());
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companys_proxy_and_who_is_not_reached_by_it_are_taken_from_the_environment() {
    let asked = asked_of_a_proxy(None).await;
    assert!(
        !asked.is_empty() && asked.iter().all(|line| line.starts_with("CONNECT upstream.invalid:443")),
        "{asked:?}"
    );
    let asked = asked_of_a_proxy(Some("example.com,.invalid")).await;
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_beyond_the_loopback_wants_to_be_allowed_and_then_a_key_of_everybody() {
    let program = Program::new();
    let settings = program.folder.path().join("settings.toml");
    let listen = "[[listen]]\naddress = \"0.0.0.0:0\"\ntls = \"off\"\n";
    std::fs::write(&settings, listen).unwrap();
    let refused = program.run(&["serve", "--port", "0"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("allow_plaintext = true"), "{refused:?}");

    std::fs::write(&settings, format!("{listen}allow_plaintext = true\n")).unwrap();
    let served = program.serve();
    let secret = program.json(&["keys", "add", "laptop"])["secret"].as_str().unwrap().to_owned();
    let status = program.json(&["status"]);
    let listener = &status["status"]["listeners"][0];
    assert_eq!((&listener["fingerprint"], &listener["needs_key"]), (&().into(), &true.into()), "{status}");
    let port = listener["address"].as_str().unwrap().rsplit(':').next().unwrap();

    let tasks = headgate::tasks::Tasks::default();
    let hosts = outer_address().map(|ip| ip.to_string()).into_iter().chain(["127.0.0.1".into()]);
    for host in hosts {
        let client = Client::to(&format!("http://{host}:{port}"), &tasks);
        for (path, bearer, expected) in [
            ("/v1/models", "", StatusCode::UNAUTHORIZED),
            ("/v1/messages", "sk-ant-of-somebody", StatusCode::UNAUTHORIZED),
            ("/", secret.as_str(), StatusCode::UNAUTHORIZED),
            ("/api/v1/status", &secret, StatusCode::FORBIDDEN),
            ("/v1/models", &secret, StatusCode::OK),
        ] {
            let request = Request::get(path).header("authorization", format!("Bearer {bearer}"));
            let reply = client.send(request.body(bytes::Bytes::new()).unwrap()).await;
            assert_eq!(reply.status, expected, "{path} with {bearer:?} at {host}");
        }
    }
    tasks.stop();
    assert!(served.stop().success());
}
