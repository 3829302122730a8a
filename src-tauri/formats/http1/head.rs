//! The heads that go over an HTTP/1.1 connection (RFC 9112): ours as it is written, the upstream's as it is read.
//! Knows no socket. Refuses whatever two readers could understand in two ways.

use std::{fmt::Write as _, mem::MaybeUninit};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header, response::Parts,
    uri::PathAndQuery,
};

use hyper::ext::ReasonPhrase;

use super::framing::{Chunks, Framing};

/// Headers of one answer; with more of them it is not understood.
const MAX_HEADERS: usize = 100;
/// Bytes of a head; a longer one is not understood.
const MAX_HEAD: usize = 400 * 1024;

/// What came is not the head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadHead;

/// The names that stood in the last head on a connection. An upstream writes the same ones again, and to know one
/// costs a comparison where to read it costs a parse and a copy.
#[derive(Debug, Default)]
pub struct Names(Vec<HeaderName>);

impl Names {
    fn read(&mut self, place: usize, name: &[u8]) -> Result<HeaderName, BadHead> {
        let known = self.0.get_mut(place);
        if let Some(known) = &known
            && (known.as_str().as_bytes() == name || known.as_str().as_bytes().eq_ignore_ascii_case(name))
        {
            return Ok((*known).clone());
        }
        let read = HeaderName::from_bytes(name).map_err(|_| BadHead)?;
        match known {
            Some(known) => *known = read.clone(),
            None => self.0.push(read.clone()),
        }
        Ok(read)
    }
}

/// The head of an answer, with what it says of the connection.
pub struct Head {
    /// Status and headers, and among the extensions the [`ReasonPhrase`] where it is not the usual one.
    pub parts: Parts,
    /// How its body is delimited.
    pub framing: Framing,
    /// Whether the connection can carry another request once the body is over.
    pub may_stay: bool,
}

/// The head of a request, as it goes onto the wire. The headers tell neither a length nor an encoding for the
/// transfer: all of the body is there, `length` bytes. There is room for so many more behind the head.
pub fn write_head<'a>(
    method: &Method,
    path: &PathAndQuery,
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> + Clone,
    length: usize,
    room: usize,
) -> BytesMut {
    let each = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let path = path.as_str();
    let size = path.len() + headers.clone().map(each).sum::<usize>() + 64;
    let mut head = BytesMut::with_capacity(size + room);
    for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
        head.put_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.put_slice(part);
        }
    }
    if length > 0 || !matches!(*method, Method::GET | Method::HEAD) {
        write!(head, "content-length: {length}\r\n").expect("a buffer grows as it is written");
    }
    head.put_slice(b"\r\n");
    head
}

/// Reads the head of the answer to a request of this method off the wire, over what only announces it (1xx).
/// `None` where more has to arrive first.
///
/// # Errors
/// [`BadHead`], after which nothing on this connection can be trusted.
pub fn read_head(wire: &mut BytesMut, method: &Method, names: &mut Names) -> Result<Option<Head>, BadHead> {
    while !wire.is_empty() {
        let Some(parts) = read_one(wire, names)? else {
            return if wire.len() > MAX_HEAD { Err(BadHead) } else { Ok(None) };
        };
        // Nobody asked for another protocol.
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BadHead);
        }
        if !parts.status.is_informational() {
            return Head::of(parts, method).map(Some);
        }
    }
    Ok(None)
}

fn read_one(wire: &mut BytesMut, names: &mut Names) -> Result<Option<Parts>, BadHead> {
    let mut found = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let read = config.parse_response_with_uninit_headers(&mut head, wire, &mut found).map_err(|_| BadHead)?;
    let httparse::Status::Complete(length) = read else { return Ok(None) };
    let start = wire.as_ptr().addr();
    let place = |part: &[u8]| part.as_ptr().addr() - start..part.as_ptr().addr() - start + part.len();
    let version = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadHead)?;
    let reason = head.reason.filter(|reason| status.canonical_reason() != Some(reason));
    let reason = reason.and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok());
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    let mut values = Vec::with_capacity(head.headers.len());
    for (nth, header) in head.headers.iter().enumerate() {
        values.push((names.read(nth, header.name.as_bytes())?, place(header.value)));
    }
    // The values are not copied: they stay where they arrived.
    let bytes = wire.split_to(length).freeze();
    for (name, place) in values {
        // A value without bytes stands nowhere.
        let value = if place.is_empty() { Bytes::new() } else { bytes.slice(place) };
        headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| BadHead)?);
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    if let Some(reason) = reason {
        parts.extensions.insert(reason);
    }
    Ok(Some(parts))
}

impl Head {
    fn of(mut parts: Parts, method: &Method) -> Result<Self, BadHead> {
        let has_no_body = *method == Method::HEAD
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = length(&parts.headers)?;
        let is_encoded = parts.headers.contains_key(header::TRANSFER_ENCODING);
        let is_chunked = is_chunked(&parts.headers)?;
        if is_encoded && parts.version == Version::HTTP_10 {
            return Err(BadHead);
        }
        let framing = match length {
            _ if has_no_body => Framing::Over,
            _ if is_chunked => Framing::Chunked(Chunks::default()),
            Some(length) if !is_encoded => Framing::of_length(length),
            _ => Framing::Close,
        };
        let stays = match parts.version {
            Version::HTTP_10 => has_token(&parts.headers, b"keep-alive"),
            _ => !has_token(&parts.headers, b"close"),
        };
        // Said twice in one line, some clients take it for no number at all (RFC 9110, section 8.6).
        if let Some(length) = length.filter(|_| is_a_list(&parts.headers)) {
            parts.headers.insert(header::CONTENT_LENGTH, length.into());
        }
        // Two lengths: whoever reads the other one finds another answer behind this one.
        let is_ambiguous = is_encoded && length.is_some();
        if is_ambiguous {
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        // It says nothing of where the body ends, and whoever is told of it would take it for more.
        if framing == Framing::Close {
            parts.headers.remove(header::TRANSFER_ENCODING);
        }
        let may_stay = stays && !is_ambiguous && framing != Framing::Close;
        Ok(Self { parts, framing, may_stay })
    }
}

/// The length that the headers state, if all of them agree.
fn length(headers: &HeaderMap) -> Result<Option<u64>, BadHead> {
    let stated = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut length = None;
    for number in stated.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let number = number.trim_ascii();
        let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        let parsed = str::from_utf8(number).ok().filter(|_| is_number).and_then(|number| number.parse().ok());
        let parsed: u64 = parsed.ok_or(BadHead)?;
        if length.is_some_and(|known| known != parsed) {
            return Err(BadHead);
        }
        length = Some(parsed);
    }
    Ok(length)
}

fn is_a_list(lengths: &HeaderMap) -> bool {
    lengths.get_all(header::CONTENT_LENGTH).iter().any(|length| length.as_bytes().contains(&b','))
}

/// Whether the body comes in pieces. We ask for no coding of the transfer (`te`), so there is no other one but the
/// old name of none; the client would get what it can't read, with nothing to say so.
fn is_chunked(headers: &HeaderMap) -> Result<bool, BadHead> {
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut is_chunked = false;
    for coding in codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        match coding.trim_ascii() {
            b"" => {}
            _ if is_chunked => return Err(BadHead),
            coding if coding.eq_ignore_ascii_case(b"chunked") => is_chunked = true,
            coding if coding.eq_ignore_ascii_case(b"identity") => {}
            _ => return Err(BadHead),
        }
    }
    Ok(is_chunked)
}

fn has_token(headers: &HeaderMap, wanted: &[u8]) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(wire: &str) -> Result<Option<Head>, BadHead> {
        read_head(&mut BytesMut::from(wire), &Method::POST, &mut Names::default())
    }

    /// How a body is delimited under these headers, and whether the connection stays.
    fn framed(headers: &str) -> Option<(Framing, bool)> {
        let head = head(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).ok()??;
        Some((head.framing, head.may_stay))
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        let chunked = || Framing::Chunked(Chunks::default());
        assert_eq!(framed("content-length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("content-length: 0\r\n"), Some((Framing::Over, true)));
        assert_eq!(framed("content-length: 5, 5\r\ncontent-length: 5\r\n"), Some((Framing::Length(5), true)));
        assert_eq!(framed("transfer-encoding: Chunked\r\n"), Some((chunked(), true)));
        assert_eq!(framed("transfer-encoding: identity\r\n"), Some((Framing::Close, false)));
        assert_eq!(framed(""), Some((Framing::Close, false)));
        assert_eq!(
            framed("content-length: 5\r\nconnection: x, Close\r\n"),
            Some((Framing::Length(5), false))
        );
    }

    #[test]
    fn a_length_that_is_said_twice_in_one_line_goes_on_as_one() {
        let head =
            head("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\ncontent-length: 5\r\n\r\n").unwrap().unwrap();
        let told: Vec<_> = head.parts.headers.get_all("content-length").iter().collect();
        assert_eq!(told, ["5"]);
    }

    #[test]
    fn an_answer_with_two_lengths_is_the_last_one_on_its_connection() {
        let head = head("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((head.framing, head.may_stay), (Framing::Chunked(Chunks::default()), false));
        assert!(!head.parts.headers.contains_key("content-length"), "nor is the other one passed on");
    }

    #[test]
    fn what_readers_could_understand_in_two_ways_is_refused() {
        for headers in [
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5, 6\r\n",
            "content-length: +5\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked, gzip\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "name : x\r\n",
            " folded: x\r\n",
            "a: b\r\n folded\r\n",
            "no colon\r\n",
        ] {
            assert_eq!(framed(headers), None, "{headers:?}");
        }
        for wire in [
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "<html>",
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 99 No\r\n\r\n",
        ] {
            assert!(head(wire).is_err(), "{wire:?}");
        }
        let many = (0..=MAX_HEADERS).fold(String::new(), |all, n| all + &format!("h{n}: x\r\n"));
        assert_eq!(framed(&many), None, "too many headers");
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert!(head(&long).is_err(), "a head without an end");
    }

    #[test]
    fn a_name_that_is_known_from_the_head_before_is_the_one_that_stands_there() {
        let mut names = Names::default();
        let mut told = |headers: &str| {
            let mut wire = BytesMut::from(&*format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{headers}\r\n"));
            let head = read_head(&mut wire, &Method::POST, &mut names).unwrap().unwrap();
            let each = head.parts.headers.iter();
            each.map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(told("x-a: 1\r\nx-b: 2\r\n"), ["content-length=0", "x-a=1", "x-b=2"]);
        assert_eq!(told("X-A: 3\r\nx-c: 4\r\nx-d: 5\r\n"), ["content-length=0", "x-a=3", "x-c=4", "x-d=5"]);
        assert_eq!(told("x-b: 6\r\n"), ["content-length=0", "x-b=6"]);
        assert_eq!(told("x-b: 7\r\nx-c: 8\r\n"), ["content-length=0", "x-b=7", "x-c=8"]);
    }

    #[test]
    fn an_old_server_keeps_its_connection_only_if_it_says_so() {
        let stays =
            |headers: &str| head(&format!("HTTP/1.0 200 OK\r\n{headers}\r\n")).unwrap().unwrap().may_stay;
        assert!(!stays("content-length: 5\r\n"));
        assert!(stays("content-length: 5\r\nconnection: keep-alive\r\n"));
    }

    #[test]
    fn what_announces_an_answer_is_passed_over_and_the_rest_stays_on_the_wire() {
        let mut wire = BytesMut::from(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nx-empty:\r\n\r\nbody",
        );
        let head = read_head(&mut wire, &Method::POST, &mut Names::default()).unwrap().unwrap();
        assert_eq!(
            (head.parts.status.as_u16(), head.parts.headers["retry-after"].as_bytes()),
            (429, &b"7"[..])
        );
        assert_eq!(head.parts.headers["x-empty"], "");
        assert_eq!(&wire[..], b"body");
    }

    #[test]
    fn where_there_can_be_no_body_there_is_none() {
        let wire = || BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert!(
            read_head(&mut wire(), &Method::HEAD, &mut Names::default()).unwrap().unwrap().framing.is_over()
        );
        assert!(head("HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().framing.is_over());
        assert!(
            head("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n")
                .unwrap()
                .unwrap()
                .framing
                .is_over()
        );
    }

    #[test]
    fn a_request_is_written_with_its_length_where_it_can_have_a_body() {
        let written = |method: Method, body: &'static str| {
            let (path, host) = (PathAndQuery::from_static("/v1/x?a=b"), HeaderValue::from_static("h"));
            let head = write_head(&method, &path, [(&header::HOST, &host)].into_iter(), body.len(), 0);
            String::from_utf8(head.to_vec()).unwrap()
        };
        assert_eq!(
            written(Method::POST, "abc"),
            "POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n"
        );
        assert_eq!(
            written(Method::POST, ""),
            "POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
        );
        assert_eq!(written(Method::GET, ""), "GET /v1/x?a=b HTTP/1.1\r\nhost: h\r\n\r\n");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_torn_ones_say_the_same(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b':')], 0..200),
            cut in 0_usize..200,
        ) {
            let wire = [b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes, b"\r\n\r\n"].concat();
            let whole = read_head(&mut BytesMut::from(&wire[..]), &Method::POST, &mut Names::default()).map(|head| head.map(|head| head.framing));
            let mut torn = BytesMut::from(&wire[..cut.min(wire.len())]);
            let first = read_head(&mut torn, &Method::POST, &mut Names::default()).map(|head| head.map(|head| head.framing));
            if first == Ok(None) {
                torn.extend_from_slice(&wire[cut.min(wire.len())..]);
                prop_assert_eq!(read_head(&mut torn, &Method::POST, &mut Names::default()).map(|head| head.map(|head| head.framing)), whole);
            }
        }
    }
}
