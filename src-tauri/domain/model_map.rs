//! Under which name an account's upstream knows a model that clients ask for by another.

use std::{collections::BTreeMap, sync::Arc};

/// Model names, asked and sent. Mostly empty; clones share it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelMap(Option<Arc<BTreeMap<Arc<str>, Arc<str>>>>);

/// As many names as one account may translate.
const MOST: usize = 64;
/// The longest name of a model, in bytes.
const LONGEST: usize = 256;

/// Why a map was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadModelMap {
    #[error("a model's name has 1 to {LONGEST} printable characters and no blanks; \"{0}\" has not")]
    Name(String),
    #[error("a model is translated by its whole name, and \"{0}\" is a pattern: name each model")]
    Pattern(String),
    #[error("an account translates at most {MOST} model names")]
    TooMany,
}

impl ModelMap {
    /// Takes a map. A name that is mapped to itself is left out.
    ///
    /// # Errors
    /// [`BadModelMap`], which says what to change.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadModelMap> {
        let mut map = BTreeMap::new();
        for (asked, sent) in pairs {
            let (asked, sent) = (name(&asked)?, name(&sent)?);
            if asked != sent {
                map.insert(asked, sent);
            }
            if map.len() > MOST {
                return Err(BadModelMap::TooMany);
            }
        }
        Ok(Self((!map.is_empty()).then(|| Arc::new(map))))
    }

    /// Refuses patterns, but for those of `before`: they were taken for names once, and keep nobody from changing the
    /// rest.
    ///
    /// # Errors
    /// [`BadModelMap::Pattern`]
    pub fn refuse_new_patterns(&self, before: &Self) -> Result<(), BadModelMap> {
        let is_new = |(asked, sent): &(&Arc<str>, &Arc<str>)| before.sent(asked) != Some(sent);
        let mut names = self.iter().filter(is_new).flat_map(|(asked, sent)| [asked, sent]);
        match names.find(|name| name.contains('*')) {
            Some(pattern) => Err(BadModelMap::Pattern(pattern.to_string())),
            None => Ok(()),
        }
    }

    /// What is sent in place of the model that was asked for; `None` where it goes up as it is.
    pub fn sent(&self, asked: &str) -> Option<&Arc<str>> {
        self.0.as_ref()?.get(asked)
    }

    /// Every pair, by the name that is asked for.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// Whether nothing is translated.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn name(typed: &str) -> Result<Arc<str>, BadModelMap> {
    let name = typed.trim();
    let fits = !name.is_empty() && name.len() <= LONGEST;
    if !fits || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let shown = name.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(BadModelMap::Name(shown));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Result<ModelMap, BadModelMap> {
        ModelMap::new(pairs.iter().map(|(asked, sent)| ((*asked).to_owned(), (*sent).to_owned())))
    }

    #[test]
    fn a_model_is_translated_by_its_whole_name_alone() {
        let map = map(&[(" claude-opus-5-5 ", "glm-5.2"), ("same", "same")]).unwrap();
        assert_eq!(map.sent("claude-opus-5-5").map(AsRef::as_ref), Some("glm-5.2"));
        assert_eq!(map.sent("claude-opus-5-5-20260901"), None);
        assert_eq!(map.sent("same"), None, "a change that changes nothing is none");
    }

    #[test]
    fn a_pattern_was_kept_as_a_model_of_that_name() {
        let (kept, none) = (map(&[("claude-*", "glm-5.2")]).unwrap(), ModelMap::default());
        assert_eq!(kept.refuse_new_patterns(&none), Err(BadModelMap::Pattern("claude-*".into())));
        let more = map(&[("claude-*", "glm-5.2"), ("claude-opus-5-5", "glm-5.2")]).unwrap();
        assert_eq!(more.refuse_new_patterns(&kept), Ok(()), "an old one keeps nobody from adding to it");
        let other = map(&[("claude-*", "glm-*")]).unwrap();
        assert!(other.refuse_new_patterns(&kept).is_err());
    }

    #[test]
    fn a_name_that_no_model_has_is_refused() {
        for bad in ["", "  ", "a b", "a\u{1b}[0m", &"x".repeat(257)] {
            assert!(map(&[(bad, "b")]).is_err() && map(&[("a", bad)]).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..=MOST).map(|n| (format!("m{n}"), "x".to_owned())).collect();
        assert_eq!(ModelMap::new(many), Err(BadModelMap::TooMany));
    }
}
