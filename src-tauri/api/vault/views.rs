//! The shapes of where secrets live.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::views::perhaps_sent_by_its_owner;
use crate::{
    accounts::homes::{Left, Look, Moved, Owner, Stand},
    secrets::{SecretName, Secured, Sensitive, VaultKind},
};

/// Where secrets live, and how it stands with that.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VaultView {
    /// Where they live and whether that works, in sentences.
    pub says: String,
    pub kind: VaultKind,
    pub secured: Secured,
    /// What the settings choose; absent where they leave it open.
    pub chosen: Option<VaultKind>,
    /// When it was looked at last; absent before the first look, which a start takes aside.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub looked_at: Option<Timestamp>,
    /// Why it does not work, with a next step; absent where an item of our own was put, read back and removed.
    pub problem: Option<String>,
    /// How many secrets are in it; absent where that is not known.
    pub secrets: Option<u32>,
    /// Secrets that no account owns.
    pub orphans: Vec<OrphanView>,
    /// Accounts that can't serve for lack of theirs.
    pub missing: Vec<MissingView>,
    /// What a move that was broken off has left, in a sentence with a next step.
    pub left: Option<String>,
    /// Whether `clean` can do something about that.
    pub can_clean_left: bool,
    /// The move that is under way.
    pub moving: Option<MovingView>,
    /// The last move that ended since the start.
    pub last_move: Option<MovedView>,
    /// All that is wrong, each in a sentence with a next step.
    pub troubles: Vec<String>,
}

/// A secret that no account owns.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrphanView {
    /// `account/17`
    pub name: String,
    /// What the account was called to which it belonged, where that is known.
    pub account: Option<String>,
}

/// An account that lacks its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MissingView {
    pub id: i64,
    pub name: String,
    /// It needs a sign-in, not a key.
    pub signed_in: bool,
}

/// A move under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MovingView {
    pub to: VaultKind,
    pub done: u32,
    /// 0 while the new home is still being opened.
    pub of: u32,
}

/// A move that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MovedView {
    pub to: VaultKind,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many secrets were moved; absent if none was.
    pub secrets: Option<u32>,
    /// Why none was, with a next step.
    pub problem: Option<String>,
}

/// Where to move.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveOrder {
    pub to: VaultKind,
    /// Seals a sealed file that is not there yet, in place of a key file; opens one that is.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub passphrase: Option<Sensitive<String>>,
    /// Whether it goes on where accounts lack their secrets in both homes; otherwise nothing is moved then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anyway: bool,
}

/// What to delete.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanOrder {
    /// The names of orphans. One that is no orphan any more is left alone.
    #[serde(default)]
    pub orphans: Vec<String>,
    /// Opens a sealed file in which a move has left something.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub passphrase: Option<Sensitive<String>>,
}

/// How to seal the sealed file.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealOrder {
    /// The passphrase that it has; left out where it has a key file.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub current: Option<Sensitive<String>>,
    /// The one that it gets; left out for a key file.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub passphrase: Option<Sensitive<String>>,
}

impl VaultView {
    pub(in crate::api) fn of(stand: Stand) -> Self {
        let (says, troubles) = (stand.says(), stand.troubles());
        let look = stand.look.as_ref();
        let found = look.and_then(|look| look.found.as_ref().ok());
        let orphans = found.map(|found| found.orphans.as_slice()).unwrap_or_default();
        let missing = found.map(|found| found.missing.as_slice()).unwrap_or_default();
        Self {
            says,
            kind: stand.kind,
            secured: stand.secured,
            chosen: stand.chosen,
            looked_at: look.map(|look| look.at),
            problem: look.and_then(|look| look.found.as_ref().err()).map(ToString::to_string),
            secrets: found.map(|found| count(found.secrets)),
            orphans: orphans.iter().map(|name| OrphanView::of(name, look)).collect(),
            missing: missing.iter().map(MissingView::of).collect(),
            left: stand.left.map(Left::says),
            can_clean_left: matches!(stand.left, Some(Left::Copies(_) | Left::Old(_))),
            moving: stand.moving.map(|moving| MovingView {
                to: moving.to,
                done: count(moving.done),
                of: count(moving.of),
            }),
            last_move: stand.last.map(MovedView::of),
            troubles,
        }
    }
}

impl OrphanView {
    fn of(name: &SecretName, look: Option<&Look>) -> Self {
        let called = look.and_then(|look| look.called.get(name));
        Self { name: name.to_string(), account: called.map(ToString::to_string) }
    }
}

impl MissingView {
    fn of(owner: &Owner) -> Self {
        Self { id: owner.id.0, name: owner.name.to_string(), signed_in: owner.is_signed_in }
    }
}

impl MovedView {
    fn of(moved: Moved) -> Self {
        let (secrets, problem) = match moved.outcome {
            Ok(secrets) => (Some(count(secrets)), None),
            Err(why) => (None, Some(why.to_string())),
        };
        Self { to: moved.to, at: moved.at, secrets, problem }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
