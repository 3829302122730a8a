//! Fields are found where they stand, however the bytes are torn and however a name is spelt.

use super::*;
use proptest::prelude::*;

fn read(json: &str) -> Result<Fields<3>, Malformed> {
    let mut fields = Fields::new(["model", "stream", "metadata"], 1024);
    fields.feed(json.as_bytes());
    fields.finish()?;
    let whole = Fields::values(fields.wanted, json.as_bytes())?;
    assert_eq!(whole, std::array::from_fn(|index| fields.value(index)), "read at once it says the same");
    Ok(fields)
}

#[test]
fn fields_are_found_where_they_stand_and_nowhere_deeper() {
    let json = r#" { "messages":[{"model":"inner","x":"}\"{"}], "model" : "outer" ,"stream":true,"metadata":{"a":[1,{}]} } "#;
    let fields = read(json).unwrap();
    assert_eq!(fields.value(0), Some(br#""outer""#.as_slice()));
    assert_eq!(fields.value(1), Some(b"true".as_slice()));
    assert_eq!(fields.value(2), Some(br#"{"a":[1,{}]}"#.as_slice()));
    let place = json.find(r#""outer""#).unwrap() as u64;
    assert_eq!(fields.span(0), Some(place..place + 7));
}

#[test]
fn a_name_that_is_written_with_escapes_is_the_same_name() {
    let fields =
        read(r#"{"model":"first","m\u006fdel":"second","mode\\l":"x","mod\u0065":"y","\u":1}"#).unwrap();
    assert_eq!(fields.value(0), Some(br#""second""#.as_slice()));
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let fields = read(r#"{"model":"first","model":"second"}"#).unwrap();
    assert_eq!(fields.value(0), Some(br#""second""#.as_slice()));
}

#[test]
fn a_key_in_another_spelling_is_the_same_key() {
    let fields = read(r#"{"model":"first","\u006dodel":"second","st\/ream":1}"#).unwrap();
    assert_eq!(fields.value(0), Some(br#""second""#.as_slice()));
    assert_eq!(fields.every_span(0).unwrap().len(), 2);
    assert_eq!(fields.every_span(1), Some(vec![]));
}

#[test]
fn a_name_in_other_letters_is_another_name_and_makes_the_field_ambiguous() {
    for (json, is_ambiguous) in [
        (r#"{"model":"a","x":{"Model":"b"},"models":["c"],"MODE":1}"#, false),
        (r#"{"Model":"b","model":"a"}"#, true),
        (r#"{"model":"a","MODEL":"b"}"#, true),
        (r#"{"model":"a","m\u004fdel":"b"}"#, true),
        (r#"{"model":"a","model":"a"}"#, true),
        (r#"{"mOdel":"b"}"#, true),
        (r#"{"model":"a","STREAM":true}"#, false),
    ] {
        let fields = read(json).unwrap();
        assert_eq!(fields.is_ambiguous(0), is_ambiguous, "{json}");
        assert_ne!(fields.value(0), Some(br#""b""#.as_slice()), "{json}");
    }
}

#[test]
fn where_a_field_stands_more_often_than_by_mistake_no_place_is_told() {
    let often = |times: usize| format!("{{{}}}", vec![r#""model":1"#; times].join(","));
    assert_eq!(read(&often(17)).unwrap().every_span(0).unwrap().len(), 17);
    assert_eq!(read(&often(18)).unwrap().every_span(0), None);
}

#[test]
fn what_is_not_one_object_is_named_with_its_place() {
    assert_eq!(read("").unwrap_err(), Malformed::Unfinished(0));
    assert_eq!(read("[1]").unwrap_err(), Malformed::Unexpected(0));
    assert_eq!(read(r#"{"model":"x""#).unwrap_err(), Malformed::Unfinished(12));
    assert_eq!(read(r#"{"model" "x"}"#).unwrap_err(), Malformed::Unexpected(9));
    assert_eq!(read(r#"{"model":"x"} x"#).unwrap_err(), Malformed::Unexpected(14));
    assert_eq!(read(r#"{"a":1,}"#).unwrap_err(), Malformed::Unexpected(7));
    assert_eq!(read("not json").unwrap_err(), Malformed::Unexpected(0));
}

#[test]
fn a_value_longer_than_what_is_kept_is_not_shown_in_part() {
    let mut fields = Fields::new(["model"], 4);
    fields.feed(br#"{"model":"far too long"}"#);
    assert_eq!(fields.value(0), None);
    assert!(fields.span(0).is_some(), "its place is known all the same");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,12}".prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            proptest::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_split_finds_the_same_fields_as_a_parser(
        model in json(), other in json(), metadata in json(), cuts in proptest::collection::vec(0usize..400, 0..6),
    ) {
        let object = serde_json::json!({"other": other, "model": model, "zzz": [1, 2], "metadata": metadata});
        let text = object.to_string();
        let mut fields = Fields::new(["model", "stream", "metadata"], usize::MAX);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for to in cuts.into_iter().chain([text.len()]) {
            fields.feed(&text.as_bytes()[from..to]);
            from = to;
        }
        prop_assert!(fields.finish().is_ok());
        let parse = |index: usize| serde_json::from_slice::<serde_json::Value>(fields.value(index).unwrap()).unwrap();
        prop_assert_eq!(parse(0), model);
        prop_assert_eq!(parse(2), metadata);
        prop_assert!(fields.value(1).is_none());
    }

    /// A parser that knows no letter case, whichever of two values it takes, reads what we read.
    #[test]
    fn what_is_not_ambiguous_means_one_thing_to_every_parser(
        keys in proptest::collection::vec(
            prop_oneof!["[mM][oO][dD][eE][lL]", Just("model".to_owned()), "[a-zA-Z]{0,7}"], 0..4,
        ),
        escaped in any::<u8>(),
    ) {
        let spelled = |key: &String| -> String {
            let escape = |(at, c): (usize, char)| {
                if escaped >> (at % 8) & 1 == 1 { format!("\\u{:04x}", u32::from(c)) } else { c.into() }
            };
            key.chars().enumerate().map(escape).collect()
        };
        let members = keys.iter().enumerate().map(|(at, key)| format!("\"{}\":{at}", spelled(key)));
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let fields = Fields::read(["model"], json.as_bytes()).unwrap();
        let blind: Vec<String> = keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.eq_ignore_ascii_case("model"))
            .map(|(at, _)| at.to_string())
            .collect();
        if !fields.is_ambiguous(0) {
            prop_assert!(blind.len() < 2);
            prop_assert_eq!(fields.values_in(json.as_bytes())[0], blind.first().map(String::as_bytes));
        }
        let is_plain = keys.iter().filter(|key| key.eq_ignore_ascii_case("model")).eq(["model"]);
        prop_assert!(!(is_plain && fields.is_ambiguous(0)), "what everybody sends is not ambiguous");
    }

    #[test]
    fn a_text_of_any_length_ends_where_a_parser_ends_it(
        texts in proptest::collection::vec("[a\"\\\\\n\u{e9}]{0,120}", 1..4), cut in 0usize..600,
    ) {
        let object = serde_json::json!({"other": texts, "model": texts[0]});
        let text = object.to_string();
        let mut fields = Fields::new(["model"], usize::MAX);
        let (first, rest) = text.as_bytes().split_at(cut.min(text.len()));
        fields.feed(first);
        fields.feed(rest);
        prop_assert!(fields.finish().is_ok());
        prop_assert_eq!(serde_json::from_slice::<String>(fields.value(0).unwrap()).unwrap(), texts[0].as_str());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
        let mut fields = Fields::new(["model"], 16);
        let cut = cut.min(bytes.len());
        fields.feed(&bytes[..cut]);
        fields.feed(&bytes[cut..]);
        let _ = fields.finish();
    }
}
