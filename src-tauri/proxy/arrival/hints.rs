//! What a client says of its request beside the request itself: which conversation it belongs to, who asks, in
//! which role, by what kind of agent, for which project, from which folder. It is said in headers that never leave this machine; whatever is odd there is
//! ignored, and nothing is refused for it. What needs a look into the body is looked for only while somebody's
//! decision hangs on it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::{
    domain::{Ask, Needs, Role, Subject, looks_secret},
    formats::{RequestHead, folder_in, is_filled, shows_images},
    proxy::door::meant::quotes_a_key,
    routing::Snapshot,
};

/// Claude Code names the conversation here.
pub const SESSION: &str = "x-claude-code-session-id";
/// Which of its subagents asks.
const AGENT: &str = "x-claude-code-agent-id";
/// What the request is for (Claude Code's gateway guide, "Routing hints").
const ROLE: &str = "x-claude-code-request-class";
/// What kind of agent asks (the same).
const AGENT_TYPE: &str = "x-claude-code-agent-type";
/// Ours: the project that it belongs to.
const PROJECT: &str = "x-headgate-project";
/// Ours: the folder that it is asked from.
const DIRECTORY: &str = "x-headgate-directory";
const BETAS: &str = "anthropic-beta";

/// Longer values of a header are nobody's session, agent or program.
const LONGEST_WORD: usize = 256;
/// A longer name is no project's.
const LONGEST_PROJECT: usize = 64;
/// A longer path is no folder's.
const LONGEST_FOLDER: usize = 1024;

/// Takes in what the headers say, in one pass: to look for each name costs more than to look at each header. Of
/// two that say the same thing, the first counts that makes sense.
pub(super) fn read(headers: &HeaderMap, ask: &mut Ask) {
    fn first<T>(place: &mut Option<T>, said: impl FnOnce() -> Option<T>) {
        *place = place.take().or_else(said);
    }
    for (name, value) in headers {
        // Whoever puts a key there by mistake does not find it in the records.
        let text = || word(value).filter(|word| !quotes_a_key(word.as_bytes())).map(Into::into);
        match name.as_str() {
            SESSION => first(&mut ask.session, text),
            AGENT => first(&mut ask.agent, text),
            "user-agent" => first(&mut ask.client, text),
            ROLE => first(&mut ask.role, || word(value).and_then(Role::of)),
            AGENT_TYPE => first(&mut ask.agent_type, text),
            PROJECT => {
                first(&mut ask.project, || word(value).filter(|name| is_project(name)).map(Into::into));
            }
            DIRECTORY => {
                first(&mut ask.directory, || str::from_utf8(value.as_bytes()).ok().and_then(folder));
            }
            _ => {}
        }
    }
}

/// A header's value as a word, where it can be one.
fn word(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|word| !word.is_empty() && word.len() <= LONGEST_WORD)
}

/// What somebody's decision hangs on beside what every request is looked at for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Something is bound by its folder.
    folder: bool,
    /// There is an account that takes no images.
    images: bool,
    /// There is an account that takes no tools.
    tools: bool,
    /// There is an account that lacks a beta feature.
    betas: bool,
}

impl Wanted {
    /// By these accounts and this plan.
    pub fn by(snapshot: &Snapshot) -> Self {
        let folder =
            snapshot.plan.bindings.iter().any(|binding| matches!(binding.subject, Subject::Directory(_)));
        let lacks = |wanted: Self, lacks: &crate::domain::Lacks| Self {
            images: wanted.images || lacks.images,
            tools: wanted.tools || lacks.tools,
            betas: wanted.betas || !lacks.betas.is_empty(),
            ..wanted
        };
        let all = snapshot.contenders.iter().flat_map(|one| [&one.provider.lacks, &one.account.lacks]);
        all.fold(Self { folder, ..Self::default() }, lacks)
    }

    /// Looks for it.
    pub fn look(self, headers: &HeaderMap, head: &RequestHead<'_>, body: &[u8], ask: &mut Ask) {
        if self.folder && ask.directory.is_none() {
            ask.directory = head.system.and_then(folder_in).as_deref().and_then(folder);
        }
        ask.needs = Needs {
            tokens: None,
            images: self.images && shows_images(body),
            tools: self.tools && is_filled(head.tools),
            betas: if self.betas { betas(headers) } else { None },
        };
    }
}

/// All that stands in headers of this name, as one.
fn betas(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut all = headers.get_all(BETAS).iter();
    let (first, mut rest) = (all.next()?, all.peekable());
    if rest.peek().is_none() {
        return Some(first.clone());
    }
    let joined: Vec<&[u8]> = std::iter::once(first).chain(rest).map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&joined.join(&b","[..])).ok()
}

/// Whether it is a name that can stand in files, addresses and terminals without a second thought. A key that was put
/// there by mistake is none, so that it is written down nowhere.
pub fn is_project(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= LONGEST_PROJECT
        && name.bytes().all(is_plain)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && !looks_secret(name)
}

/// Whether a client can name an agent's type so, in a header.
pub fn is_agent_type(name: &str) -> bool {
    name.len() <= LONGEST_WORD && name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// A folder by its whole path, of whatever system. One that climbs could be inside another than it says.
pub fn folder(path: &str) -> Option<Arc<str>> {
    let path = path.trim();
    let is_whole = path.starts_with('/')
        || path.starts_with(r"\\")
        || matches!(path.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    let is_good = is_whole
        && path.len() <= LONGEST_FOLDER
        && !path.contains(char::is_control)
        && !path.split(['/', '\\']).any(|part| part == "..");
    is_good.then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Binding, BindingId, PoolId};
    use crate::routing::Plan;

    fn asked(pairs: &[(&'static str, &str)]) -> Ask {
        let mut ask = Ask::default();
        read(&headers(pairs), &mut ask);
        ask
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
        pairs.iter().map(|(name, text)| (name.parse().unwrap(), value(text))).collect()
    }

    #[test]
    fn what_claude_code_hints_at_is_read_and_a_class_that_nobody_knows_is_none() {
        let ask = asked(&[(ROLE, "subagent"), (AGENT_TYPE, "code-reviewer")]);
        assert_eq!((ask.role, ask.agent_type.as_deref()), (Some(Role::Subagent), Some("code-reviewer")));
        assert_eq!(asked(&[(ROLE, "dreaming"), (AGENT_TYPE, "")]), Ask::default());
    }

    #[test]
    fn a_project_is_a_plain_name_and_anything_else_is_none() {
        assert_eq!(asked(&[(PROJECT, "web-shop_2.0")]).project.as_deref(), Some("web-shop_2.0"));
        for odd in ["../etc", "a b", "a/b", ".hidden", "naïve", "<script>", &"a".repeat(65)] {
            assert_eq!(asked(&[(PROJECT, odd)]).project, None, "{odd}");
        }
    }

    #[test]
    fn a_key_in_the_name_of_a_client_or_a_session_was_written_into_the_records() {
        let key = format!("hg_{}", "7Yq2Lk9ZpX4vB8nT1cR6wM3sD5fG0hJaKeQuViOxPz2");
        for name in ["user-agent", SESSION, AGENT, AGENT_TYPE] {
            for said in [key.clone(), format!("claude-cli/2.1 ({key})")] {
                assert_eq!(asked(&[(name, &said)]), Ask::default(), "{name}: {said}");
            }
        }
    }

    #[test]
    fn a_key_where_a_project_should_stand_is_none() {
        for secret in ["sk-ant-api03-x7Qp2LmZ9", "hg_7Yq2Lk9ZpX4vB8nT1cR6wM3sD5fG0hJaKeQuViOxPz2"] {
            assert_eq!(asked(&[(PROJECT, secret)]).project, None, "{secret}");
        }
    }

    #[test]
    fn a_folder_is_a_whole_path_that_does_not_climb() {
        for good in ["/work/a", "/wörk/a b", r"C:\work", "c:/work", r"\\server\share"] {
            assert_eq!(asked(&[(DIRECTORY, good)]).directory.as_deref(), Some(good));
        }
        for odd in ["work/a", "~/a", "/work/../etc", r"C:\a\..\b", "a:b", &format!("/{}", "a".repeat(1024))] {
            assert_eq!(asked(&[(DIRECTORY, odd)]).directory, None, "{odd}");
        }
    }

    fn looked(wanted: Wanted, pairs: &[(&'static str, &str)], body: &str) -> Ask {
        let (headers, mut ask) = (headers(pairs), asked(pairs));
        wanted.look(&headers, &RequestHead::read(body.as_bytes()).unwrap(), body.as_bytes(), &mut ask);
        ask
    }

    #[test]
    fn the_prompt_is_asked_for_its_folder_only_while_a_folder_is_bound() {
        let body = r#"{"messages":["Working directory: /lie\n"],"system":"Working directory: /work/a\n"}"#;
        let mut snapshot = Snapshot::default();
        assert_eq!(looked(Wanted::by(&snapshot), &[], body).directory, None);
        let binding = Binding {
            id: BindingId(1),
            subject: Subject::Directory("/work".into()),
            pool: PoolId::MAIN,
            strict: false,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        snapshot.plan = Arc::new(Plan { bindings: vec![binding], ..Plan::default() });
        let wanted = Wanted::by(&snapshot);
        assert_eq!(looked(wanted, &[], body).directory.as_deref(), Some("/work/a"));
        let said = looked(wanted, &[(DIRECTORY, "/other")], body);
        assert_eq!(said.directory.as_deref(), Some("/other"), "what the client says itself goes first");
    }

    #[test]
    fn what_no_account_lacks_is_not_looked_for() {
        let body = r#"{"messages":[{"type":"image"}],"tools":[{}]}"#;
        let pairs = [(BETAS, "a-1"), (BETAS, "b-2")];
        assert_eq!(looked(Wanted::default(), &pairs, body).needs, Needs::default());
        let all = Wanted { folder: false, images: true, tools: true, betas: true };
        let mut headers = headers(&pairs[..1]);
        headers.append(BETAS, HeaderValue::from_static("b-2"));
        let mut ask = Ask::default();
        all.look(&headers, &RequestHead::read(body.as_bytes()).unwrap(), body.as_bytes(), &mut ask);
        assert!(ask.needs.images && ask.needs.tools);
        assert_eq!(ask.needs.betas().collect::<Vec<_>>(), ["a-1", "b-2"]);
    }
}
