//! The way out: TLS under a trusted authority and no other, HTTP/2 where it is offered, tunnels through the
//! company's proxy, and never back to ourselves.

use std::sync::Arc;

use headgate::{
    domain::{Ending, Exchange},
    settings::{Limits, Listen, ListenTls, Network, Proxies, ProxyVariables},
};
use http::{HeaderValue, Request, StatusCode, Version, header};

use crate::harness::{
    House, ask,
    secure::{Authority, MESSAGE, Proxy, Turn},
    soon,
};

async fn house(network: Network, names: &[&str]) -> House {
    House::on(Limits::default(), network, names).await
}

fn why(exchange: &Exchange) -> &str {
    exchange.attempts[0].error.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn an_upstream_that_offers_http2_gets_it() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let mut house = house(authority.network(), &["work"]).await;
    house.lead("work", &upstream.url());
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.text().await, MESSAGE);
    assert_eq!(house.ended().await.ending, Some(Ending::Complete), "its end is known without a length");
    assert_eq!(*upstream.heard.requests.lock().unwrap(), [Version::HTTP_2]);
}

#[tokio::test]
async fn without_http2_the_same_upstream_is_spoken_to_as_before() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let mut house = house(Network { upstream_http2: false, ..authority.network() }, &["work"]).await;
    house.lead("work", &upstream.url());
    assert_eq!(house.ask().await.text().await, MESSAGE);
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
    assert_eq!(*upstream.heard.requests.lock().unwrap(), [Version::HTTP_11]);
}

/// What an upstream gets of a client that says some things twice, and some that are for us.
async fn headers_over(is_http2: bool) -> Vec<(String, Vec<u8>)> {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let mut house = house(Network { upstream_http2: is_http2, ..authority.network() }, &["work"]).await;
    house.lead("work", &upstream.url());
    let request = Request::post("/v1/messages?beta=true")
        .header("x-forgotten", "key=hg_client")
        .header("x-twice", "one")
        .header("x-api-key", "client")
        .header("x-twice", "two")
        .header("x-twice", "one")
        .header("x-empty", "")
        .header("x-odd", HeaderValue::from_bytes(b"h\xe4user").unwrap())
        .header("connection", "x-mine, host, x-api-key, content-length")
        .header("x-mine", "client")
        .header("te", "trailers")
        .header("accept-encoding", "gzip")
        .header("accept-encoding", "br");
    let reply = house.client.send(request.body(ask("claude-opus-5-5", false).into()).unwrap()).await;
    assert_eq!(reply.text().await, MESSAGE);
    house.ended().await;
    let heads = upstream.heard.heads.lock().unwrap();
    let [(address, headers)] = heads.as_slice() else { panic!("{heads:?}") };
    assert_eq!(address.path_and_query().unwrap(), "/v1/messages?beta=true");
    let host = (!is_http2).then(|| HeaderValue::try_from(format!("127.0.0.1:{}", upstream.port)).unwrap());
    assert_eq!(headers.get_all(header::HOST).iter().collect::<Vec<_>>(), host.iter().collect::<Vec<_>>());
    if is_http2 {
        assert_eq!(address.authority().unwrap().as_str(), format!("127.0.0.1:{}", upstream.port));
    }
    let others = headers.iter().filter(|(name, _)| *name != header::HOST);
    let mut all: Vec<_> = others.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    // By their names alone: of one name, the order says something.
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

#[tokio::test]
async fn over_http2_an_upstream_gets_the_same_headers_and_each_as_often() {
    let length = ask("claude-opus-5-5", false).len().to_string();
    let expected: [(&str, &[u8]); 8] = [
        ("accept-encoding", b"identity"),
        ("content-length", length.as_bytes()),
        ("x-api-key", b"key-work"),
        ("x-empty", b""),
        ("x-odd", b"h\xe4user"),
        ("x-twice", b"one"),
        ("x-twice", b"two"),
        ("x-twice", b"one"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
    assert_eq!(headers_over(true).await, expected);
    assert_eq!(headers_over(false).await, expected);
}

#[tokio::test]
async fn a_hundred_requests_at_once_share_a_connection_of_each_worker() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let house = house(authority.network(), &["work"]).await;
    house.lead("work", &upstream.url());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let client = house.client.clone();
        asking.spawn(
            async move { client.post("/v1/messages", ask("claude-opus-5-5", false)).await.text().await },
        );
    }
    let answers = soon("a hundred answers", asking.join_all()).await;
    assert!(answers.iter().all(|answer| answer == MESSAGE));
    assert_eq!(upstream.heard.requests(), 100);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let connections = upstream.heard.connections();
    assert!(connections <= workers, "{connections} connections for {workers} workers");
}

#[tokio::test]
async fn an_upstream_sees_at_once_that_a_client_left_and_the_connection_stays() {
    let authority = Authority::new();
    let upstream = authority.endless().await;
    let mut house = house(authority.network(), &["work"]).await;
    house.lead("work", &upstream.url());
    let mut reply = house.ask_stream().await;
    assert!(reply.piece().await.unwrap().unwrap().starts_with(b"event: ping"));
    drop(reply);
    soon("the upstream to see it", upstream.heard.cancelled.notified()).await;
    assert_eq!(house.ended().await.ending, Some(Ending::ClientLeft));
}

/// Asks twice, one after the other, of an upstream that plays this. Returns the second status, what the
/// upstream heard, and how many connections that took.
async fn twice(turn: Turn) -> (StatusCode, usize, usize) {
    let authority = Authority::new();
    let upstream = authority.playing(vec![turn, Turn::Answer]).await;
    let house = house(authority.network(), &["work"]).await;
    house.lead("work", &upstream.url());
    // One connection of the client's, so that one worker has both.
    let mut client = house.client.keep().await;
    assert_eq!(client.ask().await.0, StatusCode::OK);
    if matches!(turn, Turn::GoAway) {
        soon("the connection to end", upstream.heard.ended.notified()).await;
    }
    let (status, _) = client.ask().await;
    (status, upstream.heard.requests(), upstream.heard.connections())
}

#[tokio::test]
async fn a_request_that_was_refused_unprocessed_goes_out_again_on_a_fresh_connection() {
    assert_eq!(twice(Turn::RefuseSecond).await, (StatusCode::OK, 3, 2));
}

#[tokio::test]
async fn after_a_goodbye_the_next_request_takes_a_fresh_connection() {
    assert_eq!(twice(Turn::GoAway).await, (StatusCode::OK, 2, 2));
}

#[tokio::test]
async fn a_request_that_was_read_is_not_sent_again_when_the_connection_dies() {
    assert_eq!(twice(Turn::CutSecond).await, (StatusCode::BAD_GATEWAY, 2, 1));
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_told_where_they_matter() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.pem");
    std::fs::write(&file, "nothing").unwrap();
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let mut house = house(Network { extra_ca: Some(file), ..Network::default() }, &["work"]).await;
    house.lead("work", &upstream.url());
    assert_eq!(house.ask().await.status, StatusCode::BAD_GATEWAY);
    let exchange = house.ended().await;
    assert!(why(&exchange).contains("there is no certificate in it"), "{}", why(&exchange));
}

fn through(authority: &Authority, setting: Option<&str>, variables: ProxyVariables) -> Network {
    Network { proxies: Proxies::new(setting, &variables).unwrap(), ..authority.network() }
}

async fn asked_by(network: Network, base_url: &str) -> (StatusCode, Arc<Exchange>) {
    let mut house = house(network, &["work"]).await;
    house.lead("work", base_url);
    let reply = house.ask().await;
    let status = reply.status;
    reply.bytes().await;
    (status, house.ended().await)
}

#[tokio::test]
async fn a_tunnel_of_the_companys_proxy_leads_to_the_upstream_with_and_without_a_password() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["upstream.invalid"]).await;
    let proxy = Proxy::towards(upstream.port, "200 OK").await;
    for (user, credential) in [("", None), ("mira:a%20b@", Some("Basic bWlyYTphIGI="))] {
        let address = format!("http://{user}127.0.0.1:{}", proxy.port);
        let variables = ProxyVariables { https: address, ..ProxyVariables::default() };
        let network = through(&authority, None, variables);
        let (status, exchange) = asked_by(network, "https://upstream.invalid").await;
        assert_eq!(status, StatusCode::OK, "{}", why(&exchange));
        let (line, given) = proxy.asked().pop().unwrap();
        assert_eq!(line, "CONNECT upstream.invalid:443 HTTP/1.1");
        assert_eq!(given.as_deref(), credential);
    }
    assert!(upstream.heard.requests.lock().unwrap().iter().all(|version| *version == Version::HTTP_2));
}

#[tokio::test]
async fn a_proxy_that_speaks_tls_gives_tunnels_too_and_is_known_by_its_certificate() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["upstream.invalid"]).await;
    let proxy = Proxy::secure(&authority, upstream.port).await;
    let address = format!("https://mira:hunter2@127.0.0.1:{}", proxy.port);
    let network = through(&authority, Some(&address), ProxyVariables::default());
    let (status, exchange) = asked_by(network, "https://upstream.invalid").await;
    assert_eq!(status, StatusCode::OK, "{}", why(&exchange));
    assert_eq!(proxy.asked().pop().unwrap().0, "CONNECT upstream.invalid:443 HTTP/1.1");

    let stranger = Proxy::secure(&Authority::new(), upstream.port).await;
    let address = format!("https://mira:hunter2@127.0.0.1:{}", stranger.port);
    let network = through(&authority, Some(&address), ProxyVariables::default());
    let (status, exchange) = asked_by(network, "https://upstream.invalid").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(why(&exchange).contains("an authority that this system does not trust"), "{}", why(&exchange));
    assert_eq!(stranger.asked(), [], "nothing was asked of it, and no password shown");
}

#[tokio::test]
async fn a_proxys_refusal_is_a_sentence_without_its_password() {
    let authority = Authority::new();
    for (status, sentence) in [
        ("407 Proxy Authentication Required", "wants another user name or password"),
        ("403 Forbidden", "refused the connection to upstream.invalid:443 with status 403"),
    ] {
        let proxy = Proxy::towards(1, status).await;
        let address = format!("http://mira:hunter2@127.0.0.1:{}", proxy.port);
        let network = through(&authority, Some(&address), ProxyVariables::default());
        let (status, exchange) = asked_by(network, "https://upstream.invalid").await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(why(&exchange).contains(sentence), "{}", why(&exchange));
        assert!(!why(&exchange).contains("hunter2"), "{}", why(&exchange));
    }
}

#[tokio::test]
async fn neither_what_is_excepted_nor_this_machine_is_reached_through_a_proxy() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let proxy = Proxy::towards(upstream.port, "200 OK").await;
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let excepted =
        ProxyVariables { all: address.clone(), no: ".invalid".into(), ..ProxyVariables::default() };
    asked_by(through(&authority, None, excepted.clone()), "https://upstream.invalid").await;
    asked_by(through(&authority, Some("off"), excepted), "https://other.invalid").await;
    let here = through(&authority, Some(&address), ProxyVariables::default());
    assert_eq!(asked_by(here, &upstream.url()).await.0, StatusCode::OK);
    assert_eq!(proxy.asked(), [], "it was not asked");
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_not_gone_around() {
    let authority = Authority::new();
    let variables = ProxyVariables { all: "socks5://mira:hunter2@127.0.0.1:1".into(), ..Default::default() };
    let (status, exchange) = asked_by(through(&authority, None, variables), "https://upstream.invalid").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(why(&exchange).contains("SOCKS") && !why(&exchange).contains("hunter2"), "{}", why(&exchange));
}

#[tokio::test]
async fn an_address_of_this_machine_that_leads_back_is_not_called() {
    let listen = Listen { address: "0.0.0.0:0".parse().unwrap(), tls: ListenTls::SelfSigned };
    let mut house = house(Network { listen: vec![listen], ..Network::default() }, &["work"]).await;
    let further = house.app.api().status().listeners[0].address.clone();
    let port = further.rsplit(':').next().unwrap();
    let outer = crate::harness::outer_address().map(|ip| ip.to_string());
    for host in ["127.0.0.9".into(), "localhost".into()].into_iter().chain(outer) {
        house.lead("work", &format!("https://{host}:{port}"));
        assert_eq!(house.ask().await.status, StatusCode::BAD_GATEWAY);
        let exchange = house.ended().await;
        assert!(why(&exchange).contains("leads back to Headgate"), "{host}: {}", why(&exchange));
    }
}
