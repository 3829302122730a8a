//! Whether a request is meant for us at all: by its host, its origin and its path. Asks nobody and knows no
//! accounts; what fails here never comes near a credential.

use http::{HeaderMap, Uri, header};

/// Whether a request is meant for us: under a name of this machine (a page that rebinds its DNS name to
/// us sends its own), and not from a web page of another origin.
pub fn is_meant_for_us(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(http::uri::Authority::as_str),
    };
    let Some(host) = host else { return false };
    if !is_loopback_name(host) || headers.get_all(header::HOST).iter().count() > 1 {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host)),
    }
}

/// Whether a path has a dot segment, plain or percent-encoded, once or twice. An upstream that resolves it
/// would serve another path than the one that a credential was attached for.
pub fn climbs(path: &str) -> bool {
    if !path.contains(['%', '\\']) && !path.contains("/.") {
        return false;
    }
    let decoded = path
        .to_ascii_lowercase()
        .replace("%25", "%")
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/");
    decoded.split(['/', '\\']).any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]") && !host.contains('@')
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
        is_meant_for_us(&Uri::from_static("/v1/messages"), &headers)
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
}
