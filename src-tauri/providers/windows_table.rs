//! `windows.toml` as it is used: how the headers of one kind of limit look, what stands in them, and what each
//! window is called here. A mistake in the table is found by a test, not by a user.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{Family, WindowName};

const TEXT: &str = include_str!("windows.toml");
/// Longer names are no upstream's.
const MAX_NAME: usize = 64;

/// An entry of the table as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    header: String,
    fields: BTreeMap<String, Means>,
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    not: Vec<String>,
    r#as: Option<String>,
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    spent: Vec<String>,
    #[serde(default)]
    allowed: Vec<String>,
    full_is_spent: Option<bool>,
    #[serde(default)]
    refills: bool,
    #[serde(default)]
    every_model: Vec<String>,
    #[serde(default)]
    per_family: bool,
    #[serde(default)]
    informs: bool,
}

/// What stands in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Means {
    Share,
    Percent,
    Limit,
    Remaining,
    Used,
    Minutes,
    Status,
    Epoch,
    Date,
    Span,
    Seconds,
    Milliseconds,
    Time,
}

/// What a catalog says in its `windows`: a dialect, or an entry of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Told {
    Dialect(String),
    Own(Box<Entry>),
}

/// An entry made ready.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// What every one of its headers begins with.
    pub prefix: String,
    /// `{window}-{field}`, `{field}-{window}` or `{field}` alone.
    order: Order,
    /// With the hyphen that parts it from the window.
    fields: Vec<(String, Means)>,
    only: Vec<String>,
    not: Vec<String>,
    /// What stands around a window's own name.
    called: (String, String),
    /// Those that are sure to come, so that their names are made once.
    known: Vec<Known>,
    every_model: Option<Vec<String>>,
    pub spent: Vec<String>,
    pub allowed: Vec<String>,
    pub full: Full,
    pub refills: bool,
    pub informs: bool,
}

/// What it means that all of a window is used, where no word says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// It refuses until it starts anew.
    Spent,
    /// The same, where nobody says when that is; else its end tells, and a refusal what is refused.
    SpentWithoutReset,
    /// Nothing.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    WindowField,
    FieldWindow,
    Field,
}

#[derive(Debug, Clone)]
struct Known {
    window: String,
    /// For a request of each family, and of none that is known.
    names: [WindowName; Family::ALL.len() + 1],
}

/// Where a header belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub window: &'a str,
    pub means: Means,
}

/// Every dialect, by its name.
pub(super) fn dialects() -> Result<BTreeMap<String, Vec<Entry>>, String> {
    toml::from_str(TEXT).map_err(|error| error.to_string())
}

/// What one provider's replies are read by.
pub(super) fn patterns(
    told: Vec<Told>,
    dialects: &BTreeMap<String, Vec<Entry>>,
) -> Result<Vec<Pattern>, String> {
    let mut patterns = Vec::new();
    for told in told {
        match told {
            Told::Own(entry) => patterns.push(Pattern::of(&entry)?),
            Told::Dialect(name) => {
                let entries = dialects.get(&name).ok_or(format!("windows.toml has no {name}"))?;
                for entry in entries {
                    patterns.push(Pattern::of(entry)?);
                }
            }
        }
    }
    Ok(patterns)
}

/// What stands behind this beginning, which is never empty. Names of one provider begin alike, and each is held against
/// each pattern: where the last letter of it differs, the rest is not compared.
fn behind<'a>(name: &'a str, beginning: &str) -> Option<&'a str> {
    let last = name.as_bytes().get(beginning.len() - 1);
    if last == beginning.as_bytes().last() { name.strip_prefix(beginning) } else { None }
}

/// What stands before this end, in the same way.
fn before<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    let last = name.as_bytes().last();
    if last == end.as_bytes().last() { name.strip_suffix(end) } else { None }
}

impl Pattern {
    fn of(entry: &Entry) -> Result<Self, String> {
        let header = &entry.header;
        let (order, prefix) = [
            (Order::WindowField, "{window}-{field}"),
            (Order::FieldWindow, "{field}-{window}"),
            (Order::Field, "{field}"),
        ]
        .into_iter()
        .find_map(|(order, end)| Some((order, header.strip_suffix(end)?)))
        .ok_or(format!("{header} does not end in a field and a window"))?;
        if prefix.is_empty() || prefix.contains('{') || prefix.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("{header} is no header's name in lower case"));
        }
        let called = match (&entry.r#as, order) {
            (Some(called), Order::Field) => (called.clone(), String::new()),
            (None, Order::Field) => return Err(format!("{header} does not say what its window is called")),
            (Some(called), _) => called
                .split_once("{window}")
                .map(|(before, after)| (before.to_owned(), after.to_owned()))
                .ok_or(format!("{header}: `as` has no {{window}}"))?,
            (None, _) => (String::new(), String::new()),
        };
        if entry.fields.is_empty() {
            return Err(format!("{header} has no fields"));
        }
        let field = |(name, means): (&String, &Means)| {
            let name = match order {
                Order::WindowField => format!("-{name}"),
                Order::FieldWindow => format!("{name}-"),
                Order::Field => name.clone(),
            };
            (name, *means)
        };
        let every_model =
            (!entry.every_model.is_empty() || entry.per_family).then(|| entry.every_model.clone());
        let mut pattern = Self {
            prefix: prefix.to_owned(),
            order,
            fields: entry.fields.iter().map(field).collect(),
            only: entry.only.clone(),
            not: entry.not.clone(),
            called,
            known: Vec::new(),
            every_model,
            spent: entry.spent.clone(),
            allowed: entry.allowed.clone(),
            full: match entry.full_is_spent {
                Some(true) => Full::Spent,
                None if !entry.refills && !entry.informs => Full::SpentWithoutReset,
                Some(false) | None => Full::Open,
            },
            refills: entry.refills,
            informs: entry.informs,
        };
        let alone = if order == Order::Field { vec![String::new()] } else { Vec::new() };
        let sure = entry.only.iter().chain(&entry.every_model).chain(entry.names.keys()).chain(&alone);
        for window in sure {
            let called = entry.names.get(window).cloned();
            let name = |family| {
                let name = called.clone().unwrap_or_else(|| pattern.spell(window, family));
                WindowName(name.into())
            };
            let names =
                std::array::from_fn(|place| name(place.checked_sub(1).map(|place| Family::ALL[place])));
            pattern.known.push(Known { window: window.clone(), names });
        }
        Ok(pattern)
    }

    /// Where a header belongs, if it is one of this kind.
    pub fn place<'a>(&self, header: &'a str) -> Option<Place<'a>> {
        let rest = behind(header, &self.prefix)?;
        let parted = |(field, means): &(String, Means)| {
            let window = match self.order {
                Order::WindowField => before(rest, field).filter(|window| !window.is_empty())?,
                Order::FieldWindow => behind(rest, field).filter(|window| !window.is_empty())?,
                Order::Field => (rest == field).then_some("")?,
            };
            Some(Place { window, means: *means })
        };
        let is_one = |place: &Place<'_>| {
            let is = |name: &String| name == place.window;
            (self.order == Order::Field || self.only.is_empty() || self.only.iter().any(is))
                && !self.not.iter().any(is)
        };
        self.fields.iter().filter_map(parted).find(is_one)
    }

    /// What a window is called here when a request of this family was answered; `None` for a name that nobody
    /// would give.
    pub fn name(&self, window: &str, family: Option<Family>, is_of_counts: bool) -> Option<WindowName> {
        if is_of_counts {
            let name = format!("count_tokens-{}", self.spell(window, None));
            return (name.len() <= MAX_NAME).then(|| WindowName(name.into()));
        }
        if let Some(known) = self.known.iter().find(|known| known.window == window) {
            let place = family.and_then(|family| Family::ALL.iter().position(|known| *known == family));
            return Some(known.names[place.map_or(0, |place| place + 1)].clone());
        }
        let name = self.spell(window, family);
        (name.len() <= MAX_NAME).then(|| WindowName(name.into()))
    }

    fn spell(&self, window: &str, family: Option<Family>) -> String {
        let (before, after) = &self.called;
        let limits_one =
            self.every_model.as_ref().is_some_and(|every| !every.iter().any(|name| name == window));
        match family.filter(|_| limits_one && Family::of(window).is_none()) {
            Some(family) => format!("{before}{window}{after}_{family}"),
            None => format!("{before}{window}{after}"),
        }
    }
}
