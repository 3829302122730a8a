//! Finds the top-level fields of a JSON object in its bytes, fed in pieces of any size. It skips what it
//! is not asked for at memory speed, keeps no more than a bounded copy of each value, and refuses to
//! judge the grammar below the top level: that is the upstream's matter.

mod block;
mod nest;
mod quotes;

use std::{borrow::Cow, mem, ops::Range};

use nest::Nest;

/// Why bytes are not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something else stands where the grammar wants another character; the offset is in bytes.
    #[error("unexpected character at byte {0}")]
    Unexpected(u64),
    /// It stops before the object ends.
    #[error("it ends before the object does, at byte {0}")]
    Unfinished(u64),
}

/// A listener for `N` fields. Of a field that stands twice, the last one counts, as in most parsers.
#[derive(Debug)]
pub struct Fields<const N: usize> {
    wanted: [&'static str; N],
    values: [Vec<u8>; N],
    spans: [Option<Range<u64>>; N],
    /// Where values stand that a later field of the same name has replaced.
    replaced: Vec<(usize, Range<u64>)>,
    is_crowded: bool,
    /// Whether a field stands there in other letters too: `Model` beside `model`.
    is_cased: [bool; N],
    keep: usize,
    state: State,
    key: Vec<u8>,
    field: Option<usize>,
    /// Where the value that is being read began.
    start: u64,
    /// Where in this piece its bytes begin.
    kept_from: usize,
    seen: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    KeyOrEnd,
    NextKey,
    Key {
        escaped: bool,
    },
    Colon,
    Value,
    Scalar,
    /// Within a value that is a text.
    Text {
        escaped: bool,
    },
    /// Within one that is an object or a list.
    Within(Nest),
    CommaOrEnd,
    Done,
    Broken {
        at: u64,
    },
}

/// The longest key that can be one of ours, quotes aside; a longer one is somebody else's.
const MAX_KEY: usize = 64;
/// Replaced values whose place is known; where there are more, that is all that is said.
const MAX_REPLACED: usize = 16;

impl<const N: usize> Fields<N> {
    /// Listens for these fields and keeps at most `keep` bytes of each one's value.
    pub fn new(wanted: [&'static str; N], keep: usize) -> Self {
        Self {
            wanted,
            values: std::array::from_fn(|_| Vec::new()),
            spans: std::array::from_fn(|_| None),
            replaced: Vec::new(),
            is_crowded: false,
            is_cased: [false; N],
            keep,
            state: State::Start,
            key: Vec::new(),
            field: None,
            start: 0,
            kept_from: 0,
            seen: 0,
        }
    }

    /// Reads a whole object at once, and keeps nothing of it but where its fields stand.
    ///
    /// # Errors
    /// `Malformed` if the bytes are not one JSON object with nothing behind it.
    pub fn read(wanted: [&'static str; N], object: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::new(wanted, 0);
        fields.feed(object);
        fields.finish()?;
        Ok(fields)
    }

    /// The values of a whole object's fields, as they stand in its bytes.
    ///
    /// # Errors
    /// `Malformed` if the bytes are not one JSON object with nothing behind it.
    pub fn values<'a>(
        wanted: [&'static str; N],
        object: &'a [u8],
    ) -> Result<[Option<&'a [u8]>; N], Malformed> {
        Ok(Self::read(wanted, object)?.values_in(object))
    }

    /// The values as they stand in the bytes that were fed.
    pub fn values_in<'a>(&self, object: &'a [u8]) -> [Option<&'a [u8]>; N] {
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let value = |span: &Range<u64>| object.get(at(span.start)..at(span.end));
        std::array::from_fn(|index| self.spans[index].as_ref().and_then(value))
    }

    /// The value of the `index`th wanted field as it stands in the bytes; `None` if there is none or it
    /// is longer than what is kept.
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        let length = self.spans[index].as_ref().map(|span| span.end - span.start)?;
        (self.values[index].len() as u64 == length).then_some(self.values[index].as_slice())
    }

    /// Where the value stands, counted from the first byte fed.
    pub fn span(&self, index: usize) -> Option<Range<u64>> {
        self.spans[index].clone()
    }

    /// Every place where a value of this field stands, in no order, for a field can stand twice. `None` if
    /// there are more of them than anybody would write by mistake.
    pub fn every_span(&self, index: usize) -> Option<Vec<Range<u64>>> {
        let earlier = self.replaced.iter().filter(|(field, _)| *field == index).map(|(_, span)| span.clone());
        (!self.is_crowded).then(|| earlier.chain(self.span(index)).collect())
    }

    /// Whether parsers may differ in what this field says: it stands more than once, or in another letter case,
    /// which some of them take for the same name.
    pub fn is_ambiguous(&self, index: usize) -> bool {
        self.is_cased(index) || self.replaced.iter().any(|(field, _)| *field == index)
    }

    /// Whether this field stands there in another letter case.
    pub fn is_cased(&self, index: usize) -> bool {
        self.is_cased[index]
    }

    /// Whether the object has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Says what is wrong, if anything is.
    ///
    /// # Errors
    /// `Malformed` with the offset at which the bytes stopped being an object.
    pub fn finish(&self) -> Result<(), Malformed> {
        match self.state {
            State::Done => Ok(()),
            State::Broken { at } => Err(Malformed::Unexpected(at)),
            _ => Err(Malformed::Unfinished(self.seen)),
        }
    }

    /// Hears the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut at = 0;
        self.kept_from = 0;
        while let Some(&byte) = piece.get(at) {
            at = self.step(piece, at, byte);
        }
        if self.field.is_some() && !matches!(self.state, State::Value | State::Colon) {
            self.keep_piece(&piece[self.kept_from..]);
        }
        self.seen += piece.len() as u64;
    }

    /// Reads the byte at `at`, and as far as the state does not change; the place behind it is returned.
    fn step(&mut self, piece: &[u8], at: usize, byte: u8) -> usize {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Key { escaped } => return self.read_key(piece, at, escaped),
            State::Text { escaped } => return self.skip_text(piece, at, escaped),
            State::Within(nest) => return self.skip_nest(piece, at, nest),
            State::Scalar => {
                if blank || matches!(byte, b',' | b'}') {
                    return self.end_value(piece, at);
                }
            }
            _ if blank => {}
            State::Start if byte == b'{' => self.state = State::KeyOrEnd,
            State::KeyOrEnd | State::CommaOrEnd if byte == b'}' => self.state = State::Done,
            State::KeyOrEnd | State::NextKey if byte == b'"' => {
                self.state = State::Key { escaped: false };
            }
            State::Colon if byte == b':' => self.state = State::Value,
            State::CommaOrEnd if byte == b',' => self.state = State::NextKey,
            State::Value => {
                (self.start, self.kept_from) = (self.seen + at as u64, at);
                self.state = match byte {
                    b'"' => State::Text { escaped: false },
                    b'{' | b'[' => State::Within(Nest::open()),
                    b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => State::Scalar,
                    _ => State::Broken { at: self.start },
                };
            }
            State::Broken { .. } => return piece.len(),
            _ => self.state = State::Broken { at: self.seen + at as u64 },
        }
        at + 1
    }

    fn read_key(&mut self, piece: &[u8], at: usize, escaped: bool) -> usize {
        match quotes::close(piece, at, escaped) {
            Err(escaped) => {
                self.keep_key(&piece[at..]);
                self.state = State::Key { escaped };
                piece.len()
            }
            // Most of them stand in one piece, and are read where they stand.
            Ok(end) if self.key.is_empty() => {
                self.end_key(&piece[at..end]);
                end + 1
            }
            Ok(end) => {
                self.keep_key(&piece[at..end]);
                let key = mem::take(&mut self.key);
                self.end_key(&key);
                end + 1
            }
        }
    }

    fn keep_key(&mut self, part: &[u8]) {
        let room = (MAX_KEY + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_key(&mut self, key: &[u8]) {
        self.field = self.field_of(key);
        self.state = State::Colon;
        let Some(field) = self.field else { return };
        self.values[field].clear();
        if let Some(span) = self.spans[field].take() {
            self.is_crowded |= self.replaced.len() == MAX_REPLACED;
            self.replaced.truncate(MAX_REPLACED - 1);
            self.replaced.push((field, span));
        }
    }

    fn field_of(&mut self, key: &[u8]) -> Option<usize> {
        let exact = self.wanted.iter().position(|name| name.as_bytes() == key);
        if exact.is_some() || key.len() > MAX_KEY {
            return exact;
        }
        let key = plain(key);
        let field = self.wanted.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(&key))?;
        let is_exact = self.wanted[field].as_bytes() == &*key;
        self.is_cased[field] |= !is_exact;
        is_exact.then_some(field)
    }

    /// Runs over a text: to its end, or as far as the piece goes.
    fn skip_text(&mut self, piece: &[u8], at: usize, escaped: bool) -> usize {
        match quotes::close(piece, at, escaped) {
            Ok(end) => self.end_value(piece, end + 1),
            Err(escaped) => {
                self.state = State::Text { escaped };
                piece.len()
            }
        }
    }

    /// The same of an object or a list.
    fn skip_nest(&mut self, piece: &[u8], at: usize, mut nest: Nest) -> usize {
        if let Some(to) = nest.end(piece, at) {
            return self.end_value(piece, to);
        }
        self.state = State::Within(nest);
        piece.len()
    }

    /// The value ends before `to`, where reading goes on.
    fn end_value(&mut self, piece: &[u8], to: usize) -> usize {
        self.state = State::CommaOrEnd;
        if let Some(field) = self.field {
            self.keep_piece(&piece[self.kept_from..to]);
            self.spans[field] = Some(self.start..self.seen + to as u64);
            self.field = None;
        }
        to
    }

    fn keep_piece(&mut self, part: &[u8]) {
        let Some(field) = self.field else { return };
        let room = self.keep.saturating_sub(self.values[field].len());
        self.values[field].extend_from_slice(&part[..part.len().min(room)]);
    }
}

/// `mod\u0065l` is `model` too: whoever limits what a field may say has to find it under every spelling.
fn plain(key: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', key).is_none() {
        return key.into();
    }
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or_else(|_| key.into(), |key| key.into_bytes().into())
}

#[cfg(test)]
mod tests;
