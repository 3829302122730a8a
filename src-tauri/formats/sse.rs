//! Splits a stream of server-sent events (WHATWG HTML, section 9.2) as it passes, whatever the pieces.
//! It listens only: the bytes that go to the client are never taken apart and put together again.

/// An event's data beyond this many bytes is let pass unheard.
pub const MAX_EVENT: usize = 256 * 1024;

const MAX_NAME: usize = 64;

/// Gathers the lines of one event at a time.
#[derive(Debug, Default)]
pub struct EventLines {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    oversized: bool,
    after_cr: bool,
    skip_line: bool,
    begun: bool,
}

impl EventLines {
    /// Hears a piece and calls `on_event(name, data)` for each event that ends in it. The name is empty
    /// where the event has none. `wants(name)` says whether the data of a named event matters at all;
    /// what does not matter is skipped, not copied.
    pub fn feed(
        &mut self,
        piece: &[u8],
        wants: impl Fn(&[u8]) -> bool,
        mut on_event: impl FnMut(&[u8], &[u8]),
    ) {
        let mut rest = piece;
        if self.after_cr && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        if !rest.is_empty() {
            self.after_cr = false;
        }
        while !rest.is_empty() {
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.keep(rest);
                return;
            };
            if self.line.is_empty() && !self.skip_line {
                self.end_line_of(&rest[..end], &wants, &mut on_event);
            } else {
                self.keep(&rest[..end]);
                let line = std::mem::take(&mut self.line);
                if !std::mem::take(&mut self.skip_line) {
                    self.end_line_of(&line, &wants, &mut on_event);
                }
                self.line = line;
                self.line.clear();
            }
            let is_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.after_cr = is_cr && rest.is_empty();
            if is_cr && rest.first() == Some(&b'\n') {
                rest = &rest[1..];
            }
        }
    }

    /// Keeps the part of a line whose end has not come yet.
    fn keep(&mut self, part: &[u8]) {
        if self.skip_line {
            return;
        }
        if self.line.len() + part.len() > MAX_EVENT {
            self.line.clear();
            self.skip_line = true;
            self.oversized = true;
            return;
        }
        self.line.extend_from_slice(part);
    }

    fn end_line_of(
        &mut self,
        line: &[u8],
        wants: &impl Fn(&[u8]) -> bool,
        on_event: &mut impl FnMut(&[u8], &[u8]),
    ) {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            self.end_event(on_event);
            return;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(&value[..value.len().min(MAX_NAME)]);
            }
            b"data" => self.add_data(value, wants),
            _ => {}
        }
    }

    fn add_data(&mut self, value: &[u8], wants: &impl Fn(&[u8]) -> bool) {
        if !self.name.is_empty() && !wants(&self.name) {
            return;
        }
        if self.data.len() + value.len() >= MAX_EVENT {
            self.oversized = true;
            self.data.clear();
            return;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }

    fn end_event(&mut self, on_event: &mut impl FnMut(&[u8], &[u8])) {
        if !self.oversized && (self.has_data || !self.name.is_empty()) {
            on_event(&self.name, &self.data);
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.oversized = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut lines = EventLines::default();
        let mut seen = Vec::new();
        for piece in pieces {
            lines.feed(
                piece,
                |_| true,
                |name, data| {
                    seen.push((
                        String::from_utf8_lossy(name).into_owned(),
                        String::from_utf8_lossy(data).into_owned(),
                    ));
                },
            );
        }
        seen
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.into(), data.into())
    }

    #[test]
    fn every_spelling_of_an_event_is_understood() {
        assert_eq!(events(&[b"event: a\ndata: 1\n\n"]), [pair("a", "1")]);
        assert_eq!(
            events(&[b"event:a\r\ndata:1\r\n\r\n"]),
            [pair("a", "1")],
            "CRLF, no space after the colon"
        );
        assert_eq!(events(&[b"event: a\rdata: 1\r\r"]), [pair("a", "1")], "CR alone");
        assert_eq!(events(&[b"\xEF\xBB\xBFdata: 1\n\n"]), [pair("", "1")], "a BOM, no event line");
        assert_eq!(events(&[b": a comment\ndata: 1\ndata: 2\n\n"]), [pair("", "1\n2")], "several data lines");
        assert_eq!(events(&[b"\n\n\n"]), [], "blank lines are no events");
        assert_eq!(events(&[b"data: 1\n"]), [], "an event without its blank line has not happened");
    }

    #[test]
    fn a_crlf_torn_between_two_pieces_is_one_line_end() {
        assert_eq!(events(&[b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n"]), [pair("", "1\n2")]);
        assert_eq!(
            events(&[b"data: 1\r\n", b"\n"]),
            [pair("", "1")],
            "a whole CRLF at a piece's end swallows nothing"
        );
    }

    #[test]
    fn an_oversized_event_passes_unheard_and_the_next_one_is_heard() {
        let big = vec![b'x'; MAX_EVENT + 10];
        let mut stream = b"data: ".to_vec();
        stream.extend_from_slice(&big);
        stream.extend_from_slice(b"\n\ndata: 2\n\n");
        assert_eq!(events(&[&stream]), [pair("", "2")]);
        assert_eq!(events(&stream.chunks(1000).collect::<Vec<_>>()), [pair("", "2")], "in pieces as well");
    }

    #[test]
    fn unwanted_data_is_not_kept() {
        let mut lines = EventLines::default();
        let mut seen = 0;
        lines.feed(
            b"event: delta\ndata: secret\n\n",
            |name| name != b"delta",
            |_, data| {
                seen += 1;
                assert!(data.is_empty());
            },
        );
        assert_eq!(seen, 1, "that it happened is still told");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn any_split_gives_the_same_events(
            stream in "((event|data|id|x)?:? ?[a-z]{0,3}(\n|\r|\r\n)){0,12}", cuts in proptest::collection::vec(0usize..120, 0..8),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for to in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..to]);
                from = to;
            }
            prop_assert_eq!(events(&pieces), events(&[bytes]));
        }
    }
}
