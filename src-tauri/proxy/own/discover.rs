//! Asks each account's own upstream for its models: in the background, one account after the other, within
//! bounds of pages, bytes and time. Nobody waits for it, and nothing it hears changes an account's standing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::question::{self, NoAnswer, VERSION};
use crate::{
    accounts::key_of,
    domain::{AccountName, Model},
    proxy::{Gateway, upstream::Upstreams},
    routing::Contender,
    tasks::Tasks,
};

/// All pages of one upstream have to be here by then.
const PATIENCE: Duration = Duration::from_secs(20);
const MAX_PAGES: usize = 5;

/// Who was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// How many.
    pub accounts: u64,
    /// Those of whom no answer came that could be read, and why, as a sentence without its beginning.
    pub silent: Vec<(AccountName, Arc<str>)>,
    /// Those whose upstream answers, and says that it has no such list; as a sentence without its beginning.
    pub listless: Vec<(AccountName, Arc<str>)>,
}

/// Asks every account that has not been asked for so long, over connections of its own. Once `stopping` completes it
/// ends, whoever is left.
pub async fn ask_for_models(
    gateway: &Gateway,
    tasks: &Tasks,
    older_than: Duration,
    stopping: impl Future<Output = ()>,
) -> Asked {
    let upstreams = gateway.upstreams_aside(tasks);
    let mut stopping = std::pin::pin!(stopping);
    let mut told = Asked::default();
    for due in gateway.roster.unasked_for(older_than) {
        // As it stands now: those before it may have taken minutes, and a new key is for a new address alone.
        let Some(contender) = gateway.roster.still_unasked_for(due.account.id, older_than) else { continue };
        let asked = tokio::time::timeout(PATIENCE, ask(gateway, &upstreams, &contender));
        let said = tokio::select! {
            said = asked => said.unwrap_or_else(|_| Err(NoAnswer::of("it did not answer in time"))),
            () = &mut stopping => return told,
        };
        told.accounts += 1;
        if let Err(no_answer) = &said {
            let name = contender.account.name.clone();
            match no_answer.status {
                Some(
                    status @ (StatusCode::NOT_FOUND
                    | StatusCode::METHOD_NOT_ALLOWED
                    | StatusCode::NOT_IMPLEMENTED),
                ) => {
                    let why = format!("it tells no list ({})", status.as_u16());
                    told.listless.push((name, why.into()));
                }
                _ => told.silent.push((name, Arc::clone(&no_answer.why))),
            }
        }
        let said = said.ok();
        let roster = gateway.roster.clone();
        let kept = tasks.spawn_blocking(move || roster.learn_models(&contender, said)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "an account's models could not be written down");
        }
    }
    told
}

/// Every page of what it says, or why there is nothing that we understand.
async fn ask(
    gateway: &Gateway,
    upstreams: &Upstreams,
    contender: &Contender,
) -> Result<Vec<Model>, NoAnswer> {
    let mut models = Vec::new();
    let mut target = String::from("/v1/models?limit=1000");
    for _ in 0..MAX_PAGES {
        let page = page(gateway, upstreams, contender, &target).await?;
        let page = read(&page).ok_or_else(|| NoAnswer::of("its answer is no list of models"))?;
        models.extend(page.models);
        match page.next {
            Some(last) => target = format!("/v1/models?limit=1000&after_id={}", escaped(&last)),
            None => break,
        }
    }
    Ok(models)
}

async fn page(
    gateway: &Gateway,
    upstreams: &Upstreams,
    contender: &Contender,
    target: &str,
) -> Result<Bytes, NoAnswer> {
    let key = key_of(contender).ok_or_else(|| NoAnswer::of("it has no key any more"))?;
    let target = target.parse().map_err(|_| NoAnswer::of("the next page of its list can't be asked for"))?;
    let version = (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(VERSION));
    question::ask(gateway, upstreams, contender, key, &target, &[version]).await
}

struct Page {
    models: Vec<Model>,
    /// The id behind which the next page begins, if there is one.
    next: Option<Arc<str>>,
}

/// What a page says. An entry that is none costs itself and not the others.
fn read(page: &[u8]) -> Option<Page> {
    #[derive(Deserialize)]
    struct Told {
        data: Vec<Value>,
        #[serde(default)]
        has_more: Value,
    }
    let told: Told = serde_json::from_slice(page).ok()?;
    let text = |entry: &Value, name| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let model = |entry: &Value| {
        let title = text(entry, "display_name");
        let context = entry.get("max_input_tokens").and_then(Value::as_u64);
        Model::told(&text(entry, "id")?, title.as_deref(), context)
    };
    let models: Vec<Model> = told.data.iter().filter_map(model).collect();
    let last = models.last().map(|model| Arc::clone(&model.id));
    Some(Page { models, next: last.filter(|_| told.has_more == Value::Bool(true)) })
}

/// For a query: everything but letters, digits and a few signs as `%XX`.
fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &str) -> Option<Vec<String>> {
        Some(read(page.as_bytes())?.models.iter().map(|model| model.id.to_string()).collect())
    }

    #[test]
    fn an_odd_entry_costs_itself_and_not_the_list() {
        let page = r#"{"data":[null,7,"a",[],{},{"id":null},{"id":"two words"},{"id":"good"},
            {"id":"titled","display_name":7,"max_input_tokens":"many"},{"id":9}],"has_more":"yes"}"#;
        assert_eq!(ids(page).unwrap(), ["good", "titled"]);
        assert_eq!(read(page.as_bytes()).unwrap().next, None);
        let more = r#"{"data":[{"id":"good"},{"id":{}}],"has_more":true}"#;
        assert_eq!(read(more.as_bytes()).unwrap().next.as_deref(), Some("good"));
        assert!(
            read(br#"{"data":[{"id":7}],"has_more":true}"#).unwrap().next.is_none(),
            "there is no way on"
        );
        for none in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[}"#] {
            assert_eq!(ids(none), None, "{none}");
        }
    }
}
