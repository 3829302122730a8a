//! `headgate backtest`

use clap::Args;
use http::Method;
use jiff::Timestamp;

use crate::cli::{
    Code, Core, Global, Trouble,
    accounts::{
        self,
        guards::{KeptBack, amount_of},
    },
    named::found,
    out::say,
    plan::{pools, routes},
    table,
};
use crate::{
    api::{
        backtest::views::{
            AlternativeOrder, BacktestLimit, BacktestOrder, BacktestRow, BacktestView, CapacityOrder,
            CapacitySource, KeptBackOrder, PolicyOrder, PriorityOrder, RouteSwitch,
        },
        plan::views::{PoolView, RouteView},
        views::AccountView,
    },
    clock::Clock,
    domain::{Policy, counted},
};

/// Play recorded requests again: under the plan as it is, and under others.
#[derive(Debug, Args)]
#[command(
    after_help = "Each --policy, --priority, --without, --another and --route is an alternative of its own, beside the plan as \
    it is and what happened; so is all that --holds, --cap and --reserve say of one account. With --together they are one. \
    Other slots of a route, hours, maps of models and accounts at another provider can't be tried. Nothing is sent and \
    nothing is spent."
)]
pub struct Backtest {
    /// How many days, back from now.
    #[arg(long, default_value_t = 7, allow_negative_numbers = true, value_name = "N")]
    days: u16,
    /// Another policy: priority, headroom, soonest_reset or round_robin, for every pool, or POOL=POLICY for one. May be
    /// repeated.
    #[arg(long = "policy", value_name = "POLICY", value_parser = policy)]
    policies: Vec<(Option<String>, Policy)>,
    /// Another priority of an account: work=1. May be repeated.
    #[arg(long = "priority", value_name = "ACCOUNT=N", value_parser = priority)]
    priorities: Vec<(String, i32)>,
    /// An account that is not there. May be repeated.
    #[arg(long, value_name = "ACCOUNT")]
    without: Vec<String>,
    /// One more account like this one, of which nothing is used yet. May be repeated.
    #[arg(long, value_name = "ACCOUNT")]
    another: Vec<String>,
    /// A larger or smaller plan: what a limit of an account holds there, in tokens of plain input: work:5h=10M. May be
    /// repeated.
    #[arg(long, value_name = "ACCOUNT:WINDOW=TOKENS", value_parser = capacity)]
    holds: Vec<(String, String, u64)>,
    /// Another cap of an account: work:day=$5, work:month=none. May be repeated.
    #[arg(long = "cap", value_name = "ACCOUNT:CAP", value_parser = cap)]
    caps: Vec<(String, KeptBack)>,
    /// Another reserve of an account: work:90, work:5h=80, work:none. May be repeated.
    #[arg(long = "reserve", value_name = "ACCOUNT:PERCENT", value_parser = reserve)]
    reserves: Vec<(String, KeptBack)>,
    /// A route that is switched on or off: night=off. May be repeated.
    #[arg(long = "route", value_name = "ROUTE=on|off", value_parser = route)]
    routes: Vec<(String, bool)>,
    /// All of these at once, as one alternative.
    #[arg(long)]
    together: bool,
    /// What a limit of an account holds in every play, in tokens of plain input: work:5h=2.5M. Otherwise it is measured, where that can
    /// be done. May be repeated.
    #[arg(long = "capacity", value_name = "ACCOUNT:WINDOW=TOKENS", value_parser = capacity)]
    capacities: Vec<(String, String, u64)>,
}

fn policy(text: &str) -> Result<(Option<String>, Policy), String> {
    let (pool, word) = match text.rsplit_once('=') {
        Some((pool, word)) => (Some(pool.trim().to_owned()), word.trim()),
        None => (None, text.trim()),
    };
    Ok((pool, pools::policy(word)?))
}

fn priority(text: &str) -> Result<(String, i32), String> {
    let usage = "write an account and its priority, as in work=1";
    let (account, number) = text.rsplit_once('=').ok_or(usage)?;
    Ok((account.trim().to_owned(), number.trim().parse().map_err(|_| usage)?))
}

fn capacity(text: &str) -> Result<(String, String, u64), String> {
    let usage =
        "write an account, a window and how many tokens it holds, as in work:5h=2500000 or work:7d=40M";
    let (place, amount) = text.rsplit_once('=').ok_or(usage)?;
    let (account, window) = place.rsplit_once(':').ok_or(usage)?;
    let tokens = amount_of(amount.trim()).and_then(|amount| amount.tokens).filter(|tokens| *tokens > 0);
    Ok((account.trim().to_owned(), window.trim().to_owned(), tokens.ok_or(usage)?))
}

fn cap(text: &str) -> Result<(String, KeptBack), String> {
    let (account, cap) = text.rsplit_once(':').ok_or("write an account and its cap, as in work:day=$5")?;
    Ok((account.trim().to_owned(), KeptBack::cap(cap.trim())?))
}

fn reserve(text: &str) -> Result<(String, KeptBack), String> {
    let (account, reserve) =
        text.rsplit_once(':').ok_or("write an account and its reserve, as in work:90 or work:5h=80")?;
    Ok((account.trim().to_owned(), KeptBack::reserve(reserve.trim())?))
}

fn route(text: &str) -> Result<(String, bool), String> {
    let usage = "write a route and its state, as in night=off";
    let (route, word) = text.rsplit_once('=').ok_or(usage)?;
    let enabled = match word.trim() {
        "on" => true,
        "off" => false,
        _ => return Err(usage.into()),
    };
    Ok((route.trim().to_owned(), enabled))
}

/// What was said of each account, in the order in which they were named.
fn by_account<T>(
    words: impl IntoIterator<Item = (String, T)>,
    id: impl Fn(&str) -> Result<i64, Trouble>,
) -> Result<Vec<(i64, Vec<T>)>, Trouble> {
    let mut all: Vec<(i64, Vec<T>)> = Vec::new();
    for (name, word) in words {
        let id = id(&name)?;
        match all.iter_mut().find(|(known, _)| *known == id) {
            Some((_, words)) => words.push(word),
            None => all.push((id, vec![word])),
        }
    }
    Ok(all)
}

/// Another size or reserve of a window that an account does not have would change nothing. Where none is known of it,
/// nobody can tell.
fn has_window(accounts: &[AccountView], id: i64, window: &str) -> Result<(), Trouble> {
    let account = accounts.iter().find(|account| account.id == id);
    let Some(account) = account.filter(|account| !account.windows.is_empty()) else { return Ok(()) };
    let names: Vec<&str> = account.windows.iter().map(|window| &*window.name).collect();
    if names.contains(&window) {
        return Ok(());
    }
    let (name, all) = (table::printable(&account.name), names.join(", "));
    let why = format!("{name} has no window \"{window}\"; those that are known of it are {all}");
    Err(Trouble::new(Code::NotFound, why))
}

impl Backtest {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        if self.together && self.has_no_alternative() {
            let why = "`--together` makes one of several alternatives, and there is none: say what to try, as in --policy \
                 headroom or --without work";
            return Err(Trouble::new(Code::Usage, why));
        }
        global.on_core(async |core| self.tell(core, global.json).await).await
    }

    fn has_no_alternative(&self) -> bool {
        self.policies.is_empty()
            && self.priorities.is_empty()
            && self.without.is_empty()
            && self.another.is_empty()
            && self.holds.is_empty()
            && self.caps.is_empty()
            && self.reserves.is_empty()
            && self.routes.is_empty()
    }

    async fn tell(self, core: &Core, json: bool) -> Result<(), Trouble> {
        let (accounts, pools) = (accounts::all(core).await?, pools::all(core).await?);
        let routes = routes::all(core).await?;
        let order = self.order(&accounts, &pools, &routes)?;
        let view: BacktestView = core.call(Method::POST, "/api/v1/backtest", Some(&order)).await?;
        if json {
            table::json(&view);
        } else {
            show(&view);
        }
        Ok(())
    }

    fn order(
        self,
        accounts: &[AccountView],
        pools: &[PoolView],
        routes: &[RouteView],
    ) -> Result<BacktestOrder, Trouble> {
        let id = |name: &str| found(accounts, name).map(|account| account.id);
        let mut alternatives = Vec::new();
        for (pool, policy) in self.policies {
            let pool = pool.map(|name| found(pools, &name).map(|pool| pool.id)).transpose()?;
            let policies = vec![PolicyOrder { pool, policy }];
            alternatives.push(AlternativeOrder { policies, ..AlternativeOrder::default() });
        }
        for (name, priority) in self.priorities {
            let priorities = vec![PriorityOrder { account: id(&name)?, priority }];
            alternatives.push(AlternativeOrder { priorities, ..AlternativeOrder::default() });
        }
        for name in self.without {
            let without = vec![id(&name)?];
            alternatives.push(AlternativeOrder { without, ..AlternativeOrder::default() });
        }
        for name in self.another {
            let another = vec![id(&name)?];
            alternatives.push(AlternativeOrder { another, ..AlternativeOrder::default() });
        }
        let holds = self.holds.into_iter().map(|(name, window, tokens)| (name, (window, tokens)));
        for (account, limits) in by_account(holds, id)? {
            limits.iter().try_for_each(|(window, _)| has_window(accounts, account, window))?;
            let limit = |(window, tokens)| CapacityOrder { account, window, tokens: tokens as f64 };
            let capacities = limits.into_iter().map(limit).collect();
            alternatives.push(AlternativeOrder { capacities, ..AlternativeOrder::default() });
        }
        for (account, words) in by_account(self.caps.into_iter().chain(self.reserves), id)? {
            let mut windows = words.iter().filter_map(KeptBack::window);
            windows.try_for_each(|window| has_window(accounts, account, &window.0))?;
            let now = accounts.iter().find(|one| one.id == account).and_then(|one| one.guards.as_ref());
            let change = KeptBack::change(words.into_iter(), now);
            let guards = vec![KeptBackOrder { account, reserves: change.reserves, caps: change.caps }];
            alternatives.push(AlternativeOrder { guards, ..AlternativeOrder::default() });
        }
        for (name, enabled) in self.routes {
            let routes = vec![RouteSwitch { route: found(routes, &name)?.id, enabled }];
            alternatives.push(AlternativeOrder { routes, ..AlternativeOrder::default() });
        }
        if self.together && !alternatives.is_empty() {
            let mut all = AlternativeOrder::default();
            for one in alternatives.drain(..) {
                all.policies.extend(one.policies);
                all.priorities.extend(one.priorities);
                all.without.extend(one.without);
                all.another.extend(one.another);
                all.capacities.extend(one.capacities);
                all.guards.extend(one.guards);
                all.routes.extend(one.routes);
            }
            alternatives.push(all);
        }
        let capacity = |(name, window, tokens): (String, String, u64)| {
            Ok(CapacityOrder { account: id(&name)?, window, tokens: tokens as f64 })
        };
        let capacities = self.capacities.into_iter().map(capacity).collect::<Result<_, Trouble>>()?;
        Ok(BacktestOrder { days: Some(self.days), capacities, alternatives })
    }
}

fn show(view: &BacktestView) {
    let (now, zone) = (Clock::system().now(), Clock::system().zone());
    let time = |at: Timestamp| table::time(at, now, &zone);
    say!("{}, from {} to {}.", counted(view.requests, "request"), time(view.since), time(view.until));
    if view.is_cut {
        say!("There were more, older ones; the newest are played.");
    }
    if view.left_out > 0 {
        say!("Not played, as they would have come to the same end under any plan: {}.", view.left_out);
    }
    if view.guessed > 0 {
        say!("They told nothing of what they used, and are taken to be like the others: {}.", view.guessed);
    }
    say!("");
    let headings = ["", "SERVED", "REFUSED", "LIMITS HIT", "SWITCHES", "WRITTEN ANEW", "COST", "WAITED"];
    table::print(headings, &view.rows.iter().map(outcome).collect::<Vec<_>>());
    say!("");
    let shares: Vec<[String; 2]> = view.rows.iter().map(|row| [row.name.clone(), shares(row)]).collect();
    table::print(["", "SERVED BY"], &shares);
    if !view.limits.is_empty() {
        say!("");
        let limits: Vec<[String; 4]> = view.limits.iter().map(limit).collect();
        table::print(["LIMIT OF", "WINDOW", "HOLDS", "KNOWN FROM"], &limits);
        say!(
            "Tokens are those of plain input: one read from the cache is a tenth of one, one of output five."
        );
    }
    say!("");
    for note in &view.notes {
        say!("{}", table::printable(note));
    }
}

fn outcome(row: &BacktestRow) -> [String; 8] {
    let cost = match (row.cost, row.unpriced) {
        (None, _) => "unknown".into(),
        (cost, 0) => table::dollars(cost),
        (cost, unpriced) => format!("{} and {unpriced} unknown", table::dollars(cost)),
    };
    let waited = match row.waited {
        0 => "–".into(),
        waited => format!("{waited}, {} in all", table::duration(Some(row.waited_seconds * 1e3))),
    };
    [
        row.name.clone(),
        row.served.to_string(),
        row.refused.to_string(),
        row.limits_hit.to_string(),
        row.switches.to_string(),
        table::tokens(Some(row.cold_tokens)),
        cost,
        waited,
    ]
}

/// `work 120 (1.2 M tokens), spare 3 (40.0 k tokens)`
fn shares(row: &BacktestRow) -> String {
    let served = row.accounts.iter().filter(|account| account.served > 0);
    let shares: Vec<String> = served
        .map(|account| {
            format!("{} {} ({})", account.name, account.served, table::counted_tokens(whole(account.tokens)))
        })
        .collect();
    if shares.is_empty() { "nobody".into() } else { shares.join(", ") }
}

fn limit(limit: &BacktestLimit) -> [String; 4] {
    let from = match (limit.source, &limit.why) {
        (CapacitySource::Given, _) => "your --capacity".into(),
        (CapacitySource::Measured, _) => "what was served and what its upstream said was used".into(),
        (CapacitySource::Unknown, why) => format!(
            "nobody knows, so it is left away: {}; name it with --capacity \"{}:{}=TOKENS\"",
            why.as_deref().unwrap_or("nothing is told of it"),
            limit.name,
            limit.window
        ),
    };
    let holds = table::tokens(limit.tokens.map(whole));
    [limit.name.clone(), limit.window.clone(), holds, from]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast keeps to what fits")]
fn whole(tokens: f64) -> u64 {
    tokens.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_an_alternative_is_read_from_its_end() {
        assert_eq!(policy("soonest-reset"), Ok((None, Policy::SoonestReset)));
        assert_eq!(policy("my=pool = headroom"), Ok((Some("my=pool".into()), Policy::Headroom)));
        assert_eq!(priority("a=b=-3"), Ok(("a=b".into(), -3)));
        assert_eq!(capacity("a:b:5h=2.5M"), Ok(("a:b".into(), "5h".into(), 2_500_000)));
        assert_eq!(cap("a:b:day=$5").unwrap().0, "a:b");
        assert_eq!(route("a=b=off"), Ok(("a=b".into(), false)));
    }

    #[test]
    fn what_can_not_be_meant_is_answered_with_how_to_write_it() {
        assert!(policy("fastest").unwrap_err().contains("soonest_reset"));
        for odd in ["work", "work=", "work=one", "work=1.5"] {
            assert!(priority(odd).unwrap_err().contains("work=1"), "{odd}");
        }
        for odd in ["work", "work=5", "work:5h", "work:5h=-1", "work:5h=0", "work:5h=$5", "work:5h=NaN"] {
            assert!(capacity(odd).unwrap_err().contains("work:5h=2500000"), "{odd}");
        }
    }
}
