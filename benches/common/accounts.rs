//! Accounts with six windows each, and turns of conversations that ask for them: what a decision is measured on.

use std::sync::Arc;

use headgate::{
    domain::{
        Account, AccountId, AccountName, Ask, Credential, Lacks, Policy, Pool, Provider, ProviderId, Window,
        WindowName, WindowSource,
    },
    routing::{Contender, Load, Plan, Snapshot},
};
use jiff::{SignedDuration, Timestamp};

/// A turn of the conversation of this number.
pub fn asked(number: usize) -> Ask {
    let session = Some(format!("5d2c7a1e-0000-4000-8000-{number:012}").into());
    Ask { model: Some("claude-opus-5-5".into()), session, ..Ask::default() }
}

/// So many accounts in one pool.
pub fn snapshot(policy: Policy, accounts: i64, now: Timestamp) -> Snapshot {
    let plan = Plan { pools: vec![Pool { policy, ..Pool::main() }], ..Plan::default() };
    Snapshot { plan: Arc::new(plan), ..Snapshot::of((1..=accounts).map(|id| contender(id, now))) }
}

pub fn contender(id: i64, now: Timestamp) -> Contender {
    let provider = Provider {
        id: ProviderId("anthropic".into()),
        title: String::new(),
        about: String::new(),
        base_url: None,
        credential: Credential::Key(Vec::new()),
        says: [].into(),
        counts_tokens: true,
        models: [].into(),
        paid: None,
        lacks: Lacks::default(),
        verdicts: "anthropic".into(),
    };
    let name = AccountName::new(&format!("account {id}")).expect("it is a name");
    let account = Account::new(AccountId(id), name, provider.id.clone(), now);
    let names = ["5h", "7d", "7d_opus", "7d_sonnet", "requests", "tokens"];
    let windows = names.iter().enumerate().map(|(n, name)| window(name, id, n, now)).collect();
    Contender { windows, ..Contender::new(account, Arc::new(provider), Load::default()) }
}

fn window(name: &str, id: i64, n: usize, now: Timestamp) -> Window {
    let name = WindowName(name.into());
    Window {
        utilization: Some((id * 37 % 90) as f64 / 100.0 + n as f64 / 1000.0),
        resets_at: Some(now + SignedDuration::from_hours(1)),
        ..Window::new(name, WindowSource::Header, now)
    }
}
