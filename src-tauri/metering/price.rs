//! What a reply costs by the public price list (`prices.toml`). Knows a model by its id, never by its
//! family, and says "unknown" rather than guess. Whether anybody pays that price is not known here: an
//! account on a plan pays otherwise.

use std::sync::Arc;

use foldhash::HashMap;
use serde::Deserialize;

use crate::domain::{CachePrice, Family, Micros, Usage};

const TEXT: &str = include_str!("prices.toml");

/// The price list. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Prices(Arc<List>);

#[derive(Debug)]
struct List {
    by_model: HashMap<String, Price>,
    /// The dearest of each kind of token: of each family, and of all.
    dearest: Vec<(Option<Family>, Price)>,
}

/// Thousandths of a micro-dollar per token: the cheapest kind of token costs 80 of them.
#[derive(Debug, Clone, Copy)]
struct Price {
    input: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    cache_read: u64,
    output: u64,
    dated: bool,
    regional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    ids: Vec<String>,
    input: f64,
    cache_write_5m: f64,
    cache_write_1h: f64,
    cache_read: f64,
    output: f64,
    #[serde(default)]
    dated: bool,
    #[serde(default)]
    regional: bool,
}

/// A model's id without what clouds put around it.
struct Plain<'a> {
    id: &'a str,
    dated: bool,
    regional: bool,
}

impl Prices {
    /// The list that this program was built with.
    pub fn built_in() -> Self {
        Self::parse(TEXT).expect("the built-in price list is read by a test")
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let text: Text = toml::from_str(text)?;
        let prices = text.model.into_iter().flat_map(|entry| {
            let price = Price::of(&entry);
            entry.ids.into_iter().map(move |id| (id, price))
        });
        let by_model: HashMap<String, Price> = prices.collect();
        let dearest = |family: Option<Family>| {
            let is_of = |id: &str| family.is_none() || Family::of(id) == family;
            let of_family = by_model.iter().filter(|(id, _)| is_of(id)).map(|(_, price)| *price);
            Some((family, of_family.reduce(Price::dearer)?))
        };
        let families = Family::ALL.into_iter().map(Some).chain([None]);
        let dearest = families.filter_map(dearest).collect();
        Ok(Self(Arc::new(List { by_model, dearest })))
    }

    /// What this usage of this model costs; `None` where the model's price, the terms or the counts of input
    /// and output are not known. A reply that tells of no cache has used none, and one that does not tell the
    /// two kinds of cache writes apart comes from an upstream that knows only the shorter.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<Micros> {
        let (input, output) = (usage.input?, usage.output?);
        if usage.is_off_list {
            return None;
        }
        let (price, plain) = self.find(model)?;
        let sum = price.sum(input, output, usage);
        Some(micros(if plain.regional && price.regional { sum * 11 / 10 } else { sum }))
    }

    /// What this usage would cost at the dearest price of the model's family, or of the whole list where it has none
    /// there, in a region. No price of it: something that a cap can count, so that what is not on the list is not free.
    /// `None` where no tokens were told of.
    pub fn at_most(&self, model: &str, usage: &Usage) -> Option<Micros> {
        let family = Family::of(model);
        let of = |family| self.0.dearest.iter().find(|(known, _)| *known == family);
        let (_, price) = of(family).or_else(|| of(None))?;
        let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
        let sum = price.sum(input, output, usage) * 11 / 10;
        (usage.total() > 0).then(|| micros(sum))
    }

    /// What a token of this model's prompt costs from the cache and into it; `None` where the model's price is not
    /// known.
    pub fn of_cache(&self, model: &str) -> Option<CachePrice> {
        let (price, plain) = self.find(model)?;
        let here = |each| if plain.regional && price.regional { each * 11 / 10 } else { each };
        Some(CachePrice {
            read: here(price.cache_read),
            write: here(price.cache_write_5m),
            write_1h: here(price.cache_write_1h),
        })
    }

    /// What a token of plain input of this model costs, in thousandths of a micro-dollar; `None` where the model's
    /// price is not known.
    pub fn of_input(&self, model: &str) -> Option<u64> {
        let (price, plain) = self.find(model)?;
        Some(if plain.regional && price.regional { price.input * 11 / 10 } else { price.input })
    }

    fn find<'a>(&self, model: &'a str) -> Option<(Price, Plain<'a>)> {
        let plain = Plain::of(model);
        let price = self.0.by_model.get(plain.id).filter(|price| price.dated || !plain.dated)?;
        Some((*price, plain))
    }
}

impl Price {
    fn of(entry: &Entry) -> Self {
        Self {
            input: thousandths(entry.input),
            cache_write_5m: thousandths(entry.cache_write_5m),
            cache_write_1h: thousandths(entry.cache_write_1h),
            cache_read: thousandths(entry.cache_read),
            output: thousandths(entry.output),
            dated: entry.dated,
            regional: entry.regional,
        }
    }

    /// In thousandths of a micro-dollar.
    fn sum(&self, input: u64, output: u64, usage: &Usage) -> u128 {
        let written = usage.cache_write.unwrap_or(0);
        let for_an_hour = usage.cache_write_1h.unwrap_or(0).min(written);
        let kinds = [
            (input, self.input),
            (output, self.output),
            (usage.cache_read.unwrap_or(0), self.cache_read),
            (written - for_an_hour, self.cache_write_5m),
            (for_an_hour, self.cache_write_1h),
        ];
        kinds.into_iter().map(|(tokens, each)| u128::from(tokens) * u128::from(each)).sum()
    }

    /// Of each kind of token the dearer price.
    fn dearer(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cache_write_5m: self.cache_write_5m.max(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
            cache_read: self.cache_read.max(other.cache_read),
            output: self.output.max(other.output),
            ..self
        }
    }
}

/// Of thousandths, to the nearest.
fn micros(thousandths: u128) -> Micros {
    Micros(u64::try_from((thousandths + 500) / 1000).unwrap_or(u64::MAX))
}

/// A dollar per million tokens is a micro-dollar per token.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the list is ours, a test reads it"
)]
fn thousandths(dollars_per_million: f64) -> u64 {
    (dollars_per_million * 1000.0).round() as u64
}

impl<'a> Plain<'a> {
    /// Bedrock writes `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`, Vertex `claude-haiku-4-5@20251001`.
    fn of(model: &'a str) -> Self {
        // A name without a full stop names no maker, and looking for one costs more.
        let maker = model.contains('.').then(|| model.split_once("anthropic.")).flatten();
        let (region, id) = match maker {
            Some((region, id)) if region.is_empty() || region.ends_with('.') => (Some(region), id),
            _ => (None, model),
        };
        let id = if region.is_some() { without_version(id) } else { id };
        let undated = id.rsplit_once(['-', '@']).filter(|(_, date)| is_date(date)).map(|(id, _)| id);
        Self {
            id: undated.unwrap_or(id),
            dated: undated.is_some(),
            regional: region.is_some_and(|region| region != "global."),
        }
    }
}

/// Without Bedrock's `-v1:0`.
fn without_version(id: &str) -> &str {
    match id.rsplit_once("-v") {
        Some((id, version)) if version.bytes().all(|b| b.is_ascii_digit() || b == b':') => id,
        _ => id,
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 8 && text.starts_with("20") && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(model: &str, usage: Usage) -> Option<u64> {
        Prices::built_in().cost(model, &usage).map(|micros| micros.0)
    }

    fn a_million_in() -> Usage {
        Usage { input: Some(1_000_000), output: Some(0), ..Usage::default() }
    }

    #[test]
    fn what_has_no_price_may_cost_as_much_as_the_dearest_of_its_family_and_never_nothing() {
        let at_most =
            |model: &str, usage: &Usage| Prices::built_in().at_most(model, usage).map(|most| most.0);
        let million = a_million_in();
        assert_eq!(cost("claude-sonnet-9", million), None, "it is still unknown");
        assert_eq!(at_most("claude-sonnet-9", &million), Some(3_300_000));
        assert_eq!(at_most("claude-opus-9", &million), Some(16_500_000));
        assert_eq!(at_most("glm-5", &million), Some(16_500_000), "of no family, it is the dearest of all");
        assert_eq!(at_most("glm-5", &Usage::default()), None);
        for model in ["claude-opus-5", "claude-haiku-3-5", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"] {
            assert!(at_most(model, &million) >= cost(model, million), "{model}");
        }
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let usage = Usage {
            input: Some(1_000),
            output: Some(2_000),
            cache_read: Some(100_000),
            cache_write: Some(30_000),
            cache_write_1h: Some(10_000),
            is_off_list: false,
        };
        // 5,000 + 50,000 + 50,000 + 20,000 × 6.25 + 10,000 × 10
        assert_eq!(cost("claude-opus-4-8", usage), Some(330_000));
        let tiny = Usage { input: Some(1), output: Some(0), cache_read: Some(7), ..Usage::default() };
        assert_eq!(cost("claude-haiku-3-5", tiny), Some(1), "0.8 and 0.56 are rounded once, as a sum");
    }

    #[test]
    fn a_model_that_is_not_listed_has_no_price_whatever_its_family() {
        for model in ["claude-opus-5-5", "claude-haiku-5-5", "gpt-5.5", "", "claude-opus", "claude-opus-4-80"]
        {
            assert_eq!(cost(model, a_million_in()), None, "{model}");
        }
        assert_eq!(cost("claude-opus-4-8-20260101", a_million_in()), None, "from 4.6 on ids carry no date");
    }

    #[test]
    fn dated_and_cloud_ids_are_known_by_rule() {
        for (model, micros) in [
            ("claude-haiku-4-5", 1_000_000),
            ("claude-haiku-4-5-20251001", 1_000_000),
            ("claude-haiku-4-5@20251001", 1_000_000),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_000_000),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_300_000),
            ("anthropic.claude-opus-4-6-v1", 5_500_000),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", 3_000_000),
        ] {
            assert_eq!(cost(model, a_million_in()), Some(micros), "{model}");
        }
    }

    #[test]
    fn a_prompt_costs_from_the_cache_and_into_it_what_the_list_says() {
        let of = |model| Prices::built_in().of_cache(model).map(|price| (price.read, price.write));
        assert_eq!(of("claude-haiku-4-5"), Some((100, 1_250)), "thousandths of a micro-dollar a token");
        assert_eq!(of("eu.anthropic.claude-haiku-4-5-20251001-v1:0"), Some((110, 1_375)));
        assert_eq!(of("claude-opus-5-5"), None);
        let plain = |model| Prices::built_in().of_input(model);
        assert_eq!(plain("claude-haiku-4-5"), Some(1_000));
        assert_eq!(plain("eu.anthropic.claude-haiku-4-5-20251001-v1:0"), Some(1_100));
        assert_eq!(plain("claude-opus-5-5"), None);
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let no_output = Usage { input: Some(5), ..Usage::default() };
        assert_eq!(cost("claude-opus-5", no_output), None);
        assert_eq!(cost("claude-opus-5", Usage::default()), None);
        assert_eq!(cost("claude-opus-5", Usage { is_off_list: true, ..a_million_in() }), None);
    }

    #[test]
    fn a_count_beyond_reason_is_the_most_there_is() {
        let usage = Usage { input: Some(u64::MAX), output: Some(u64::MAX), ..Usage::default() };
        assert_eq!(cost("claude-opus-5", usage), Some(u64::MAX));
    }

    #[test]
    fn cache_prices_follow_their_rule() {
        for (id, price) in &Prices::built_in().0.by_model {
            assert_eq!(price.cache_write_5m * 4, price.input * 5, "{id}");
            assert_eq!(price.cache_write_1h, price.input * 2, "{id}");
            assert_eq!(price.cache_read * 10, price.input, "{id}");
            assert_eq!(price.output, price.input * 5, "{id}: a back-test weighs output so");
        }
    }
}
