//! One model as a list names it. What an upstream says of its models is a stranger's word: it is bounded
//! here, before anybody keeps or repeats it.

use std::sync::Arc;

/// A model's id with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What a request names: 1 to 128 printable characters without blanks.
    pub id: Arc<str>,
    /// What people call it.
    pub title: Option<Arc<str>>,
    /// Tokens of context; `None` where nobody has said.
    pub context: Option<u32>,
}

const MAX_ID: usize = 128;
const MAX_TITLE: usize = 128;

impl Model {
    /// Takes a model as it was told. An id that no request could name is none, and a title that would not
    /// fit on a line is left out.
    pub fn told(id: &str, title: Option<&str>, context: Option<u64>) -> Option<Self> {
        let is_id = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = |title: &&str| {
            !title.trim().is_empty() && title.len() <= MAX_TITLE && !title.chars().any(char::is_control)
        };
        is_id.then(|| Self {
            id: id.into(),
            title: title.filter(fits).map(Into::into),
            context: context.and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_tells_is_bounded() {
        let long = "x".repeat(129);
        for id in ["", "two words", "line\nbreak", "\u{7}", "naïve", &long] {
            assert_eq!(Model::told(id, None, None), None, "{id:?}");
        }
        let told = Model::told("glm-5", Some("a\u{1b}[31mtitle"), Some(u64::MAX)).unwrap();
        assert_eq!((told.title, told.context), (None, None));
    }
}
