//! Request bodies for the benches, shaped like Claude Code's: a model, long system text, tools with their
//! schemas, a conversation full of escaped code, and the session inside `metadata.user_id`. The same
//! bytes every time, so that two runs can be compared.

use bytes::Bytes;
use serde_json::{Value, json};

/// A page of ordinary code: a line break and some blanks every forty characters, a quote now and then.
const CODE: &str = r#"impl Snapshot {
    /// The account with this id.
    pub fn get(&self, id: AccountId) -> Option<&Arc<Contender>> {
        self.0.iter().find(|contender| contender.account.id == id)
    }

    /// Says which accounts there are, for a log.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|contender| contender.account.name.as_str()).collect();
        if names.is_empty() {
            return "no account".to_owned();
        }
        names.join(", ")
    }
}
"#;
const PROSE: &str =
    "Read the file first, then change as little as the task allows, and run the tests again. ";

/// A body of about `size` bytes. `stream` stands near its end, as it does on the wire.
pub fn of_size(size: usize, stream: bool) -> Bytes {
    let mut messages = vec![user("Why does this test fail?")];
    let mut body = with(&messages, size, stream);
    while body.len() + 2_000 < size {
        messages.push(tool_use(messages.len()));
        messages.push(tool_result(messages.len()));
        body = with(&messages, size, stream);
    }
    let rest = "x".repeat(size.saturating_sub(body.len() + 80));
    messages.push(user(&rest));
    with(&messages, size, stream)
}

fn with(messages: &[Value], size: usize, stream: bool) -> Bytes {
    // Small bodies carry no tools: nobody's tools fit into them.
    let tools: Vec<Value> = (0..size / 4_000).map(tool).collect();
    let body = json!({
        "model": "claude-opus-5-5",
        "max_tokens": 32_000,
        "system": [{ "type": "text", "text": PROSE.repeat(size / 1_000), "cache_control": { "type": "ephemeral" } }],
        "tools": tools,
        "messages": messages,
        "metadata": { "user_id": "{\"device_id\":\"0f3c\",\"account_uuid\":\"\",\"session_id\":\"5d2c7a1e-0000-4000-8000-000000000001\"}" },
        "stream": stream,
    });
    body.to_string().into()
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": [{ "type": "text", "text": text }] })
}

fn tool_use(n: usize) -> Value {
    json!({ "role": "assistant", "content": [
        { "type": "text", "text": PROSE },
        { "type": "tool_use", "id": format!("toolu_{n:06}"), "name": "Edit", "input": { "path": "src/main.rs", "new": CODE } },
    ] })
}

fn tool_result(n: usize) -> Value {
    json!({ "role": "user", "content": [
        { "type": "tool_result", "tool_use_id": format!("toolu_{n:06}"), "content": CODE },
    ] })
}

fn tool(n: usize) -> Value {
    json!({ "name": format!("Tool{n}"), "description": PROSE.repeat(3), "input_schema": {
        "type": "object", "required": ["path"], "properties": {
            "path": { "type": "string", "description": "An absolute path" },
            "limit": { "type": "integer", "minimum": 1 },
        },
    } })
}
