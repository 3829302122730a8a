//! Puts another model's name, or another bound, into a request, and leaves every other byte where it stands: re-serialising
//! would change the prefix that the upstream has in its cache.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Fields;

/// Why a body can't get another model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unspliceable {
    /// There is no such field, or the body is no JSON object.
    #[error("it names no model")]
    NoModel,
    /// A field that stands so often is no mistake; parsers differ in which one counts.
    #[error("it names its model too often")]
    TooOften,
    /// Some parsers take `Model` for `model`, and would read the one that is not replaced.
    #[error("it names its model in another letter case too")]
    OtherCase,
}

/// The body with `model` as the value of every top-level `model` field. One that stands twice is replaced
/// twice, so that it does not matter which one the upstream goes by.
///
/// # Errors
/// [`Unspliceable`], for a body without a model, with too many, or with one that only some would read.
pub fn splice_model(body: &Bytes, model: &str) -> Result<Bytes, Unspliceable> {
    let fields = Fields::read(["model"], body).map_err(|_| Unspliceable::NoModel)?;
    if fields.is_cased(0) {
        return Err(Unspliceable::OtherCase);
    }
    let spans = fields.every_span(0).ok_or(Unspliceable::TooOften)?;
    if spans.is_empty() {
        return Err(Unspliceable::NoModel);
    }
    let value = serde_json::to_vec(model).expect("a text is JSON");
    Ok(put(body, spans.into_iter().map(|span| (span, value.as_slice())).collect()))
}

/// The same request for one token in one piece: what it has in the cache is what the first one has. `None` where
/// parsers may differ in what it says, where it names no bound, or where its bound has to hold a budget of thinking.
pub fn splice_repeat(body: &Bytes) -> Option<Bytes> {
    const WANTED: [&str; 3] = ["max_tokens", "stream", "thinking"];
    let fields = Fields::read(WANTED, body).ok()?;
    if (0..WANTED.len()).any(|field| fields.is_ambiguous(field)) {
        return None;
    }
    let [_, stream, thinking] = fields.values_in(body);
    let thinking = thinking.map(serde_json::from_slice::<serde_json::Value>).transpose().ok()?;
    if thinking.is_some_and(|thinking| thinking.get("budget_tokens").is_some()) {
        return None;
    }
    let mut changes: Vec<(Range<u64>, &[u8])> = vec![(fields.span(0)?, b"1")];
    if stream.is_some() {
        changes.push((fields.span(1)?, b"false"));
    }
    Some(put(body, changes))
}

/// The body with these values in place of those that stand there.
fn put(body: &Bytes, mut changes: Vec<(Range<u64>, &[u8])>) -> Bytes {
    changes.sort_unstable_by_key(|(span, _)| span.start);
    // One copy, about a microsecond for 50 KB: less than the frames of a body in parts would cost.
    let added: usize = changes.iter().map(|(_, value)| value.len()).sum();
    let mut spliced = BytesMut::with_capacity(body.len() + added);
    let mut kept = 0;
    let at = |place: u64| usize::try_from(place).expect("the body is in memory");
    for (span, value) in changes {
        spliced.extend_from_slice(&body[kept..at(span.start)]);
        spliced.extend_from_slice(value);
        kept = at(span.end);
    }
    spliced.extend_from_slice(&body[kept..]);
    spliced.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spliced(body: &str, model: &str) -> Result<String, Unspliceable> {
        let body = splice_model(&Bytes::from(body.to_owned()), model)?;
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_repeat_asks_for_one_token_and_leaves_every_other_byte() {
        let repeat = |body: &str| splice_repeat(&Bytes::from(body.to_owned())).map(|body| body.to_vec());
        let body =
            r#"{"model":"m", "stream": true,"max_tokens" : 32000,"tools":[{"max_tokens":5,"b":1,"a":1e1}]}"#;
        let wanted = body.replace("true", "false").replace("32000", "1");
        assert_eq!(repeat(body), Some(wanted.into_bytes()));
        assert_eq!(repeat(r#"{"max_tokens":9}"#), Some(br#"{"max_tokens":1}"#.to_vec()));
        assert!(repeat(r#"{"max_tokens":9,"thinking":{"type":"adaptive"}}"#).is_some());
        for no in [
            "",
            "[]",
            r#"{"stream":true}"#,
            r#"{"max_tokens":9,"max_tokens":8}"#,
            r#"{"max_tokens":9,"Max_Tokens":8}"#,
            r#"{"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":4096}}"#,
        ] {
            assert_eq!(repeat(no), None, "{no}");
        }
    }

    #[test]
    fn only_the_models_own_bytes_change() {
        let body = " {\"x\" : 1e400,\t\"model\" :\r\n \"claude-opus-5-5\" , \"s\":\"\\ud83d\",\"m\":{\"model\":\"in\"}}\n";
        assert_eq!(spliced(body, "glm-5.2").unwrap(), body.replace("claude-opus-5-5", "glm-5.2"));
    }

    #[test]
    fn a_model_that_stands_twice_is_replaced_twice() {
        let body = r#"{"model":"a","\u006dodel":"b","model":["c"]}"#;
        assert_eq!(spliced(body, "z").unwrap(), r#"{"model":"z","\u006dodel":"z","model":"z"}"#);
        let often = format!("{{{}}}", vec![r#""model":"a""#; 40].join(","));
        assert_eq!(spliced(&often, "z"), Err(Unspliceable::TooOften));
        for other in [r#"{"model":"a","Model":"b"}"#, r#"{"m\u004fdel":"b","model":"a"}"#] {
            assert_eq!(spliced(other, "z"), Err(Unspliceable::OtherCase), "{other}");
        }
    }

    #[test]
    fn where_there_is_no_model_nothing_is_put() {
        for body in ["", "[]", "{}", r#"{"messages":[{"model":"inner"}]}"#, r#"{"model":"cut"#] {
            assert_eq!(spliced(body, "z"), Err(Unspliceable::NoModel), "{body}");
        }
    }

    #[test]
    fn a_name_with_quotes_is_written_as_json() {
        let body = spliced(r#"{"model":"a"}"#, "we\"ird\\").unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["model"], "we\"ird\\");
    }

    proptest! {
        #[test]
        fn a_spliced_body_is_the_body_with_another_model(
            before in ".{0,20}", after in proptest::collection::vec(any::<i64>(), 0..6), asked in ".{0,12}",
            sent in ".{0,12}", blanks in "[ \t\r\n]{0,3}",
        ) {
            let text = |text: &str| serde_json::to_string(text).unwrap();
            let head = format!("{{{blanks}\"before\":{}{blanks},\"model\"{blanks}:{blanks}", text(&before));
            let tail = format!("{blanks},\"after\":{after:?}{blanks}}}{blanks}");
            let body = format!("{head}{}{tail}", text(&asked));
            let done = spliced(&body, &sent).unwrap();
            prop_assert!(done.starts_with(&head) && done.ends_with(&tail), "all other bytes stay");
            let mut wanted: serde_json::Value = serde_json::from_str(&body).unwrap();
            wanted["model"] = sent.into();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&done).unwrap(), wanted);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = splice_model(&bytes.into(), "z");
        }
    }
}
