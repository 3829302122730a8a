//! `headgate status`, `headgate dashboard`, `headgate pause` and `headgate resume`.

use http::Method;

use crate::cli::{Code, Core, Global, Trouble, accounts::list::kept_back, browser, out::say, table};
use crate::{
    api::views::{AccountView, DashboardLink, Overview, ProxyState, Status},
    clock::Clock,
    domain::counted,
};

/// Whether it runs, where, and how the accounts stand.
pub async fn run(global: &Global) -> Result<(), Trouble> {
    let core = global.core().await?;
    let status: Result<Status, Trouble> = core.get("/api/v1/status").await;
    let overview: Result<Overview, Trouble> = core.get("/api/v1/overview").await;
    core.close().await;
    let (status, overview) = (status?, overview?);
    if global.json {
        table::json(&serde_json::json!({ "status": status, "overview": overview }));
        return Ok(());
    }
    say!("{}", overview.sentence);
    match (status.proxy, &status.address) {
        (ProxyState::Running, Some(address)) => {
            let held =
                if status.held > 0 { format!(", {} of them held", status.held) } else { String::new() };
            say!("Listening on {address}, {} running{held}, {} waiting.", status.running, status.waiting);
        }
        (ProxyState::Paused, Some(address)) => say!("Paused on {address}."),
        _ => say!("Not running. Start it with `headgate serve`."),
    }
    for line in overview.accounts.iter().flat_map(hindrances) {
        say!("{line}");
    }
    if status.needs_key {
        say!("Clients on this machine need a key; make one with `headgate keys add NAME`.");
    }
    for listener in &status.listeners {
        match &listener.fingerprint {
            Some(fingerprint) => {
                say!("Listening on {} too; its certificate's SHA-256 is {fingerprint}.", listener.address);
            }
            None => say!("Listening on {} too, unprotected.", listener.address),
        }
    }
    if status.turned_away > 0 {
        let (requests, were) =
            (counted(status.turned_away, "request"), if status.turned_away == 1 { "was" } else { "were" });
        say!("{requests} found no place and {were} refused (529) since it started.");
    }
    if let Some(problem) = &status.problem {
        say!("{problem}");
    }
    if status.unused_login {
        say!(
            "A request came with Claude Code's own sign-in, which is not used. Add an account with `headgate accounts add NAME --provider claude-login`."
        );
    }
    let today = &overview.today;
    say!(
        "Today: {}, {} complete, {} rescued.",
        counted(today.requests, "request"),
        today.complete,
        today.rescued
    );
    say!("Keys in: {}. Data in: {}.", status.vault, status.data_dir);
    for trouble in &status.vault_troubles {
        say!("{trouble}");
    }
    Ok(())
}

/// What keeps an account that stands ready from being asked, or makes it the second choice.
fn hindrances(account: &AccountView) -> Vec<String> {
    let (now, zone) = (Clock::system().now(), Clock::system().zone());
    let name = table::printable(&account.name);
    let kept = account.kept_back.as_ref().map(|kept| format!("{name}: {}.", kept_back(kept, now, &zone)));
    let trouble = account.trouble_until.map(|until| {
        format!(
            "{name}: its upstream is in trouble, at least until {}; it is still tried.",
            table::time(until, now, &zone)
        )
    });
    kept.into_iter().chain(trouble).collect()
}

/// Prints a link that opens the page once, and opens it.
pub async fn dashboard(global: &Global, no_open: bool) -> Result<(), Trouble> {
    let core = running(global).await?;
    let link: DashboardLink = core.call(Method::POST, "/api/v1/links", None::<&()>).await?;
    if global.json {
        table::json(&link);
        return Ok(());
    }
    say!("{}", link.url);
    if !no_open {
        browser::open(&link.url);
    }
    Ok(())
}

/// Pauses or resumes the proxy.
pub async fn set_paused(global: &Global, paused: bool) -> Result<(), Trouble> {
    let core = running(global).await?;
    let path = if paused { "/api/v1/proxy/pause" } else { "/api/v1/proxy/resume" };
    let status: Status = core.call(Method::POST, path, None::<&()>).await?;
    if global.json {
        table::json(&status);
    } else {
        say!("{}", if paused { "Paused. Requests are refused until `headgate resume`." } else { "Resumed." });
    }
    Ok(())
}

async fn running(global: &Global) -> Result<Core, Trouble> {
    let core = global.core().await?;
    if core.is_running() {
        return Ok(core);
    }
    core.close().await;
    Err(Trouble::new(Code::Failed, "Headgate is not running; start it with `headgate serve`"))
}
