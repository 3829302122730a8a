//! Anthropic's Messages API from the answering side: what an answer says and how it is written, whole or
//! as events. Decides nothing; the same number, request and script give the same bytes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::scenario::Answer;

/// What a tool call costs in output tokens.
const TOOL_TOKENS: u32 = 24;

/// What every text is made of.
const WORDS: [&str; 24] = [
    "the",
    "gate",
    "opens",
    "for",
    "one",
    "request",
    "at",
    "a",
    "time",
    "and",
    "each",
    "account",
    "keeps",
    "its",
    "window",
    "while",
    "water",
    "moves",
    "on",
    "through",
    "whichever",
    "lane",
    "is",
    "free",
];

/// The fields of a request that the answer depends on.
#[derive(Debug, Deserialize)]
pub struct Asked {
    pub model: String,
    #[serde(default)]
    pub stream: bool,
    pub max_tokens: Option<u32>,
}

/// The request that is answered.
pub struct Turn<'a> {
    pub asked: &'a Asked,
    /// Its number among all arrivals.
    pub number: u64,
    /// Bytes of its body.
    pub bytes: usize,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart { message: Message },
    Ping,
    ContentBlockStart { index: usize, content_block: Block },
    ContentBlockDelta { index: usize, delta: Delta },
    ContentBlockStop { index: usize },
    MessageDelta { delta: Ending, usage: Usage },
    MessageStop,
    Error { error: Trouble },
}

#[derive(Debug, Clone, Serialize)]
struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: String,
    content: Vec<Block>,
    #[serde(flatten)]
    ending: Ending,
    usage: Usage,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Thinking { thinking: String, signature: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: serde_json::Value },
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
}

#[derive(Debug, Clone, Serialize)]
struct Ending {
    stop_reason: Option<&'static str>,
    stop_sequence: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Usage {
    input_tokens: u32,
    cache_creation_input_tokens: u32,
    cache_read_input_tokens: u32,
    cache_creation: CacheCreation,
    output_tokens: u32,
    service_tier: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u32,
    ephemeral_1h_input_tokens: u32,
}

#[derive(Debug, Clone, Serialize)]
struct Trouble {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'static str,
}

/// The answer as the bytes of each event, in order.
pub fn events(answer: &Answer, turn: &Turn) -> Vec<Bytes> {
    let whole = compose(answer, turn);
    let mut begun = whole.clone();
    begun.content.clear();
    begun.ending.stop_reason = None;
    begun.usage.output_tokens = 1;

    let mut events = vec![Event::MessageStart { message: begun }, Event::Ping];
    for (index, block) in whole.content.into_iter().enumerate() {
        let (begun, deltas) = spell(block, answer.words.max(1));
        events.push(Event::ContentBlockStart { index, content_block: begun });
        events.extend(deltas.into_iter().map(|delta| Event::ContentBlockDelta { index, delta }));
        events.push(Event::ContentBlockStop { index });
    }
    events.push(Event::MessageDelta { delta: whole.ending, usage: whole.usage });
    events.push(Event::MessageStop);
    events.iter().map(written).collect()
}

/// The answer as one JSON document.
pub fn document(answer: &Answer, turn: &Turn) -> Bytes {
    json(&compose(answer, turn))
}

/// The event with which a stream fails in order.
pub fn error_event() -> Bytes {
    written(&Event::Error { error: Trouble { kind: "overloaded_error", message: "Overloaded" } })
}

/// What `count_tokens` says of a body: a quarter of its bytes.
pub fn count(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX).max(1)
}

fn compose(answer: &Answer, turn: &Turn) -> Message {
    let most = turn.asked.max_tokens.unwrap_or(u32::MAX);
    let full = match &answer.text {
        Some(text) => count(text.len()),
        None => answer.tokens,
    };
    let length = full.min(most);
    let text = answer.text.clone().unwrap_or_else(|| words(turn.number, length));
    let tools = if full > most { &[][..] } else { &answer.tools };

    let mut content = Vec::new();
    if answer.thinking > 0 {
        let signature = format!("c2FuZGJveA=={:06}", turn.number);
        content.push(Block::Thinking { thinking: words(turn.number + 7, answer.thinking), signature });
    }
    if !text.is_empty() || tools.is_empty() {
        content.push(Block::Text { text });
    }
    content.extend(tools.iter().enumerate().map(|(at, name)| call(turn.number, at, name)));

    let stop_reason = match (full > most, tools.is_empty()) {
        (true, _) => "max_tokens",
        (false, false) => "tool_use",
        (false, true) => "end_turn",
    };
    let calls = u32::try_from(tools.len()).unwrap_or(u32::MAX);
    Message {
        id: format!("msg_sandbox_{:06}", turn.number),
        kind: "message",
        role: "assistant",
        model: turn.asked.model.clone(),
        content,
        ending: Ending { stop_reason: Some(stop_reason), stop_sequence: None },
        usage: usage(answer, turn, answer.thinking + length + calls.saturating_mul(TOOL_TOKENS)),
    }
}

fn usage(answer: &Answer, turn: &Turn, output_tokens: u32) -> Usage {
    Usage {
        input_tokens: answer.input.unwrap_or_else(|| count(turn.bytes)),
        cache_creation_input_tokens: answer.cache_write,
        cache_read_input_tokens: answer.cache_read,
        cache_creation: CacheCreation {
            ephemeral_5m_input_tokens: answer.cache_write,
            ephemeral_1h_input_tokens: 0,
        },
        output_tokens,
        service_tier: "standard",
    }
}

fn call(number: u64, at: usize, name: &str) -> Block {
    // A real client carries these calls out: they change nothing.
    let input = match name {
        "Bash" => serde_json::json!({ "command": "echo the gate is open", "description": "Say a line" }),
        "Read" => serde_json::json!({ "file_path": "/nowhere/sandbox.rs" }),
        _ => serde_json::json!({ "file_path": "/nowhere/sandbox.rs", "note": words(number, 8) }),
    };
    Block::ToolUse { id: format!("toolu_sandbox_{number:06}_{at}"), name: name.to_owned(), input }
}

/// A block as it begins, and what is then added to it.
fn spell(block: Block, words: usize) -> (Block, Vec<Delta>) {
    match block {
        Block::Thinking { thinking, signature } => {
            let mut deltas: Vec<_> =
                chunks(&thinking, words).into_iter().map(|thinking| Delta::Thinking { thinking }).collect();
            deltas.push(Delta::Signature { signature });
            (Block::Thinking { thinking: String::new(), signature: String::new() }, deltas)
        }
        Block::Text { text } => {
            let deltas = chunks(&text, words).into_iter().map(|text| Delta::Text { text }).collect();
            (Block::Text { text: String::new() }, deltas)
        }
        Block::ToolUse { id, name, input } => {
            let begun = Block::ToolUse { id, name, input: serde_json::json!({}) };
            let first = Delta::InputJson { partial_json: String::new() };
            let rest = chunks(&input.to_string(), words)
                .into_iter()
                .map(|partial_json| Delta::InputJson { partial_json });
            (begun, std::iter::once(first).chain(rest).collect())
        }
    }
}

/// A text in pieces of so many words, each with the blank behind it.
fn chunks(text: &str, words: usize) -> Vec<String> {
    let all: Vec<&str> = text.split_inclusive(' ').collect();
    all.chunks(words).map(<[_]>::concat).collect()
}

fn words(number: u64, length: u32) -> String {
    let from = usize::try_from(number % WORDS.len() as u64).unwrap_or_default();
    let words: Vec<_> = WORDS.iter().cycle().skip(from).take(length as usize).copied().collect();
    words.join(" ")
}

fn written(event: &Event) -> Bytes {
    let name = match event {
        Event::MessageStart { .. } => "message_start",
        Event::Ping => "ping",
        Event::ContentBlockStart { .. } => "content_block_start",
        Event::ContentBlockDelta { .. } => "content_block_delta",
        Event::ContentBlockStop { .. } => "content_block_stop",
        Event::MessageDelta { .. } => "message_delta",
        Event::MessageStop => "message_stop",
        Event::Error { .. } => "error",
    };
    let data = serde_json::to_string(event).expect("plain structs become JSON");
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("plain structs become JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(max_tokens: Option<u32>) -> Asked {
        Asked { model: "claude-opus-5-5".into(), stream: true, max_tokens }
    }

    fn names(events: &[Bytes]) -> Vec<String> {
        let name = |event: &Bytes| {
            let text = String::from_utf8(event.to_vec()).unwrap();
            text.lines().next().unwrap().trim_start_matches("event: ").to_owned()
        };
        events.iter().map(name).collect()
    }

    #[test]
    fn a_stream_has_every_event_in_anthropics_order() {
        let asked = asked(None);
        let turn = Turn { asked: &asked, number: 1, bytes: 400 };
        let answer = Answer { tokens: 4, tools: vec!["Bash".into()], words: 50, ..Answer::default() };
        let events = events(&answer, &turn);
        assert_eq!(
            names(&events),
            [
                "message_start",
                "ping",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
        );
        insta::assert_snapshot!(String::from_utf8(events.concat()).unwrap());
    }

    #[test]
    fn the_whole_document_says_what_the_stream_says() {
        let asked = asked(None);
        let turn = Turn { asked: &asked, number: 3, bytes: 400 };
        let answer = Answer { tokens: 40, thinking: 9, cache_read: 5, ..Answer::default() };
        let document: serde_json::Value = serde_json::from_slice(&document(&answer, &turn)).unwrap();
        let mut text = String::new();
        for event in events(&answer, &turn) {
            let event = String::from_utf8(event.to_vec()).unwrap();
            let data: serde_json::Value =
                serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap();
            text += data["delta"]["text"].as_str().unwrap_or_default();
            if data["type"] == "message_delta" {
                assert_eq!(data["usage"], document["usage"]);
            }
        }
        assert_eq!(document["content"][1]["text"], text);
        assert_eq!(document["usage"]["output_tokens"], 49);
        assert_eq!(document["usage"]["input_tokens"], 100);
    }

    #[test]
    fn an_answer_ends_at_max_tokens() {
        let asked = asked(Some(3));
        let turn = Turn { asked: &asked, number: 1, bytes: 4 };
        let answer = Answer { tokens: 40, tools: vec!["Bash".into()], ..Answer::default() };
        let document: serde_json::Value = serde_json::from_slice(&document(&answer, &turn)).unwrap();
        assert_eq!(document["stop_reason"], "max_tokens");
        assert_eq!(document["usage"]["output_tokens"], 3);
        assert_eq!(document["content"].as_array().unwrap().len(), 1);
    }
}
