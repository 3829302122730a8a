//! `headgate explain`

use std::fmt::Write as _;

use clap::Args;
use http::Method;
use jiff::Timestamp;

use crate::cli::{Code, Core, Global, Trouble, out::say, requests::escaped, table};
use crate::{
    api::{
        requests::explain_views::{ExplainOrder, PreventedView},
        views::RequestView,
    },
    clock::Clock,
    domain::{AccountId, Candidate, Choice, DecisionRecord, Endpoint, Gain, Outcome, Policy, Role, Weighed},
};

/// Say why a request went where it went, or where one would go now.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "`headgate explain req_…` tells of a request that was sent. Without an id it is a dry run for a request \
    like the one described: nothing is sent, and nothing is spent."
)]
pub struct Explain {
    /// A request that was sent; `headgate requests` lists them.
    #[arg(conflicts_with_all = ["dry", "prevented"])]
    id: Option<String>,
    #[command(flatten)]
    dry: Dry,
    /// What was kept from costing money in the last 30 days, by day and path.
    #[arg(long, conflicts_with = "dry")]
    prevented: bool,
}

/// A request that nobody has sent.
#[derive(Debug, Args)]
#[group(id = "dry", multiple = true)]
struct Dry {
    /// A model's whole name, or a family: opus.
    #[arg(long)]
    model: Option<String>,
    /// The conversation, as `headgate requests --json` names it.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The subagent of that conversation.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The client's key that it would come with.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// The project that it belongs to.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The folder that it is asked from, by its whole path.
    #[arg(long, value_name = "FOLDER")]
    directory: Option<String>,
    /// What it is for: main, subagent, workflow, compaction, auxiliary.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// What kind of agent asks.
    #[arg(long, value_name = "TYPE")]
    agent_type: Option<String>,
    /// It asks how many tokens it has (count_tokens), which has limits of its own.
    #[arg(long)]
    count: bool,
    /// Tokens of its prompt.
    #[arg(long, allow_negative_numbers = true)]
    tokens: Option<u64>,
    /// It shows images.
    #[arg(long)]
    images: bool,
    /// It offers tools.
    #[arg(long)]
    tools: bool,
    /// A beta feature that it uses; may be given several times.
    #[arg(long = "beta", value_name = "FEATURE")]
    betas: Vec<String>,
    /// Whether it comes with a sign-in of its own: true or false. Left out, it does where an account passes sign-ins on
    /// and no key is named.
    #[arg(long, value_name = "BOOL")]
    login: Option<bool>,
}

impl From<Dry> for ExplainOrder {
    fn from(dry: Dry) -> Self {
        Self {
            model: dry.model,
            session: dry.session,
            agent: dry.agent,
            key: dry.key,
            project: dry.project,
            directory: dry.directory,
            role: dry.role,
            agent_type: dry.agent_type,
            stream: !dry.count,
            endpoint: if dry.count { Endpoint::Counts } else { Endpoint::Messages },
            bytes: 0,
            tokens: dry.tokens,
            images: dry.images,
            tools: dry.tools,
            betas: dry.betas,
            login: dry.login,
        }
    }
}

fn role(word: &str) -> Result<Role, String> {
    Role::of(word).ok_or_else(|| format!("one of {}", Role::ALL.map(Role::word).join(", ")))
}

impl Explain {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        global.on_core(async |core| self.tell(core, global.json).await).await
    }

    async fn tell(self, core: &Core, json: bool) -> Result<(), Trouble> {
        if self.prevented {
            let rows: Vec<PreventedView> = core.get("/api/v1/prevented").await?;
            if json {
                table::json(&rows);
            } else {
                show_prevented(&rows);
            }
            return Ok(());
        }
        let Some(id) = &self.id else {
            let order = ExplainOrder::from(self.dry);
            let record: DecisionRecord = core.call(Method::POST, "/api/v1/explain", Some(&order)).await?;
            if json {
                table::json(&record);
            } else {
                show(&record, "Would go to", "Nobody could take it now");
            }
            return Ok(());
        };
        let request: RequestView = core.get(&format!("/api/v1/requests/{}", escaped(id))).await?;
        let Some(record) = request.decision.as_deref() else {
            let why = match (&request.error, request.ending) {
                (_, None) => "it is still running".to_owned(),
                (Some(error), _) => table::printable(error).to_owned(),
                (None, _) => "it was not kept".to_owned(),
            };
            return Err(Trouble::new(Code::NotFound, format!("no decision is known of this request: {why}")));
        };
        if json {
            table::json(record);
        } else {
            show(record, "Went to", "Nobody could take it");
        }
        Ok(())
    }
}

fn show(record: &DecisionRecord, went: &str, nobody: &str) {
    let (now, zone) = (Clock::system().now(), Clock::system().zone());
    let time = |at: Timestamp| table::time(at, now, &zone);
    let name = |id: AccountId| {
        let named = record.candidates.iter().find(|one| one.account == id);
        named.map_or_else(|| format!("account {id}"), |one| table::printable(&one.name).to_owned())
    };
    match (record.account, record.candidates.first()) {
        (Some(id), Some(first)) => say!("{went} {}: {}.", name(id), table::printable(&first.why)),
        (Some(id), None) => say!("{went} {}.", name(id)),
        (None, _) => match record.until {
            Some(until) => say!("{nobody}; somebody is back at {}.", time(until)),
            None => say!("{nobody}."),
        },
    }
    for line in circumstances(record, name) {
        say!("{line}");
    }
    for note in &record.notes {
        say!("{}", table::printable(note));
    }
    if record.candidates.is_empty() {
        return;
    }
    say!("");
    let rows: Vec<[String; 5]> = record
        .candidates
        .iter()
        .map(|one| {
            let until = one.until.map_or_else(|| "–".into(), time);
            [place(one), one.name.to_string(), outcome(one.outcome).into(), until, one.why.to_string()]
        })
        .collect();
    table::print(["BY", "ACCOUNT", "OUTCOME", "UNTIL", "WHY"], &rows);
    if record.left_out > 0 {
        say!("And {} more, whom the record leaves out.", record.left_out);
    }
}

/// What led it, what was weighed, what was prevented.
fn circumstances(record: &DecisionRecord, name: impl Fn(AccountId) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    let text = |text: &str| table::printable(text).to_owned();
    lines.extend(record.route.as_deref().map(|route| format!("Route: {}", text(route))));
    // The policy is that of the place where it was chosen, which may be a slot before that pool.
    let slot = record.account.and_then(|_| record.candidates.first()?.slot);
    lines.extend(
        slot.zip(record.policy).map(|(slot, policy)| format!("Slot {}, by {}", slot + 1, word(policy))),
    );
    let pool = record.pool.as_deref().map(|pool| match record.policy.filter(|_| slot.is_none()) {
        Some(policy) => format!("Pool: {} (by {})", text(pool), word(policy)),
        None => format!("Pool: {}", text(pool)),
    });
    lines.extend(pool);
    lines.extend(record.binding.as_deref().map(|binding| format!("Bound by: {}", text(binding))));
    let bound =
        record.bound_to.filter(|id| record.choice != Some(Choice::Bound) || Some(*id) != record.account);
    lines.extend(bound.map(|id| format!("Its conversation is bound to {}", name(id))));
    lines.extend(record.weighed.as_ref().map(weighed));
    lines.extend(record.prevented.map(|path| {
        format!(
            "Kept from costing money: it did not spill over from {} to {}",
            name(path.from),
            name(path.to)
        )
    }));
    lines
}

fn weighed(weighed: &Weighed) -> String {
    let mut line =
        format!("Weighed: a move writes {} into a cache anew", table::counted_tokens(weighed.cold_tokens));
    if let Some(cost) = weighed.cold_cost {
        let _ = write!(line, " ({})", table::dollars(Some(cost.dollars())));
    }
    let gain = match weighed.gain {
        Gain::Nothing => return line + " and gains nothing",
        Gain::Order => "the order that you set",
        Gain::Fit => "an account that is known to fit",
        Gain::Included => "an account whose use is paid for already",
        Gain::Headroom => "more room",
        Gain::Expiring => "a week that would end unspent",
    };
    let worth = if weighed.is_worth_it() { "more" } else { "no more" };
    let _ = write!(line, "; it gains {gain}, which is worth {worth} than that");
    line
}

/// The slot of the route or the pool.
fn place(candidate: &Candidate) -> String {
    match (candidate.slot, &candidate.model) {
        (Some(slot), Some(model)) => format!("slot {} as {model}", slot + 1),
        (Some(slot), None) => format!("slot {}", slot + 1),
        (None, Some(model)) => format!("pool as {model}"),
        (None, None) => "pool".into(),
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Chosen => "chosen",
        Outcome::Next => "next",
        Outcome::PassedOver => "passed over",
    }
}

fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Priority => "priority",
        Policy::Headroom => "headroom",
        Policy::SoonestReset => "soonest reset",
        Policy::RoundRobin => "turns",
    }
}

fn show_prevented(rows: &[PreventedView]) {
    if rows.is_empty() {
        say!("No request was kept from costing money in the last 30 days.");
        return;
    }
    let rows: Vec<[String; 4]> = rows
        .iter()
        .map(|row| {
            let day = row.day.strftime("%Y-%m-%d").to_string();
            [day, row.from.clone(), row.to.clone(), row.requests.to_string()]
        })
        .collect();
    table::print(["DAY (UTC)", "STAYED WITH", "KEPT FROM", "REQUESTS"], &rows);
}
