//! How guards are written on the command line and shown by it: `--reserve 5h=80`, `--cap month=$50`,
//! `--peak "Mon-Fri 09:00-17:00 Europe/Berlin last"`.

use clap::Args;

use crate::cli::{clients::keys::used, table};
use crate::{
    api::keys::views::BudgetView,
    api::plan::views::{CapOrder, CapsOrder, CapsView, GuardsOrder, GuardsView},
    domain::{Day, Days, MinuteOfDay, Peak, Percent, Reserve, Spare, WindowName, ZoneName},
};

/// What is kept back of an account.
#[derive(Debug, Default, Args)]
pub struct Guarding {
    /// Stop using its windows at this percentage, 1 to 100: 90 for all, 5h=80 for one of them, 5h=none to take that
    /// back, none to take all back. May be repeated.
    #[arg(long = "reserve", value_name = "PERCENT", value_parser = reserve, allow_negative_numbers = true)]
    reserves: Vec<ReserveWord>,
    /// What it may spend, more than nothing: day=2M, week=10M tokens, month=$50, month=none to take that back, none to
    /// take all back. Periods are UTC's. May be repeated.
    #[arg(long = "cap", value_name = "CAP", value_parser = cap, allow_negative_numbers = true)]
    caps: Vec<CapWord>,
    /// Hours in which it is not used: "Mon-Fri 09:00-17:00", with a time zone like Europe/Berlin behind it if it is
    /// not this machine's, and `last` if it is only to come after the others; or none. Replaces those there are; may
    /// be repeated.
    #[arg(long = "peak", value_name = "HOURS", value_parser = peak)]
    peaks: Vec<PeakWord>,
}

#[derive(Debug, Clone, PartialEq)]
enum ReserveWord {
    NoneAtAll,
    None(Option<WindowName>),
    Is(Reserve),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum CapWord {
    NoneAtAll,
    None(Span),
    Is(Span, CapOrder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Day,
    Week,
    Month,
}

#[derive(Debug, Clone, PartialEq)]
enum PeakWord {
    None,
    Is(Peak),
}

const INSTEAD: &str = "to use the account for nothing, pause it with `headgate accounts pause`";

fn reserve(text: &str) -> Result<ReserveWord, String> {
    let usage = || "write 90, 5h=80, 5h=none or none".to_owned();
    let (window, amount) = match text.rsplit_once('=') {
        Some((window, amount)) => (Some(WindowName(window.trim().into())), amount.trim()),
        None if text == "none" => return Ok(ReserveWord::NoneAtAll),
        None => (None, text.trim()),
    };
    if amount == "none" {
        return Ok(ReserveWord::None(window));
    }
    let number = amount.trim_end_matches('%').trim().parse::<u8>().map_err(|_| usage())?;
    let stop_at = Percent::new(number).map_err(|error| error.to_string())?;
    if number == 0 {
        return Err(format!("a reserve stops at 1 % or later; {INSTEAD}"));
    }
    Ok(ReserveWord::Is(Reserve { window, stop_at }))
}

fn cap(text: &str) -> Result<CapWord, String> {
    if text == "none" {
        return Ok(CapWord::NoneAtAll);
    }
    let usage = "write day=2M, week=500k, month=$50, month=none or none";
    let (span, amount) = text.split_once('=').ok_or(usage)?;
    let span = match span.trim() {
        "day" => Span::Day,
        "week" => Span::Week,
        "month" => Span::Month,
        _ => return Err(usage.into()),
    };
    match amount.trim() {
        "none" => Ok(CapWord::None(span)),
        amount => {
            let cap = amount_of(amount).ok_or(usage)?;
            if cap.is_nothing() {
                return Err(format!("a cap is more than nothing; {INSTEAD}"));
            }
            Ok(CapWord::Is(span, cap))
        }
    }
}

/// `$50`, `2M`, `500k`, `1500000`.
pub(in crate::cli) fn amount_of(text: &str) -> Option<CapOrder> {
    if let Some(dollars) = text.strip_prefix('$') {
        let usd = dollars.parse::<f64>().ok().filter(|usd| usd.is_finite())?;
        return Some(CapOrder { usd: Some(usd), tokens: None });
    }
    let (number, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1_000),
        b'm' | b'M' => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    // Up to three decimals, exactly: 1.5M is 1500000.
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !is_number(whole)
        || !is_number(part)
        || part.len() > 3
        || (unit == 1 && number != whole)
    {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse::<u64>().ok()?;
    let tokens = whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(unit / 1_000 * thousandths)?;
    Some(CapOrder { tokens: Some(tokens), usd: None })
}

fn peak(text: &str) -> Result<PeakWord, String> {
    if text.trim() == "none" {
        return Ok(PeakWord::None);
    }
    let usage = "write \"Mon-Fri 09:00-17:00\", with a time zone and `last` behind it if you like, or none";
    let mut words = text.split_whitespace();
    let days = days(words.next().ok_or(usage)?).ok_or(usage)?;
    let (from, to) = words.next().and_then(|hours| hours.split_once('-')).ok_or(usage)?;
    let minute = |text: &str| MinuteOfDay::new(text).map_err(|error| error.to_string());
    let mut peak =
        Peak { days, from: MinuteOfDay::beginning(from)?, to: minute(to)?, zone: None, then: Spare::Unused };
    for word in words {
        match word {
            "last" if peak.then == Spare::Unused => peak.then = Spare::Last,
            zone if peak.zone.is_none() && peak.then == Spare::Unused => {
                peak.zone = Some(ZoneName::new(zone).map_err(|error| error.to_string())?);
            }
            _ => return Err(usage.into()),
        }
    }
    Ok(PeakWord::Is(peak))
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WHOLE_NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// `Mon-Fri`, `Sat,Sun`, `daily`, `Fri-Mon`.
pub(in crate::cli) fn days(text: &str) -> Option<Days> {
    let text = text.to_lowercase();
    let whole = match text.as_str() {
        "daily" => Some(&Day::ALL[..]),
        "weekdays" => Some(&Day::ALL[..5]),
        "weekends" => Some(&Day::ALL[5..]),
        _ => None,
    };
    if let Some(whole) = whole {
        return Some(whole.iter().copied().collect());
    }
    let among = |names: [&str; 7], name: &str| names.iter().position(|known| *known == name);
    let day = |name: &str| among(NAMES, name).or_else(|| among(WHOLE_NAMES, name));
    let mut found = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (day(from)?, day(to)?);
        let many = (to + 7 - from) % 7;
        found.extend((0..=many).map(|on| Day::ALL[(from + on) % 7]));
    }
    Some(found.into_iter().collect())
}

/// What else is kept back of an account, as a back-test takes it: `day=$5`, `5h=80`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct KeptBack(Word);

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Reserve(ReserveWord),
    Cap(CapWord),
}

impl KeptBack {
    /// As `--cap` has it.
    pub fn cap(text: &str) -> Result<Self, String> {
        cap(text).map(|word| Self(Word::Cap(word)))
    }

    /// As `--reserve` has it.
    pub fn reserve(text: &str) -> Result<Self, String> {
        reserve(text).map(|word| Self(Word::Reserve(word)))
    }

    /// The window that it speaks of, if of one.
    pub fn window(&self) -> Option<&WindowName> {
        match &self.0 {
            Word::Reserve(ReserveWord::Is(reserve)) => reserve.window.as_ref(),
            Word::Reserve(ReserveWord::None(window)) => window.as_ref(),
            Word::Reserve(ReserveWord::NoneAtAll) | Word::Cap(_) => None,
        }
    }

    /// What all these make of the guards that there are.
    pub fn change(words: impl Iterator<Item = Self>, now: Option<&GuardsView>) -> GuardsOrder {
        let mut guarding = Guarding::default();
        for Self(word) in words {
            match word {
                Word::Reserve(word) => guarding.reserves.push(word),
                Word::Cap(word) => guarding.caps.push(word),
            }
        }
        guarding.change(now)
    }
}

impl Guarding {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.reserves.is_empty() && self.caps.is_empty() && self.peaks.is_empty()
    }

    /// What can't be meant at once: hours, and that there are none.
    pub fn contradiction(&self) -> Option<&'static str> {
        let is_none = |word: &PeakWord| *word == PeakWord::None;
        let contradicts = self.peaks.iter().any(is_none) && !self.peaks.iter().all(is_none);
        contradicts.then_some(
            "`--peak none` takes all hours back, and hours are named beside it: say one or the other",
        )
    }

    /// What this makes of the guards that there are.
    pub fn change(self, now: Option<&GuardsView>) -> GuardsOrder {
        GuardsOrder {
            reserves: (!self.reserves.is_empty()).then(|| {
                let before = now.map(|now| now.reserves.clone()).unwrap_or_default();
                self.reserves.into_iter().fold(before, put_reserve)
            }),
            caps: (!self.caps.is_empty()).then(|| {
                let before = now.map(|now| order(&now.caps)).unwrap_or_default();
                self.caps.into_iter().fold(before, put_cap)
            }),
            peaks: (!self.peaks.is_empty()).then(|| {
                let peaks = self.peaks.into_iter();
                peaks
                    .filter_map(|word| if let PeakWord::Is(peak) = word { Some(peak) } else { None })
                    .collect()
            }),
        }
    }
}

fn put_reserve(mut reserves: Vec<Reserve>, word: ReserveWord) -> Vec<Reserve> {
    match word {
        ReserveWord::NoneAtAll => reserves.clear(),
        ReserveWord::None(window) => reserves.retain(|known| known.window != window),
        ReserveWord::Is(reserve) => {
            reserves.retain(|known| known.window != reserve.window);
            reserves.push(reserve);
        }
    }
    reserves
}

/// Tokens and money are two caps of one period: naming one leaves the other.
fn put_cap(mut caps: CapsOrder, word: CapWord) -> CapsOrder {
    let place = |caps: &mut CapsOrder, span: Span, cap: Option<CapOrder>| match span {
        Span::Day => caps.day = cap,
        Span::Week => caps.week = cap,
        Span::Month => caps.month = cap,
    };
    match word {
        CapWord::NoneAtAll => caps = CapsOrder::default(),
        CapWord::None(span) => place(&mut caps, span, None),
        CapWord::Is(span, cap) => {
            let before = match span {
                Span::Day => caps.day,
                Span::Week => caps.week,
                Span::Month => caps.month,
            };
            let before = before.unwrap_or_default();
            let cap = CapOrder { tokens: cap.tokens.or(before.tokens), usd: cap.usd.or(before.usd) };
            place(&mut caps, span, Some(cap));
        }
    }
    caps
}

fn order(caps: &CapsView) -> CapsOrder {
    let cap =
        |view: &Option<BudgetView>| view.as_ref().map(|view| CapOrder { tokens: view.tokens, usd: view.usd });
    CapsOrder { day: cap(&caps.day), week: cap(&caps.week), month: cap(&caps.month) }
}

/// In a few words: `stops at 90 %, 5h at 80 %; day: 1.2 M of 2.0 M tokens, $0.00; not used Mon-Fri 09:00-17:00`.
pub fn shown(guards: &GuardsView) -> String {
    let stop = |reserve: &Reserve| match &reserve.window {
        Some(window) => format!("{window} stops at {}", reserve.stop_at),
        None => format!("stops at {}", reserve.stop_at),
    };
    let caps = [("day", &guards.caps.day), ("week", &guards.caps.week), ("month", &guards.caps.month)];
    let caps = caps.into_iter().filter_map(|(name, cap)| Some(format!("{name}: {}", used(cap.as_ref()?))));
    let parts = guards.reserves.iter().map(stop).chain(caps).chain(guards.peaks.iter().map(hours));
    table::printable(&parts.collect::<Vec<_>>().join("; ")).to_owned()
}

fn hours(peak: &Peak) -> String {
    let zone = peak.zone.as_ref().map(|zone| format!(" {}", zone.as_str())).unwrap_or_default();
    let then = match peak.then {
        Spare::Last => "last",
        Spare::Unused => "not used",
    };
    // The end of a day is written as people write it.
    let to = if peak.to.minutes() == 0 { "24:00".into() } else { peak.to.to_string() };
    format!("{then} {} {}-{to}{zone}", days_words(peak.days), peak.from)
}

/// `Mon,Tue`.
pub(in crate::cli) fn days_words(days: Days) -> String {
    let names = Day::ALL.into_iter().zip(NAMES).filter(|(day, _)| days.has(*day as u8));
    let words = names.map(|(_, name)| format!("{}{}", name[..1].to_uppercase(), &name[1..]));
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_an_amount_of_tokens_or_of_money() {
        let tokens = |text| amount_of(text).and_then(|cap| cap.tokens);
        assert_eq!(
            ["2M", "1.5M", "500k", "0.25k", "1500000"].map(tokens).map(Option::unwrap),
            [2_000_000, 1_500_000, 500_000, 250, 1_500_000]
        );
        assert_eq!(amount_of("$49.50").and_then(|cap| cap.usd), Some(49.5));
        for bad in ["", "M", "-1", "1.5", "2G", "$", "$x", "$inf", "1.2345M", "1e6", "99999999999999999999M"]
        {
            assert_eq!(amount_of(bad), None, "{bad}");
        }
        assert_eq!(cap("month=none"), Ok(CapWord::None(Span::Month)));
        assert!(cap("year=1").is_err() && cap("day").is_err());
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        let read = |text| match peak(text) {
            Ok(PeakWord::Is(peak)) => hours(&peak),
            other => format!("{other:?}"),
        };
        assert_eq!(read("Mon-Fri 09:00-17:00"), "not used Mon,Tue,Wed,Thu,Fri 09:00-17:00");
        assert_eq!(
            read("sat,Sunday 22:00-6:00 Europe/Berlin last"),
            "last Sat,Sun 22:00-06:00 Europe/Berlin"
        );
        assert_eq!(read("Fri-Mon 9:00-10:00 UTC"), "not used Mon,Fri,Sat,Sun 09:00-10:00 UTC");
        assert_eq!(read("daily 00:00-24:00 last"), "last Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:00-24:00");
        for bad in ["", "Mon", "09:00-17:00", "Mon 9-17", "Mon 09:00-17:00 last UTC", "Mon 09:00-17:00 a b"] {
            assert!(peak(bad).is_err(), "{bad}");
        }
        assert_eq!(peak("none"), Ok(PeakWord::None));
    }

    #[test]
    fn peak_hours_from_the_end_of_a_day_began_a_day_early() {
        assert!(peak("Sun 24:00-06:00").unwrap_err().contains("the next day"));
        assert!(peak("Sun 22:00-24:00").is_ok());
    }

    #[test]
    fn what_is_said_of_one_window_or_period_leaves_the_others() {
        let words = ["90", "5h=80", "7d=70 %", "5h=85", "7d=none"].map(|text| reserve(text).unwrap());
        let left = words.into_iter().fold(Vec::new(), put_reserve);
        let left: Vec<_> =
            left.iter().map(|one| (one.window.as_ref().map(ToString::to_string), one.stop_at)).collect();
        let percent = |number| Percent::new(number).unwrap();
        assert_eq!(left, [(None, percent(90)), (Some("5h".into()), percent(85))]);
        let words = ["day=2M", "day=$5", "week=1k", "week=none"].map(|text| cap(text).unwrap());
        let left = words.into_iter().fold(CapsOrder::default(), put_cap);
        assert_eq!(left.day, Some(CapOrder { tokens: Some(2_000_000), usd: Some(5.0) }));
        assert_eq!((left.week, left.month), (None, None));
        assert!(reserve("0").is_err() && reserve("5h=0").is_err() && reserve("101").is_err());
        for nothing in ["day=0", "day=$0", "week=0k", "month=$0.0"] {
            assert!(cap(nothing).unwrap_err().contains("accounts pause"), "{nothing}");
        }
        assert!(reserve("5h").is_err() && reserve("5h=x").is_err());
    }
}
