//! Which models an account is known to have, made for looking one up in a few nanoseconds. A model that is not
//! listed may be there all the same: aliases, new models and gateways are like that.

use crate::domain::Model;

/// What is known of one account's models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// Its upstream has said which it has, so that what it did not name is doubtful.
    is_told: bool,
    /// By the digest of the id, sorted; with the tokens of context, 0 where nobody has said.
    listed: Box<[(u64, u32)]>,
}

/// What is known of one model at one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::routing) enum Offer {
    /// It is there.
    Listed {
        /// Tokens that it reads.
        context: Option<u32>,
    },
    /// Its upstream has said which models it has, and this is none of them.
    Unlisted,
    /// Nobody has said.
    Unknown,
}

/// A model that is looked for, digested once for all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::routing) struct Sought {
    named: u64,
    undated: u64,
}

impl Offers {
    /// From what is known of the provider's models, and what the account's own upstream said, if it did.
    pub fn new(known: &[Model], told: Option<&[Model]>) -> Self {
        let told = told.filter(|told| !told.is_empty());
        let mut listed: Vec<(u64, u32)> = Vec::new();
        // What the upstream itself says of a model comes first, and counts.
        for model in told.unwrap_or_default().iter().chain(known) {
            let is_there =
                told.is_none_or(|told| told.iter().any(|one| undated(&one.id) == undated(&model.id)));
            if is_there {
                let context = model.context.unwrap_or(0);
                // A list has the dated name, and clients use the other one.
                listed.extend([(digest(&model.id), context), (digest(undated(&model.id)), context)]);
            }
        }
        listed.sort_by_key(|(digest, context)| (*digest, *context == 0));
        listed.dedup_by_key(|(digest, _)| *digest);
        Self { is_told: told.is_some(), listed: listed.into() }
    }

    pub(in crate::routing) fn find(&self, model: Sought) -> Offer {
        let at = |digest| self.listed.binary_search_by_key(&digest, |(known, _)| *known).ok();
        match at(model.named).or_else(|| at(model.undated)) {
            Some(at) => Offer::Listed { context: Some(self.listed[at].1).filter(|tokens| *tokens > 0) },
            None if self.is_told => Offer::Unlisted,
            None => Offer::Unknown,
        }
    }
}

impl Sought {
    pub(in crate::routing) fn of(model: &str) -> Self {
        Self { named: digest(model), undated: digest(undated(model)) }
    }
}

/// Without the date at its end: `claude-haiku-4-5-20251001` and `claude-haiku-4-5@20251001` are the same model.
fn undated(model: &str) -> &str {
    let is_date = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_digit());
    match model.rsplit_once(['-', '@']) {
        Some((rest, end)) if is_date(end) && !rest.is_empty() => rest,
        _ => model,
    }
}

/// FNV-1a, 64 bits. Two names of one list that meet in it would be taken for each other, which harms nobody:
/// an account is asked first or last for it.
fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(id: &str, context: Option<u64>) -> Model {
        Model::told(id, None, context).unwrap()
    }

    fn find(offers: &Offers, id: &str) -> Offer {
        offers.find(Sought::of(id))
    }

    #[test]
    fn a_model_is_found_with_and_without_its_date() {
        let offers = Offers::new(
            &[],
            Some(&[model("claude-haiku-4-5-20251001", Some(200_000)), model("glm-5", None)]),
        );
        let there = Offer::Listed { context: Some(200_000) };
        for id in ["claude-haiku-4-5-20251001", "claude-haiku-4-5", "claude-haiku-4-5@20251001"] {
            assert_eq!(find(&offers, id), there, "{id}");
        }
        assert_eq!(find(&offers, "glm-5"), Offer::Listed { context: None });
        assert_eq!(find(&offers, "claude-haiku-4"), Offer::Unlisted);
    }

    #[test]
    fn what_nobody_has_listed_is_unknown_and_not_missing() {
        assert_eq!(find(&Offers::default(), "a"), Offer::Unknown);
        let known = [model("a", Some(1_000)), model("b", Some(2_000))];
        assert_eq!(find(&Offers::new(&known, None), "c"), Offer::Unknown, "what we know is not all there is");
        assert_eq!(find(&Offers::new(&known, Some(&[])), "c"), Offer::Unknown, "an empty list says nothing");
    }

    #[test]
    fn an_upstream_says_which_models_it_has_and_we_know_how_long_they_are() {
        let known = [model("a", Some(1_000)), model("b", Some(2_000))];
        let offers = Offers::new(&known, Some(&[model("a-20260101", None), model("x", None)]));
        assert_eq!(find(&offers, "a"), Offer::Listed { context: Some(1_000) });
        assert_eq!(find(&offers, "b"), Offer::Unlisted);
    }
}
