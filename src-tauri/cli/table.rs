//! Text for a terminal: columns that line up, and numbers that read well.

use super::out::say;
use crate::domain::Micros;
use jiff::{Timestamp, tz::TimeZone};

/// Prints rows under headings; the last column is as wide as it likes.
pub fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    for line in lines(headings, rows) {
        say!("{line}");
    }
}

/// A column is no wider than this, which is what can be formatted; of a row that has more in it the rest stands aside.
const WIDEST: usize = u16::MAX as usize;

fn lines<'a, const N: usize>(
    headings: [&'a str; N],
    rows: &'a [[String; N]],
) -> impl Iterator<Item = String> + 'a {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0).min(WIDEST)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = move |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| std::array::from_fn(|column| printable(&row[column])));
    std::iter::once(headings).chain(rows).map(line)
}

/// Names and reasons come from people: no control character of theirs reaches the terminal.
pub fn printable(text: &str) -> &str {
    let end = text.find(char::is_control).unwrap_or(text.len());
    &text[..end]
}

/// `14:20:07`, or with the date where it is not today.
pub fn time(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    let is_today = local.date() == now.to_zoned_datetime(zone.clone()).date();
    local.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// What is still to come, always with its day: `today 07:01`, `tomorrow 07:00`, `2026-11-30 07:00`.
pub fn ahead(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (local, today) = (at.to_zoned_datetime(zone.clone()), now.to_zoned_datetime(zone.clone()).date());
    let day = if local.date() == today {
        "today".into()
    } else if today.tomorrow().is_ok_and(|tomorrow| local.date() == tomorrow) {
        "tomorrow".into()
    } else {
        local.strftime("%Y-%m-%d").to_string()
    };
    format!("{day} {}", local.strftime("%H:%M"))
}

/// `1.2 M`, `87 k`, `512`; a dash where it is not known.
pub fn tokens(count: Option<u64>) -> String {
    match count {
        None => "–".into(),
        Some(count @ 0..1000) => count.to_string(),
        Some(count @ 1000..1_000_000) => format!("{:.1} k", count as f64 / 1e3),
        Some(count) => format!("{:.1} M", count as f64 / 1e6),
    }
}

/// `1.2 M tokens`, `1 token`.
pub fn counted_tokens(count: u64) -> String {
    format!("{} {}", tokens(Some(count)), if count == 1 { "token" } else { "tokens" })
}

/// `$3.42`, `$0.0013`, `$0.000002`; a dash where it is not known. What is more than nothing is not shown as nothing.
pub fn dollars(amount: Option<f64>) -> String {
    match amount {
        None => "–".into(),
        Some(amount) if amount > 0.0 && amount < 0.000_05 => format!("${:.6}", amount.max(0.000_001)),
        Some(amount) if amount > 0.0 && amount < 0.01 => format!("${amount:.4}"),
        Some(amount) => format!("${amount:.2}"),
    }
}

/// A limit that a person set, with every digit that it has: `$5.00`, `$0.0005`.
pub fn limit_in_dollars(amount: f64) -> String {
    Micros::of_dollars(amount).map_or_else(|| dollars(Some(amount)), |exact| exact.to_string())
}

/// `340 ms`, `12.4 s`; a dash where it is not known.
pub fn duration(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "–".into(),
        Some(ms) if ms < 1000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1000.0),
    }
}

/// Prints a value as JSON.
pub fn json(value: &impl serde::Serialize) {
    say!("{}", serde_json::to_string_pretty(value).expect("the API's shapes are JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_more_characters_than_can_be_formatted_broke_the_table_off() {
        let long = "x".repeat(70_000);
        let rows = [[long.clone(), "a".into()], ["short".into(), "b".into()]];
        let shown: Vec<String> = lines(["ONE", "TWO"], &rows).collect();
        assert_eq!(shown[1], format!("{long}  a"));
        assert!(shown[2].starts_with("short ") && shown[2].ends_with("  b"));
    }

    #[test]
    fn of_what_comes_next_one_had_a_day_and_the_other_seconds() {
        let now: Timestamp = "2026-11-27T22:30:00Z".parse().unwrap();
        let shown = ["2026-11-27T23:01:12Z", "2026-11-28T06:00:00Z", "2026-11-30T06:00:00Z"]
            .map(|at| ahead(at.parse().unwrap(), now, &TimeZone::fixed(jiff::tz::offset(-1))));
        assert_eq!(shown, ["today 22:01", "tomorrow 05:00", "2026-11-30 05:00"]);
    }

    #[test]
    fn an_amount_that_is_not_nothing_is_not_rounded_to_nothing() {
        let shown = [0.0, 0.000_000_2, 0.000_002, 0.0013, 3.42].map(|amount| dollars(Some(amount)));
        assert_eq!(shown, ["$0.00", "$0.000001", "$0.000002", "$0.0013", "$3.42"]);
        assert_eq!([5.0, 0.0005, 1.005].map(limit_in_dollars), ["$5.00", "$0.0005", "$1.005"]);
    }
}
