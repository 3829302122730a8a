//! What came of it: medians over the rounds, ratios of the same round, and the budgets beside them. Ratios
//! are taken within a round, so that a busy moment of the machine weighs on both of their sides.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use crate::scenarios::{CPU, DELAY_P99, FIRST_P99, P50, RATE, RSS, quantile};

/// The ways that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    Direct,
    Nginx,
    Headgate,
}

impl Via {
    /// In the table and the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Headgate => "Headgate",
        }
    }
}

/// Added latency, which is made of two ways' figures.
const ADDED: &str = "added p50 µs";
/// From exec to the line that says that it listens.
pub const START: &str = "start ms";
/// Of a Headgate that has just started.
pub const IDLE_RSS: &str = "idle RSS MiB";

/// What Headgate may cost (docs/PERFORMANCE.md).
enum Budget {
    AtMost(f64),
    OfNginxAtMost(f64),
    OfNginxAtLeast(f64),
}

use Budget::{AtMost, OfNginxAtLeast, OfNginxAtMost};

const BUDGETS: [(&str, &str, Budget); 14] = [
    ("json", RATE, OfNginxAtLeast(0.7)),
    ("json", CPU, OfNginxAtMost(1.75)),
    ("burst", RATE, OfNginxAtLeast(1.0)),
    ("burst", CPU, OfNginxAtMost(1.25)),
    ("burst-50k", RATE, OfNginxAtLeast(1.0)),
    ("burst-50k", CPU, OfNginxAtMost(1.25)),
    ("paced", CPU, OfNginxAtMost(1.25)),
    ("paced", DELAY_P99, OfNginxAtMost(1.5)),
    ("alone", ADDED, AtMost(150.0)),
    ("alone-90k", ADDED, AtMost(150.0)),
    ("held", RSS, AtMost(64.0)),
    ("held", FIRST_P99, AtMost(10_000.0)),
    ("start", START, AtMost(150.0)),
    ("start", IDLE_RSS, AtMost(30.0)),
];

/// Everything that was seen.
#[derive(Default)]
pub struct Report {
    /// Scenarios and their titles, in the order in which they ran.
    titles: Vec<(&'static str, &'static str)>,
    /// By scenario and figure, in the order in which they came: each way's value in each round.
    rows: Vec<(&'static str, &'static str, Rounds)>,
}

type Rounds = BTreeMap<Via, BTreeMap<usize, f64>>;

impl Report {
    /// Announces a scenario.
    pub fn title(&mut self, scenario: &'static str, title: &'static str) {
        self.titles.push((scenario, title));
    }

    /// Takes in one figure.
    pub fn add(
        &mut self,
        scenario: &'static str,
        via: Via,
        round: usize,
        (name, value): (&'static str, f64),
    ) {
        let found = self.rows.iter().position(|(of, figure, _)| (*of, *figure) == (scenario, name));
        let at = found.unwrap_or_else(|| {
            self.rows.push((scenario, name, Rounds::new()));
            self.rows.len() - 1
        });
        self.rows[at].2.entry(via).or_default().insert(round, value);
    }

    /// Works out what is made of other figures; after the last round.
    pub fn complete(&mut self) {
        let latencies = self.rows.iter().filter(|(_, name, _)| *name == P50);
        let added: Vec<_> = latencies
            .map(|(scenario, _, rounds)| {
                let mut added = rounds.clone();
                let direct = added.remove(&Via::Direct).unwrap_or_default();
                for values in added.values_mut() {
                    for (round, value) in values {
                        *value -= direct.get(round).copied().unwrap_or(0.0);
                    }
                }
                (*scenario, ADDED, added)
            })
            .collect();
        self.rows.extend(added);
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (scenario, title) in &self.titles {
            let _ = writeln!(text, "\n{title} ({scenario})");
            let _ = writeln!(
                text,
                "  {:<26}{:>10}{:>10}{:>10}{:>10}{:>10}   budget",
                "", "direct", "nginx", "Headgate", "/ nginx", "/ direct"
            );
            for (_, name, rounds) in self.rows.iter().filter(|(of, ..)| of == scenario) {
                let value = |via| number(rounds.get(&via).and_then(median));
                let _ = writeln!(
                    text,
                    "  {name:<26}{:>10}{:>10}{:>10}{:>10}{:>10}   {}",
                    value(Via::Direct),
                    value(Via::Nginx),
                    value(Via::Headgate),
                    number(ratio(rounds, Via::Nginx)),
                    number(ratio(rounds, Via::Direct)),
                    verdict(scenario, name, rounds),
                );
            }
        }
        text
    }

    /// All of it, each round's value too.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(scenario, name, rounds)| {
            let values: serde_json::Map<String, Value> = rounds
                .iter()
                .map(|(via, values)| (via.word().to_lowercase(), json!(values.values().collect::<Vec<_>>())))
                .collect();
            json!({
                "scenario": scenario, "figure": name, "rounds": values,
                "of_nginx": ratio(rounds, Via::Nginx), "of_direct": ratio(rounds, Via::Direct),
                "budget": verdict(scenario, name, rounds),
            })
        });
        rows.collect()
    }
}

/// Headgate's share of another way's value: the median of the rounds' ratios.
fn ratio(rounds: &Rounds, of: Via) -> Option<f64> {
    let (ours, theirs) = (rounds.get(&Via::Headgate)?, rounds.get(&of)?);
    let pairs = ours.iter().filter_map(|(round, ours)| Some((*round, ours / theirs.get(round)?)));
    median(&pairs.filter(|(_, ratio)| ratio.is_finite()).collect())
}

fn median(values: &BTreeMap<usize, f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.values().copied().collect();
    (!values.is_empty()).then(|| quantile(&mut values, 0.5))
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() < 10.0 => format!("{value:.2}"),
        Some(value) if value.abs() < 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

fn verdict(scenario: &str, name: &str, rounds: &Rounds) -> String {
    let Some((.., budget)) = BUDGETS.iter().find(|(of, figure, _)| (*of, *figure) == (scenario, name)) else {
        return String::new();
    };
    let (text, seen, is_within) = match budget {
        AtMost(limit) => {
            let seen = rounds.get(&Via::Headgate).and_then(median);
            (format!("≤ {limit}"), seen, seen.is_some_and(|seen| seen <= *limit))
        }
        OfNginxAtMost(limit) => {
            let seen = ratio(rounds, Via::Nginx);
            (format!("≤ {limit} × nginx"), seen, seen.is_some_and(|seen| seen <= *limit))
        }
        OfNginxAtLeast(limit) => {
            let seen = ratio(rounds, Via::Nginx);
            (format!("≥ {limit} × nginx"), seen, seen.is_some_and(|seen| seen >= *limit))
        }
    };
    match (seen, is_within) {
        (None, _) => format!("{text}: not measured"),
        (Some(_), true) => format!("{text}: met"),
        (Some(_), false) => format!("{text}: missed"),
    }
}
