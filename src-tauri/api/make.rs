//! Makes the API's shapes out of the domain's nouns.

use jiff::Timestamp;

use super::accounts::sign_in_views::SignedInView;
use super::accounts::spill_views::{PaidOrder, SpillPath, SpillTo, SpillView, SpillWord};
use super::plan::views::GuardsView;
use super::views::{
    AccountView, AttemptView, CredentialKind, FamilyOut, KeptBackView, OpenWindow, OpeningView, ProviderView,
    RenewalView, RequestView, StandingView, UsageAskedView, UsageView, WindowView,
};
use crate::{
    accounts::{OpeningDue, Question, Roster, SpillOrder, renewal::Look},
    domain::{
        self, AccountId, Attempt, Endpoint, Exchange, Family, KeyId, Micros, OpenWhen, Paid, Provider, Spill,
        Standing, Usage, Window, WindowSource,
    },
    proxy::Gateway,
    routing::{Contender, bad_weather, families_out, kept_back, rush, standing},
};

/// An account as it stands at `now`.
pub fn account(contender: &Contender, gateway: &Gateway, now: Timestamp) -> AccountView {
    let (account, roster) = (&contender.account, &gateway.roster);
    let standing = standing(contender, now);
    let plan = &roster.snapshot().plan;
    let pool = plan.pool_of(contender);
    // The snapshot's is as exact as the caps need it, and people may want more.
    let outlay = || roster.outlay(account.id, now).unwrap_or(contender.outlay);
    // What a refusal alone has told says nothing any more once it is open.
    let is_told = |known: &&Window| {
        known.source != WindowSource::Refusal
            || known.utilization.is_some()
            || known.closed_until(now).is_some()
    };
    let told = contender.windows.iter().filter(is_told);
    let mut windows: Vec<WindowView> = told.map(|known| window(known, now)).collect();
    let rank =
        |window: &WindowView| (window.limits != Some(Endpoint::Messages), window.utilization.unwrap_or(-1.0));
    windows.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    AccountView {
        id: account.id.0,
        name: account.name.to_string(),
        provider: account.provider.to_string(),
        base_url: account.base_url.as_ref().map(ToString::to_string),
        priority: account.priority,
        pool_id: pool.0,
        pool: plan.pool(pool).map_or_else(|| "main".into(), |pool| pool.name.to_string()),
        guards: account.guards.as_ref().map(|guards| GuardsView::of(guards, &outlay(), now)),
        models: account.models.iter().map(|(asked, sent)| (asked.to_string(), sent.to_string())).collect(),
        lacks: account.lacks.clone(),
        standing: StandingView {
            state: standing.state,
            reason: standing.reason.map(|reason| reason.to_string()),
            until: standing.until,
            paused_by: account.pause.as_ref().map(|pause| pause.by.clone()),
        },
        kept_back: kept_back(contender, plan, now).map(|kept| KeptBackView {
            reason: kept.reason.to_string(),
            until: kept.until,
            family: kept.family.map(|family| family.to_string()),
        }),
        families_out: families_out(contender, now).into_iter().map(family_out).collect(),
        rush: rush(contender, now).map(Into::into),
        trouble_until: bad_weather(contender, now),
        sign_in: SignedInView::of(contender, roster),
        renewal: gateway.renewals.look(account.id).map(renewal),
        paid: contender.paid(),
        said_paid: account.paid,
        spill: account.spill.as_ref().map(spill),
        windows,
        usage: roster.readings_of(account.id).map(asked),
        open_window: account.timed.opens().map(|opening| opening.when.clone()),
        opening: opening(contender, roster),
        keep_warm: account.timed.keep_warm,
        in_flight: contender.load.count(),
        created_at: account.created_at,
    }
}

fn family_out((family, standing): (Family, Standing)) -> FamilyOut {
    FamilyOut {
        family: family.to_string(),
        reason: standing.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        until: standing.until,
    }
}

fn asked(question: Question) -> UsageAskedView {
    UsageAskedView {
        asked_at: question.asked_at,
        next_at: question.next_at,
        failure: question.failure.map(|why| why.to_string()),
    }
}

fn opening(contender: &Contender, roster: &Roster) -> Option<OpeningView> {
    let OpeningDue { opened_at, next_at, kept_back } = roster.opening_of(contender);
    let is_worth_telling = opened_at.is_some() || contender.account.timed.opens().is_some();
    is_worth_telling.then(|| OpeningView {
        opened_at,
        next_at,
        kept_back: kept_back.map(|why| why.to_string()),
    })
}

impl From<OpenWindow> for Option<OpenWhen> {
    fn from(order: OpenWindow) -> Self {
        match order {
            OpenWindow::Off => None,
            OpenWindow::AtReset => Some(OpenWhen::AtReset),
            OpenWindow::At { days, time } => Some(OpenWhen::At { days, time }),
        }
    }
}

fn renewal(look: Look) -> RenewalView {
    let trouble = look.trouble.as_ref();
    RenewalView {
        expires_at: look.expires_at,
        next_at: look.next_at,
        renewable: look.is_renewable,
        running: look.is_under_way,
        unkept: look.has_unkept,
        failures: trouble.map_or(0, |trouble| trouble.failures),
        failure: trouble.map(|trouble| trouble.why.to_string()),
        failed_at: trouble.map(|trouble| trouble.at),
    }
}

fn spill(spill: &Spill) -> SpillView {
    let path = |(id, since): &(AccountId, Timestamp)| SpillPath { id: id.0, allowed_at: *since };
    SpillView { all: spill.all, accounts: spill.only.iter().map(path).collect() }
}

impl From<PaidOrder> for Option<Paid> {
    fn from(order: PaidOrder) -> Self {
        match order {
            PaidOrder::Plan => Some(Paid::Plan),
            PaidOrder::Use => Some(Paid::Use),
            PaidOrder::Auto => None,
        }
    }
}

impl From<SpillTo> for SpillOrder {
    fn from(to: SpillTo) -> Self {
        match to {
            SpillTo::Word(SpillWord::None) => Self::None,
            SpillTo::Word(SpillWord::All) => Self::To(domain::SpillTo::All),
            // A path to nobody is none.
            SpillTo::Accounts(ids) if ids.is_empty() => Self::None,
            SpillTo::Accounts(ids) => {
                Self::To(domain::SpillTo::Only(ids.into_iter().map(AccountId).collect()))
            }
        }
    }
}

pub(super) fn window(window: &Window, now: Timestamp) -> WindowView {
    WindowView {
        name: window.name.to_string(),
        family: window.family.map(|family| family.to_string()),
        limits: window.limits,
        utilization: window.utilization_at(now),
        // One in the past says nothing of when it starts anew.
        resets_at: window.resets_at.filter(|at| *at > now),
        spent: window.closed_until(now).is_some(),
        again_at: window.again.map(|again| again.at),
        source: window.source_at(now),
        learned_at: window.learned_at,
    }
}

/// A provider as the dialog shows it.
pub fn provider(provider: &Provider) -> ProviderView {
    ProviderView {
        id: provider.id.to_string(),
        title: provider.title.clone(),
        about: provider.about.clone(),
        base_url: provider.base_url.as_ref().map(ToString::to_string),
        credential: if provider.passes_logins() { CredentialKind::Client } else { CredentialKind::Key },
    }
}

/// A request with the names of its accounts and its key.
pub fn request(exchange: &Exchange, gateway: &Gateway) -> RequestView {
    let roster = &gateway.roster;
    let start = &exchange.start;
    let ask = &start.ask;
    let text = |text: &std::sync::Arc<str>| text.to_string();
    RequestView {
        id: start.id.to_string(),
        started_at: start.started_at,
        method: text(&start.method),
        path: text(&start.path),
        model: ask.model.as_ref().map(text),
        served_model: exchange.served_model.as_ref().map(text),
        session: ask.session.as_ref().map(text),
        agent: ask.agent.as_ref().map(text),
        role: ask.role,
        agent_type: ask.agent_type.as_ref().map(text),
        project: ask.project.as_ref().map(text),
        client: ask.client.as_ref().map(text),
        stream: ask.stream,
        request_bytes: ask.bytes,
        ending: exchange.ending,
        status: exchange.status,
        error: exchange.error.as_ref().map(text),
        account: exchange.account.map(|id| name(roster, id)),
        account_id: exchange.account.map(|id| id.0),
        key: start.key.map(|id| key_name(gateway, id)),
        key_id: start.key.map(|id| id.0),
        changes: exchange.changes.iter().map(text).collect(),
        attempts: exchange.attempts.iter().map(|tried| attempt(tried, roster)).collect(),
        decision: None,
        usage: usage(exchange.usage),
        cost_usd: exchange.cost.map(Micros::dollars),
        duration_ms: exchange.duration.map(milliseconds),
        first_byte_ms: exchange.first_byte.map(milliseconds),
    }
}

fn attempt(attempt: &Attempt, roster: &Roster) -> AttemptView {
    AttemptView {
        account: name(roster, attempt.account),
        status: attempt.status,
        verdict: attempt.verdict,
        error: attempt.error.as_ref().map(ToString::to_string),
        began_ms: milliseconds(attempt.began),
        took_ms: milliseconds(attempt.took),
    }
}

fn usage(usage: Usage) -> UsageView {
    UsageView {
        input: usage.input,
        output: usage.output,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
        cache_write_1h: usage.cache_write_1h,
    }
}

/// The name of an account, also of one that was removed.
pub fn name(roster: &Roster, id: AccountId) -> String {
    roster.name_of(id).map_or_else(|| "removed".into(), |name| name.to_string())
}

fn key_name(gateway: &Gateway, id: KeyId) -> String {
    gateway.keys.name_of(id).map_or_else(|| "removed".into(), |name| name.to_string())
}

/// Milliseconds to the microsecond.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
