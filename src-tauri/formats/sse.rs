//! Splits a stream of server-sent events (WHATWG HTML, section 9.2) as it passes, whatever the pieces.
//! It listens only: the bytes that go to the client are never taken apart and put together again.

/// A line, or an event's data, beyond this many bytes is let pass unread.
pub const MAX_EVENT: usize = 256 * 1024;

const MAX_NAME: usize = 64;
const DATA: &[u8] = b"data:";
/// How most events of an Anthropic stream begin.
const DELTA: &[u8] = b"event: content_block_delta\ndata: ";
const NAME_OF_DELTA: &[u8] = b"content_block_delta";
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Gathers the lines of one event at a time.
#[derive(Debug, Clone, Default)]
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

/// What is known of an event's data when the event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventData<'a> {
    /// All of it, its lines joined by a line feed.
    Whole(&'a [u8]),
    /// Nobody wanted it, so it was not kept.
    Unwanted,
    /// It is larger than what is kept.
    Oversized,
}

impl EventLines {
    /// Hears a piece and calls `on_event(name, data)` for each event that ends in it. The name is empty
    /// where the event has none. `wants(name)` says whether the data of a named event matters at all;
    /// what does not matter is skipped, not copied.
    pub fn feed(
        &mut self,
        piece: &[u8],
        wants: impl Fn(&[u8]) -> bool,
        mut on_event: impl FnMut(&[u8], EventData<'_>),
    ) {
        let mut rest = piece;
        if self.after_cr && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        self.after_cr &= piece.is_empty();
        while !rest.is_empty() {
            if self.is_clean()
                && let Some(usual) = usual(rest)
            {
                self.begun = true;
                let data = if wants(usual.name) { EventData::Whole(usual.data) } else { EventData::Unwanted };
                on_event(usual.name, data);
                rest = &rest[usual.length..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.keep(rest, &wants);
                return;
            };
            if self.line.is_empty() && !self.skip_line {
                self.end_line_of(&rest[..end], &wants, &mut on_event);
            } else {
                self.keep(&rest[..end], &wants);
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

    /// Whether nothing of an event stands here yet.
    fn is_clean(&self) -> bool {
        self.line.is_empty() && self.name.is_empty() && !(self.skip_line || self.has_data || self.oversized)
    }

    /// What has to be written for the event that stands half written to end here: nothing between two
    /// events.
    pub fn ending(&self) -> &'static [u8] {
        let is_mid_line = self.skip_line || !self.line.is_empty();
        let is_mid_event = self.has_data || self.oversized || !self.name.is_empty();
        match (is_mid_line, is_mid_event) {
            (true, _) => b"\n\n",
            // The first of them completes the CRLF that the carriage return may have begun.
            (false, true) if self.after_cr => b"\n\n",
            (false, true) => b"\n",
            (false, false) => b"",
        }
    }

    /// Whether no data of an event that has not ended stands here: a comment may, or a name alone.
    pub fn is_between_events(&self) -> bool {
        let may_be_data = self.skip_line || self.line.starts_with(DATA) || DATA.starts_with(&self.line);
        !self.has_data && !self.oversized && (self.line.is_empty() && !self.skip_line || !may_be_data)
    }

    /// Keeps the part of a line whose end has not come yet.
    fn keep(&mut self, part: &[u8], wants: &impl Fn(&[u8]) -> bool) {
        if self.skip_line {
            return;
        }
        // Enough of it to see which field it is: a long line that nobody wants is not copied.
        let (first, rest) = part.split_at(part.len().min(DATA.len().saturating_sub(self.line.len())));
        self.line.extend_from_slice(first);
        let fits = self.line.len() + rest.len() <= MAX_EVENT;
        if fits && !self.is_unwanted(&self.line, wants) {
            self.line.extend_from_slice(rest);
            return;
        }
        self.oversized |= !fits && !self.is_unwanted(&self.line, wants);
        self.begun = true;
        self.skip_line = true;
        self.line.clear();
    }

    /// Whether a line is data of an event that nobody wants to read.
    fn is_unwanted(&self, line: &[u8], wants: &impl Fn(&[u8]) -> bool) -> bool {
        !self.name.is_empty() && line.starts_with(DATA) && !wants(&self.name)
    }

    fn end_line_of(
        &mut self,
        line: &[u8],
        wants: &impl Fn(&[u8]) -> bool,
        on_event: &mut impl FnMut(&[u8], EventData<'_>),
    ) {
        if line.len() > MAX_EVENT {
            self.oversized |= !self.is_unwanted(line, wants);
            self.begun = true;
            return;
        }
        let line = if self.begun { line } else { line.strip_prefix(BOM).unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            self.end_event(wants, on_event);
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
        if self.oversized || (!self.name.is_empty() && !wants(&self.name)) {
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

    fn end_event(&mut self, wants: &impl Fn(&[u8]) -> bool, on_event: &mut impl FnMut(&[u8], EventData<'_>)) {
        if self.has_data || self.oversized || !self.name.is_empty() {
            let data = match () {
                () if !self.name.is_empty() && !wants(&self.name) => EventData::Unwanted,
                () if self.oversized => EventData::Oversized,
                () => EventData::Whole(&self.data),
            };
            on_event(&self.name, data);
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.oversized = false;
    }
}

/// An event as nearly all of them are written.
struct Usual<'a> {
    name: &'a [u8],
    data: &'a [u8],
    /// From its first byte to behind its blank line.
    length: usize,
}

/// The event at the beginning of a piece, if it is all there in the usual form: a name, one line of data and a
/// blank line, each ended by a line feed. It is heard where it stands; whatever else comes is taken line by line.
fn usual(piece: &[u8]) -> Option<Usual<'_>> {
    let (name, told) = match piece.strip_prefix(DELTA) {
        Some(told) => (NAME_OF_DELTA, told),
        None => usual_name(piece)?,
    };
    let data = &told[..memchr::memchr2(b'\n', b'\r', told)?];
    let rest = told[data.len()..].strip_prefix(b"\n\n")?;
    let is_usual = !name.is_empty() && DATA.len() + 1 + data.len() <= MAX_EVENT;
    is_usual.then_some(Usual { name, data, length: piece.len() - rest.len() })
}

/// Its name, and what stands behind the beginning of its data.
fn usual_name(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let named = piece.strip_prefix(b"event: ")?;
    let name = &named[..memchr::memchr2(b'\n', b'\r', &named[..named.len().min(MAX_NAME + 1)])?];
    Some((name, named[name.len()..].strip_prefix(b"\ndata: ")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        heard(pieces, |_| true).0
    }

    /// The events of these pieces, and what would end the last one.
    fn heard(pieces: &[&[u8]], wants: impl Fn(&[u8]) -> bool) -> (Vec<(String, String)>, &'static [u8]) {
        let mut lines = EventLines::default();
        let mut seen = Vec::new();
        for piece in pieces {
            lines.feed(piece, &wants, |name, data| {
                let data = match data {
                    EventData::Whole(data) => String::from_utf8_lossy(data).into_owned(),
                    other => format!("{other:?}"),
                };
                seen.push((String::from_utf8_lossy(name).into_owned(), data));
            });
        }
        (seen, lines.ending())
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
        assert_eq!(
            events(&[b"data: 1\r", b"\n", b"\n"]),
            [pair("", "1")],
            "nor does its line feed alone in a piece"
        );
    }

    #[test]
    fn e11_an_oversized_event_passes_unread_and_the_pieces_do_not_decide_it() {
        // A line at the limit, one beyond it, and data that passes it in two lines.
        for (lines, is_oversized) in [
            (format!("data: {}\n", "x".repeat(MAX_EVENT - 6)), false),
            (format!("data: {}\n", "x".repeat(MAX_EVENT - 5)), true),
            (format!("data: {0}\ndata: {0}\n", "x".repeat(MAX_EVENT / 2)), true),
            (format!(": {}\ndata: 1\n", "x".repeat(MAX_EVENT)), true),
            (format!("event: skip\ndata: {}\n", "x".repeat(MAX_EVENT)), false),
        ] {
            let stream = format!("{lines}\ndata: 2\n\n");
            let whole = heard(&[stream.as_bytes()], |name| name != b"skip");
            assert_eq!(whole.0.len(), 2, "the next one is heard");
            assert_eq!(whole.0[0].1 == "Oversized", is_oversized, "{}", &lines[..20]);
            assert_eq!(whole.0[1], pair("", "2"));
            for size in [1, 3, 1000, MAX_EVENT, MAX_EVENT + 7] {
                let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
                assert!(
                    heard(&pieces, |name| name != b"skip") == whole,
                    "{} in pieces of {size}",
                    &lines[..20]
                );
            }
        }
    }

    #[test]
    fn unwanted_data_is_not_kept_however_it_is_torn() {
        let mut lines = EventLines::default();
        let mut seen = Vec::new();
        for piece in [&b"event: delta\ndat"[..], b"a: sec", b"ret", b"\n", b"\n"] {
            lines.feed(piece, |name| name != b"delta", |_, data| seen.push(data == EventData::Unwanted));
            assert!(lines.line.len() <= DATA.len() && lines.data.is_empty());
        }
        assert_eq!(seen, [true], "that it happened is still told");
    }

    #[test]
    fn what_ends_a_half_written_event_is_known_at_every_byte() {
        let stream = b"event: a\r\ndata: 1\r\n\r\n: c\rdata: 2\r\rdata: 3\n\n";
        for cut in 0..=stream.len() {
            let (before, ending) = heard(&[&stream[..cut]], |_| true);
            let after = "event: z\ndata: 9\n\n";
            let closed = [&stream[..cut], ending, after.as_bytes()].concat();
            let (all, _) = heard(&[&closed], |_| true);
            assert_eq!(all.last(), Some(&pair("z", "9")), "cut at {cut}");
            assert!(all.len() - before.len() <= 2 && all.starts_with(&before), "cut at {cut}: {all:?}");
        }
    }

    fn pieces_of(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
        for cut in &mut cuts {
            *cut = (*cut).min(bytes.len());
        }
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            pieces.push(&bytes[from..to]);
            from = to;
        }
        pieces
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]
        #[test]
        fn any_split_gives_the_same_events(
            stream in "(\u{feff})?((event|data|id|x)?:? ?[a-z]{0,3}(\n|\r|\r\n)){0,12}",
            cuts in proptest::collection::vec(0usize..120, 0..8),
        ) {
            let wants = |name: &[u8]| name.len() != 2;
            let bytes = stream.as_bytes();
            prop_assert_eq!(heard(&pieces_of(bytes, cuts), wants), heard(&[bytes], wants));
        }

        #[test]
        fn any_bytes_give_the_same_events_byte_by_byte(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b':')], 0..200),
        ) {
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(heard(&single, |_| true), heard(&[&bytes], |_| true));
        }
    }
}
