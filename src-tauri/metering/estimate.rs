//! How many tokens a request would be, said without asking its upstream: text by tiktoken's encoding, the rest
//! by rule. An estimate is rough either way, for no public tokenizer is Claude's; whoever shows it says so.
//!
//! | part | counted as |
//! | --- | --- |
//! | text, thinking, names, JSON of tools and of tool calls | tokens of `cl100k_base`, or a token for each 4 bytes once it takes too long |
//! | each message | 4 more |
//! | tools, if there are any | 346 more, the prompt that makes them known (Anthropic's tool-use pages) |
//! | an image | 1,600, the most that Anthropic's pages on vision state for one |
//! | a PDF | 2,250 for each 100,000 characters of it, and once at least |
//!
//! The sum is taken times 1.3 for Claude models from 4.7 on, whose tokenizer makes about so much more.

use serde_json::Value;

use super::tokens;

const PER_MESSAGE: u64 = 4;
const TOOLS: u64 = 346;
const IMAGE: u64 = 1600;
const PDF: u64 = 2250;
const PDF_CHARACTERS: u64 = 100_000;
/// Text is counted in pieces of this size, between which the time is looked at. A word that is torn by it can come to a
/// token more than tiktoken says.
const PIECE: usize = 4096;
/// Nobody means deeper content than this.
const DEEPEST: usize = 16;

/// What a request is thought to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// At least 1.
    pub tokens: u64,
    /// Some of it was counted by bytes: the time was up, it was no JSON, or a text could not be taken apart.
    pub is_rough: bool,
}

impl Estimate {
    /// Estimates a request of Anthropic's Messages API. Once `is_late` says so, what is left is counted by
    /// its bytes.
    pub fn of(body: &[u8], model: Option<&str>, is_late: impl Fn() -> bool) -> Self {
        let mut count = Count { is_late: &is_late, tokens: 0, is_rough: false };
        match serde_json::from_slice::<Value>(body) {
            Ok(request) => count.request(&request),
            // The upstreams may read it all the same, such as half a surrogate pair.
            Err(_) => count.by_bytes(body.len()),
        }
        let tokens =
            if makes_more(model.unwrap_or_default()) { count.tokens * 13 / 10 } else { count.tokens };
        Self { tokens: tokens.max(1), is_rough: count.is_rough }
    }
}

/// Whether a model has the tokenizer that came with Opus 4.7. Of a name without a version nobody knows.
fn makes_more(model: &str) -> bool {
    let mut words = model.split(['-', '.', '@', '/']).skip_while(|word| *word != "claude").skip(1);
    let version = |word: &str| word.parse::<u32>().ok().filter(|number| *number < 100);
    let Some(major) = words.find_map(version) else { return false };
    let minor = words.next().and_then(version).unwrap_or(0);
    (major, minor) >= (4, 7)
}

struct Count<'a> {
    is_late: &'a dyn Fn() -> bool,
    tokens: u64,
    is_rough: bool,
}

impl Count<'_> {
    fn request(&mut self, request: &Value) {
        self.content(&request["system"], 0);
        for message in request["messages"].as_array().into_iter().flatten() {
            self.tokens += PER_MESSAGE;
            self.content(&message["content"], 0);
        }
        if let Some(tools) = request["tools"].as_array().filter(|tools| !tools.is_empty()) {
            self.tokens += TOOLS;
            for tool in tools {
                self.json(tool);
            }
        }
    }

    /// A text, or a list of blocks.
    fn content(&mut self, content: &Value, depth: usize) {
        match content {
            Value::String(text) => self.text(text),
            Value::Array(blocks) if depth < DEEPEST => {
                for block in blocks {
                    self.block(block, depth);
                }
            }
            Value::Null => {}
            other => self.json(other),
        }
    }

    fn block(&mut self, block: &Value, depth: usize) {
        match block["type"].as_str().unwrap_or_default() {
            "text" => self.content(&block["text"], depth),
            "thinking" => self.content(&block["thinking"], depth),
            // What is redacted is not read again as text, and its length says nothing.
            "redacted_thinking" => {}
            "tool_use" | "server_tool_use" => {
                self.content(&block["name"], depth);
                self.json(&block["input"]);
            }
            "tool_result" => self.content(&block["content"], depth + 1),
            "image" => self.tokens += IMAGE,
            "document" => self.document(block, depth),
            _ => self.json(block),
        }
    }

    fn document(&mut self, block: &Value, depth: usize) {
        self.content(&block["title"], depth);
        self.content(&block["context"], depth);
        let source = &block["source"];
        match source["type"].as_str().unwrap_or_default() {
            "text" => self.content(&source["data"], depth),
            "content" => self.content(&source["content"], depth + 1),
            _ => {
                let characters = source["data"].as_str().map_or(0, str::len) as u64;
                self.tokens += PDF * characters.div_ceil(PDF_CHARACTERS).max(1);
            }
        }
    }

    fn json(&mut self, value: &Value) {
        if !value.is_null() {
            self.text(&value.to_string());
        }
    }

    fn text(&mut self, mut text: &str) {
        while !text.is_empty() {
            if (self.is_late)() {
                return self.by_bytes(text.len());
            }
            let end = text.floor_char_boundary(PIECE);
            match tokens::count(&text[..end]) {
                Some(tokens) => self.tokens += tokens,
                None => self.by_bytes(end),
            }
            text = &text[end..];
        }
    }

    fn by_bytes(&mut self, bytes: usize) {
        self.tokens += (bytes as u64).div_ceil(4);
        self.is_rough = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(body: &str) -> u64 {
        let estimate = Estimate::of(body.as_bytes(), Some("claude-opus-4-5"), || false);
        assert!(!estimate.is_rough, "{body}");
        estimate.tokens
    }

    #[test]
    fn every_kind_of_content_is_counted() {
        let with =
            |content: &str| tokens(&format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#));
        let none = with("[]");
        assert_eq!(none, PER_MESSAGE);
        for content in [
            r#""hello world""#,
            r#"[{"type":"text","text":"hello world"}]"#,
            r#"[{"type":"thinking","thinking":"hello world","signature":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]"#,
            r#"[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"hello world"}]}]"#,
            r#"[{"type":"document","source":{"type":"text","data":"hello world"}}]"#,
        ] {
            assert_eq!(with(content), none + 2, "{content}");
        }
        assert!(with(r#"[{"type":"tool_use","name":"Read","input":{"path":"a"}}]"#) > none + 4);
        assert!(with(r#"[{"type":"of_tomorrow","words":"hello world"}]"#) > none + 4);
        let image = r#"[{"type":"image","source":{"type":"base64","data":"AAAA"}}]"#;
        assert_eq!(with(image), none + IMAGE);
        let pdf = format!(
            r#"[{{"type":"document","source":{{"type":"base64","data":"{}"}}}}]"#,
            "A".repeat(100_001)
        );
        assert_eq!(with(&pdf), none + 2 * PDF);
        assert!(tokens(r#"{"system":"hello world","tools":[{"name":"x"}]}"#) > TOOLS + 2);
    }

    #[test]
    fn newer_tokenizers_make_more() {
        for newer in
            ["claude-opus-4-7", "claude-opus-5-5", "claude-sonnet-5", "eu.anthropic.claude-haiku-5-5-v1:0"]
        {
            assert!(makes_more(newer), "{newer}");
        }
        for older in [
            "claude-opus-4-6",
            "claude-haiku-4-5-20251001",
            "claude-3-5-haiku",
            "claude-opus-4-20250514",
            "gpt-9",
            "",
        ] {
            assert!(!makes_more(older), "{older}");
        }
    }

    #[test]
    fn s14_once_the_time_is_up_it_is_counted_by_bytes_and_said_to_be_rough() {
        let body = r#"{"messages":[{"role":"user","content":"12345678"}]}"#;
        let late = Estimate::of(body.as_bytes(), None, || true);
        assert_eq!(late, Estimate { tokens: PER_MESSAGE + 2, is_rough: true });
    }

    #[test]
    fn hostile_bodies_cost_no_more_than_their_time() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let nested = (0..60)
            .fold(r#""x""#.to_owned(), |inner, _| format!(r#"[{{"type":"tool_result","content":{inner}}}]"#));
        let nested = format!(r#"{{"messages":[{{"content":{nested}}}]}}"#);
        let word = format!(r#"{{"system":"{}"}}"#, "a".repeat(40_000));
        for body in
            ["", "null", "[]", "\u{0}", r#"{"messages":7}"#, r#"{"system":"\ud83d"}"#, &deep, &nested, &word]
        {
            assert!(Estimate::of(body.as_bytes(), Some("claude-"), || false).tokens >= 1);
        }
    }
}
