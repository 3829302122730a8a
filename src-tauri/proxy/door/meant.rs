//! Whether a request is meant for us at all: by its host, its origin and its path. Asks nobody and knows no
//! accounts; what fails here never comes near a credential.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::keys::{begins_with_a_key, looks_like_a_key};

/// Whether a request is meant for us: under a name of this machine (a page that rebinds its DNS name to
/// us sends its own), and not from a web page of another origin.
pub fn is_meant_for_us(uri: &Uri, headers: &HeaderMap, is_tls: bool, is_ours: impl Fn(&str) -> bool) -> bool {
    let address = uri.authority().map(http::uri::Authority::as_str);
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => address,
    };
    let Some(host) = host else { return false };
    let is_ours = |named: &str| host_in(named).is_some_and(|host| is_ours(&host));
    // An address that names a host goes before the header that does (RFC 9112, section 3.2.2).
    if address.is_some_and(|address| address != host && !is_ours(address)) {
        return false;
    }
    if !is_ours(host) || headers.get_all(header::HOST).iter().count() > 1 {
        return false;
    }
    let scheme = if is_tls { "https://" } else { "http://" };
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin
            .to_str()
            .is_ok_and(|origin| origin.strip_prefix(scheme).is_some_and(|it| it.eq_ignore_ascii_case(host))),
    }
}

/// Made once: a name that is looked for as a text is read anew each time.
static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser says that a page of another site or port asks (Fetch Metadata): a picture or a script there is
/// asked for without an `origin`.
pub fn is_of_a_foreign_page(headers: &HeaderMap) -> bool {
    let said = headers.get(&FETCH_SITE).map(HeaderValue::as_bytes);
    said.is_some_and(|said| !matches!(said, b"same-origin" | b"none"))
}

/// Whether a path has a dot segment, plain or percent-encoded, once or twice. An upstream that resolves it
/// would serve another path than the one that a credential was attached for.
pub fn climbs(path: &str) -> bool {
    if is_plain(path) && !holds(path, *b"/.") {
        return false;
    }
    decoded(path).split(['/', '\\']).any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

/// Whether a path has an empty segment before its end, a backslash or a control character in it, plain or
/// percent-encoded: some servers drop them, some end the path there, and some take them as they are.
pub fn is_crooked(path: &str) -> bool {
    if is_plain(path) && !holds(path, *b"//") {
        return false;
    }
    let decoded = decoded(path);
    decoded.contains("//") || decoded.contains(|c: char| c == '\\' || c.is_ascii_control())
}

/// Whether nothing in it is percent-encoded and no backslash stands there.
fn is_plain(path: &str) -> bool {
    memchr::memchr2(b'%', b'\\', path.as_bytes()).is_none()
}

/// Whether these two stand side by side in it. To prepare a search takes longer than to look through a path.
fn holds(path: &str, two: [u8; 2]) -> bool {
    path.as_bytes().windows(2).any(|both| both == two)
}

/// Whether a path or query has a key of ours in it, plain or percent-encoded. An address is written into logs
/// on its way, and this one would go upstream as it is.
pub fn holds_a_key(target: &str) -> bool {
    if !target.contains('%') {
        return has_key(target.as_bytes());
    }
    let mut target = unescaped(target);
    // Whoever takes what is escaped three times for a key has asked for it.
    for _ in 0..2 {
        target = unescaped(&target);
    }
    has_key(target.as_bytes())
}

/// Whether a header's value has a key of ours in it, whatever stands around it. Nearly all have not a single `_`, so
/// that is all that is looked for.
pub fn quotes_a_key(value: &[u8]) -> bool {
    let marks = memchr::memchr_iter(b'_', value).filter(|at| *at >= 2 && &value[at - 2..*at] == b"hg");
    // A word that begins so, or, in the middle of one, a whole one.
    marks.map(|at| at - 2).any(|at| begins_with_a_key(&value[at..]) || has_key(value))
}

fn has_key(target: &[u8]) -> bool {
    let ends_a_word = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"_-.".contains(byte);
    target.split(ends_a_word).any(looks_like_a_key)
}

/// Undoes `%XX`; what is no UTF-8 then is replaced.
pub(in crate::proxy) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        let (byte, taken) = hex.filter(|_| *first == b'%').map_or((*first, 0), |byte| (byte, 2));
        bytes.push(byte);
        rest = &tail[taken..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The path as a server reads it that undoes its escapes twice: what it shows by then, it shows however it was spelt.
fn decoded(path: &str) -> String {
    unescaped(&unescaped(path))
}

/// The host in a `Host` header; `None` if it is none.
fn host_in(host: &str) -> Option<String> {
    let authority = host.parse::<http::uri::Authority>().ok()?;
    (!host.contains('@')).then(|| authority.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let is_ours = |host: &str| matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        is_meant_for_us(&Uri::from_static("/v1/messages"), &headers, false, is_ours)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        assert!(meant("127.0.0.1:8417", None) && meant("localhost:8417", None) && meant("[::1]:8417", None));
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example:8417",
            "localhost.evil.example",
            "user@127.0.0.1",
            "",
            "127.0.0.2",
        ] {
            assert!(!meant(foreign, None), "{foreign}");
        }
    }

    #[test]
    fn a_picture_on_a_page_of_another_site_is_asked_for_without_an_origin() {
        let told = |said: &'static str| {
            let said = HeaderValue::from_static(said);
            is_of_a_foreign_page(&HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), said)]))
        };
        assert_eq!(["cross-site", "same-site", "tomorrows"].map(told), [true; 3]);
        assert_eq!(["same-origin", "none"].map(told), [false; 2]);
        assert!(!is_of_a_foreign_page(&HeaderMap::new()), "programs say nothing");
    }

    #[test]
    fn an_address_that_names_another_host_goes_before_a_header_that_names_ours() {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        let meant = |address| {
            is_meant_for_us(&Uri::from_static(address), &headers, false, |host| host == "localhost")
        };
        assert!(meant("http://localhost/v1/messages") && meant("/v1/messages"));
        assert!(!meant("http://evil.example/v1/messages"));
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        assert!(meant("127.0.0.1:8417", Some("http://127.0.0.1:8417")));
        for foreign in [
            "https://evil.example",
            "null",
            "http://127.0.0.1:9999",
            "http://localhost:8417",
            "https://127.0.0.1:8417",
        ] {
            assert!(!meant("127.0.0.1:8417", Some(foreign)), "{foreign}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_seen_through_its_encodings() {
        for path in [
            "/v1/../x",
            "/v1/./x",
            "/v1/..",
            "/v1/%2e%2E/x",
            "/v1/.%2e/x",
            "/v1/%252e%252e/x",
            "/v1/a%2f..%2fx",
            "/v1/..;a/x",
            "/v1/..%5cx",
            "/v1/%25%32%65%25%32%65/x",
            "/v1/%%32%65%2%65/x",
            "/v1/..%3ba/x",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in [
            "/v1/messages",
            "/v1/files/a..b",
            "/v1/files/.hidden",
            "/v1/models/claude-3.5",
            "/v1/files/100%25.txt",
        ] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[test]
    fn a_path_that_servers_read_differently_is_seen() {
        for path in [
            "/v1//messages",
            "/v1/messages//",
            "/v1/%2fmessages",
            "/v1/%252Fmessages/",
            "/v1/a\\b",
            "/v1/a%5Cb",
            "/v1/a%255cb",
            "/v1/messages%00",
            "/v1/messages%0d%0aX:y",
            "/v1/messages%250A",
            "/v1/%7f",
            "/v1/%1F",
            "/v1/%25%32%66messages",
            "/v1/a%%35cb",
            "/v1/messages%25%30a",
        ] {
            assert!(is_crooked(path), "{path}");
        }
        for path in
            ["/v1/messages", "/v1/messages/", "/v1/a%20b", "/v1/100%25.txt", "/v1/%C3%BC", "/v1/a%2fb"]
        {
            assert!(!is_crooked(path), "{path}");
        }
    }

    #[test]
    fn a_key_in_an_address_is_seen_wherever_it_stands_and_however_it_is_written() {
        for target in [
            "/v1/messages?key=hg_abc",
            "/v1/messages?beta=true&x-api-key=hg_abc",
            "/v1/messages?beta=true;key=hg_abc",
            "/v1/messages?authorization=Bearer+hg_abc",
            "/v1/messages?authorization=Bearer%20hg_abc",
            "/v1/messages?hg_abc",
            "/v1/messages?hg_abc=1",
            "/v1/messages?key=%68g_abc",
            "/v1/messages?key=hg%5fabc",
            "/v1/messages?key=%2568g_abc",
            "/v1/messages?key=%22hg_abc%22",
            "/v1/files/hg_abc",
            "/v1/messages?u=a:hg_abc",
        ] {
            assert!(holds_a_key(target), "{target}");
        }
        for target in [
            "/v1/messages?beta=true",
            "/v1/messages",
            "/v1/models?after_id=claude-hg_1",
            "/v1/files?name=100%25&key=sk-ant",
            "/v1/files?key=HG_abc",
            "/v1/files?key=xhg_abc",
            "/v1/files?key=%ff%",
        ] {
            assert!(!holds_a_key(target), "{target}");
        }
    }
}
