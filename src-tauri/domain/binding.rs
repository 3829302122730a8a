//! Bindings: what is bound to a pool. A key, a project, a directory, a role or a type of agent is served by its
//! pool first; with `strict` it is served by nobody else.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Ask, KeyId, PoolId};

/// One binding, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct BindingId(pub i64);

/// A binding as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Stable for life.
    pub id: BindingId,
    /// What is bound.
    pub subject: Subject,
    /// To which pool. One that is gone binds nothing, but a strict binding to it lets nobody serve.
    pub pool: PoolId,
    /// Refuse rather than leave the pool. Two strict bindings of one request to two pools leave nobody.
    pub strict: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What can be bound. Of several bindings that fit a request, the one counts that stands first here; of two
/// directories the inner one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// What comes with this key.
    Key(KeyId),
    /// What is asked from this folder, or from one inside it.
    Directory(String),
    /// What belongs to the project of this name.
    Project(String),
    /// What agents of this type ask.
    AgentType(String),
    /// What is asked in this role.
    Role(Role),
}

impl Subject {
    /// How closely it fits a request; `None` if it does not. More is closer.
    pub fn fit(&self, ask: &Ask) -> Option<usize> {
        let is = |word: &Option<Arc<str>>, bound: &str| word.as_deref() == Some(bound);
        let fits = match self {
            Self::Key(key) => ask.key == Some(*key),
            Self::Directory(outer) => ask.directory.as_ref().is_some_and(|inner| is_inside(inner, outer)),
            Self::Project(project) => is(&ask.project, project),
            Self::AgentType(kind) => is(&ask.agent_type, kind),
            Self::Role(role) => ask.role == Some(*role),
        };
        fits.then_some(match self {
            Self::Key(_) => usize::MAX,
            Self::Directory(outer) => 3 + trimmed(outer).len(),
            Self::Project(_) => 2,
            Self::AgentType(_) => 1,
            Self::Role(_) => 0,
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {}", id.0),
            Self::Directory(path) => write!(f, "folder {path}"),
            Self::Project(name) => write!(f, "project {name}"),
            Self::AgentType(kind) => write!(f, "agents of type {kind}"),
            Self::Role(role) => write!(f, "role {}", role.word()),
        }
    }
}

/// Folders by their names, separated as any system does it. `/work/a` is not inside `/work/ab`.
fn is_inside(inner: &str, outer: &str) -> bool {
    let outer = trimmed(outer);
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
}

/// Without the separators at its end; the root of all folders is the beginning of each.
fn trimmed(folder: &str) -> &str {
    folder.trim_end_matches(['/', '\\'])
}

/// What a request is for, as Claude Code says it (`x-claude-code-request-class`, sent with
/// `CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`; its gateway guide lists the classes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The conversation with the user.
    Main,
    /// An agent that the conversation has started.
    Subagent,
    /// A step of a workflow.
    Workflow,
    /// Making a long conversation short.
    Compaction,
    /// Titles, summaries and whatever else goes on beside.
    Auxiliary,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Main, Self::Subagent, Self::Workflow, Self::Compaction, Self::Auxiliary];

    /// The word for SQL, the wire and the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Subagent => "subagent",
            Self::Workflow => "workflow",
            Self::Compaction => "compaction",
            Self::Auxiliary => "auxiliary",
        }
    }

    /// The role of this word. A class that a later client invents is none.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_itself_and_what_is_inside_it() {
        for (inner, outer, is) in [
            ("/work/a", "/work/a", true),
            ("/work/a/b", "/work/a/", true),
            ("/work/ab", "/work/a", false),
            ("/work", "/work/a", false),
            ("/anything", "/", true),
            (r"C:\work\a", r"C:\work", true),
            (r"C:\workshop", r"C:\work", false),
        ] {
            assert_eq!(is_inside(inner, outer), is, "{inner} in {outer}");
        }
    }

    #[test]
    fn who_asks_binds_closer_than_where_and_where_closer_than_what_for() {
        let ask = Ask {
            key: Some(KeyId(7)),
            directory: Some("/work/a/b".into()),
            project: Some("a".into()),
            agent_type: Some("reviewer".into()),
            role: Some(Role::Subagent),
            ..Ask::default()
        };
        let fits = [
            Subject::Key(KeyId(7)),
            Subject::Directory("/work/a".into()),
            Subject::Directory("/work/".into()),
            Subject::Project("a".into()),
            Subject::AgentType("reviewer".into()),
            Subject::Role(Role::Subagent),
        ]
        .map(|subject| subject.fit(&ask));
        assert!(fits.iter().all(Option::is_some) && fits.is_sorted_by(|a, b| a > b), "{fits:?}");
        for other in [Subject::Key(KeyId(8)), Subject::Project("b".into()), Subject::Role(Role::Main)] {
            assert_eq!(other.fit(&ask), None, "{other}");
            assert_eq!(other.fit(&Ask::default()), None, "what is not known fits nothing");
        }
    }

    #[test]
    fn a_role_is_known_again_by_its_word() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.word()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert_eq!(Role::of("dreaming"), None);
    }
}
