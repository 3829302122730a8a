//! Bindings: who is led to which pool. Refuses a subject that nothing could match.

use std::sync::Arc;

use super::{PlanError, put, room_for};
use crate::{
    accounts::{Roster, roster::lock},
    domain::{Binding, BindingId, PoolId, Subject},
    store::{NewBindingRow, StoreError},
};

/// As many bindings as there may be: each request is held against all of them.
const MOST_BINDINGS: usize = 256;
/// The longest name of a project, a type of agent or a folder.
pub(super) const LONGEST_SUBJECT: usize = 1024;

/// A binding to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBinding {
    /// The one that it had, if it is put back.
    pub id: Option<BindingId>,
    pub subject: Subject,
    pub pool: PoolId,
    pub strict: bool,
}

impl Roster {
    /// Binds something to a pool, or puts a binding back. Whether a key is there is the caller's to know.
    ///
    /// # Errors
    /// As [`Roster::add_pool`]. One that is put back may point at a pool that is gone.
    pub fn add_binding(&self, new: NewBinding) -> Result<Binding, PlanError> {
        let subject = checked(new.subject)?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let bindings = &snapshot.plan.bindings;
        room_for("bindings", bindings.len(), MOST_BINDINGS)?;
        if bindings.iter().any(|known| Some(known.id) == new.id) {
            return Err(PlanError::IdTaken("binding"));
        }
        if bindings.iter().any(|known| known.subject == subject) {
            return Err(PlanError::Bound(subject.to_string()));
        }
        if new.id.is_none() && snapshot.plan.pool(new.pool).is_none() {
            return Err(PlanError::NoPool);
        }
        let created_at = inner.clock.now();
        let row = NewBindingRow { id: new.id, subject, pool: new.pool, strict: new.strict, created_at };
        let added = inner.store.add_binding(&row);
        let binding = added.map_err(|error| match error {
            StoreError::NameTaken => PlanError::Bound(row.subject.to_string()),
            other => other.into(),
        })?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).bindings, binding.clone(), |one| one.id));
        Ok(binding)
    }

    /// Binds to another pool, or more or less strictly.
    ///
    /// # Errors
    /// As [`Roster::add_pool`].
    pub fn change_binding(
        &self,
        id: BindingId,
        pool: Option<PoolId>,
        strict: Option<bool>,
    ) -> Result<Binding, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let known = snapshot.plan.bindings.iter().find(|known| known.id == id);
        let mut binding = known.cloned().ok_or(PlanError::NoBinding)?;
        if pool.is_some_and(|id| snapshot.plan.pool(id).is_none()) {
            return Err(PlanError::NoPool);
        }
        binding.pool = pool.unwrap_or(binding.pool);
        binding.strict = strict.unwrap_or(binding.strict);
        inner.store.save_binding(&binding)?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).bindings, binding.clone(), |one| one.id));
        Ok(binding)
    }

    /// Removes a binding, and gives it back.
    ///
    /// # Errors
    /// If there is no such binding, or the store refuses.
    pub fn remove_binding(&self, id: BindingId) -> Result<Binding, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let known = snapshot.plan.bindings.iter().find(|known| known.id == id);
        let binding = known.cloned().ok_or(PlanError::NoBinding)?;
        inner.store.remove_binding(id)?;
        self.replan(|next| Arc::make_mut(&mut next.plan).bindings.retain(|binding| binding.id != id));
        Ok(binding)
    }
}

/// A subject as it can be compared: without blanks around it, and a folder without a separator at its end.
fn checked(subject: Subject) -> Result<Subject, PlanError> {
    let word = |text: String| {
        let text = text.trim();
        let fits = (1..=LONGEST_SUBJECT).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(PlanError::BadSubject)
        }
    };
    Ok(match subject {
        Subject::Key(_) | Subject::Role(_) => subject,
        Subject::Project(name) => Subject::Project(word(name)?),
        Subject::AgentType(kind) => Subject::AgentType(word(kind)?),
        Subject::Directory(path) => Subject::Directory(folder(word(path)?)?),
    })
}

/// `/work/`, `C:\work` and `\\host\share` are folders from the root on, of whatever system the client is.
fn folder(path: String) -> Result<String, PlanError> {
    let bytes = path.as_bytes();
    let has_drive = bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    if !(path.starts_with(['/', '\\']) || has_drive && matches!(bytes[2], b'/' | b'\\')) {
        return Err(PlanError::BadFolder);
    }
    let trimmed = path.trim_end_matches(['/', '\\']);
    Ok(if trimmed.is_empty() { "/".into() } else { trimmed.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_kept_without_its_last_separator_and_a_relative_one_is_refused() {
        for (typed, kept) in [
            ("/work/a/", "/work/a"),
            ("/", "/"),
            (r"C:\work\", r"C:\work"),
            (r"\\host\share", r"\\host\share"),
        ] {
            let subject = checked(Subject::Directory(typed.into())).unwrap();
            assert_eq!(subject, Subject::Directory(kept.into()));
        }
        for typed in ["work", "./work", "C:work", "~"] {
            let refused = checked(Subject::Directory(typed.into()));
            assert!(matches!(refused, Err(PlanError::BadFolder)), "{typed}");
        }
        for typed in ["", " ", "a\nb", &"x".repeat(2000)] {
            let refused = checked(Subject::Project(typed.into()));
            assert!(matches!(refused, Err(PlanError::BadSubject)), "{typed:?}");
        }
    }
}
