//! `headgate routes …`

use clap::{Args, Subcommand};
use http::Method;

use crate::api::{
    plan::views::{NewRoute, PlanSettings, PoolView, RouteChange, RouteView, SlotView},
    views::AccountView,
};
use crate::cli::{Core, Global, Trouble, accounts, named::found, out::say, plan::pools, table};
use crate::domain::LONGEST_IDLE;

/// List routes, or change them.
#[derive(Debug, Args)]
pub struct Routes {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them with their slots; the same as `headgate routes`.
    List,
    /// Make one.
    Add {
        /// What to call it.
        name: String,
        /// Which requests take it: a family (opus, sonnet, haiku, fable), a model's id, or the beginning of one with
        /// `*` behind it.
        #[arg(long = "for", value_name = "MODELS")]
        models: String,
        /// Where they go, in order: an account, or pool:NAME; with =MODEL behind it, that model is asked for there.
        #[arg(long = "slot", value_name = "SLOT", required = true)]
        slots: Vec<String>,
        /// A request that no slot can serve goes on to the usual selection.
        #[arg(long)]
        falls_through: bool,
        /// So many seconds an answer by this route may be silent; as long as any other if left out, or with none.
        #[arg(long = "idle", value_name = "SECONDS", value_parser = idle)]
        idle_seconds: Option<u32>,
    },
    /// Change it. With --slot, all slots are named anew.
    Set {
        /// Name or id.
        route: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// Which requests take it.
        #[arg(long = "for", value_name = "MODELS")]
        models: Option<String>,
        /// Where they go, in order, in place of the slots that there are.
        #[arg(long = "slot", value_name = "SLOT")]
        slots: Vec<String>,
        /// Whether a request that no slot can serve goes on to the usual selection.
        #[arg(long, value_name = "BOOL")]
        falls_through: Option<bool>,
        /// So many seconds an answer by this route may be silent; none, or 0: as long as any other again.
        #[arg(long = "idle", value_name = "SECONDS", value_parser = idle)]
        idle_seconds: Option<u32>,
    },
    /// Remove it.
    Remove {
        /// Name or id.
        route: String,
    },
    /// Switch it on again.
    Enable {
        /// Name or id.
        route: String,
    },
    /// Switch it off: it is as if it were not there.
    Disable {
        /// Name or id.
        route: String,
    },
    /// Whether a request is served the model that it asks for or refused, whatever routes and accounts say.
    AskedOnly {
        /// `on` or `off`; says how it is if left out.
        #[arg(value_parser = ["on", "off"])]
        word: Option<String>,
    },
}

/// Seconds; 0 is as long as any other.
fn idle(text: &str) -> Result<u32, String> {
    let seconds = if text == "none" { Some(0) } else { text.parse().ok() };
    let seconds = seconds.filter(|seconds| *seconds <= LONGEST_IDLE);
    seconds.ok_or_else(|| format!("write seconds from 1 to {LONGEST_IDLE}, or none"))
}

impl Routes {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        global.on_core(async |core| perform(act, core, global).await).await
    }
}

async fn perform(act: Act, core: &Core, global: &Global) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let routes = all(core).await?;
            if global.json {
                table::json(&routes);
            } else {
                show(&routes, settings(core).await?);
            }
            Ok(())
        }
        Act::Add { name, models, slots, falls_through, idle_seconds } => {
            let slots = read(&slots, core).await?;
            let new = NewRoute { name, models, slots, enabled: true, falls_through, idle_seconds, id: None };
            let added = core.call(Method::POST, "/api/v1/routes", Some(&new)).await?;
            tell("Made", &added, global);
            warn(&added, core, global).await
        }
        Act::Set { route, name, models, slots, falls_through, idle_seconds } => {
            let slots = if slots.is_empty() { None } else { Some(read(&slots, core).await?) };
            let change = RouteChange { name, models, slots, falls_through, idle_seconds, enabled: None };
            if change == RouteChange::default() {
                return Err(Trouble::no_change("routes set"));
            }
            alter(core, global, &route, "Changed", change).await
        }
        Act::Enable { route } => switch(core, global, &route, true).await,
        Act::Disable { route } => switch(core, global, &route, false).await,
        Act::Remove { route } => {
            let path = path_of(core, &route).await?;
            let removed = core.call(Method::DELETE, &path, None::<&()>).await?;
            tell("Removed", &removed, global);
            Ok(())
        }
        Act::AskedOnly { word } => asked_only(core, global, word).await,
    }
}

async fn switch(core: &Core, global: &Global, route: &str, is_on: bool) -> Result<(), Trouble> {
    let done = if is_on { "Switched on" } else { "Switched off" };
    alter(core, global, route, done, RouteChange { enabled: Some(is_on), ..RouteChange::default() }).await
}

async fn alter(
    core: &Core,
    global: &Global,
    route: &str,
    done: &str,
    change: RouteChange,
) -> Result<(), Trouble> {
    let path = path_of(core, route).await?;
    let changed = core.call(Method::PATCH, &path, Some(&change)).await?;
    tell(done, &changed, global);
    warn(&changed, core, global).await
}

/// Of two routes for the same models the older one leads, and the other is never taken.
fn leads<'a>(route: &RouteView, all: &'a [RouteView]) -> Option<&'a RouteView> {
    let is_same = |one: &&RouteView| one.enabled && one.models.eq_ignore_ascii_case(&route.models);
    all.iter().filter(is_same).min_by_key(|one| one.id).filter(|first| route.enabled && first.id != route.id)
}

/// Every route.
pub(in crate::cli) async fn all(core: &Core) -> Result<Vec<RouteView>, Trouble> {
    core.get("/api/v1/routes").await
}

async fn warn(route: &RouteView, core: &Core, global: &Global) -> Result<(), Trouble> {
    if global.json {
        return Ok(());
    }
    let all = all(core).await?;
    if let Some(first) = leads(route, &all) {
        say!(
            "{} is for {} too and leads, as it is older: {} is not taken.",
            first.name,
            first.models,
            route.name
        );
    }
    Ok(())
}

async fn settings(core: &Core) -> Result<PlanSettings, Trouble> {
    core.get("/api/v1/settings").await
}

async fn asked_only(core: &Core, global: &Global, word: Option<String>) -> Result<(), Trouble> {
    let now = match word {
        Some(word) => {
            let settings = PlanSettings { serve_asked_or_refuse: word == "on" };
            core.call(Method::PUT, "/api/v1/settings", Some(&settings)).await?
        }
        None => settings(core).await?,
    };
    if global.json {
        table::json(&now);
    } else if now.serve_asked_or_refuse {
        say!("On: a request is served the model that it asks for, or refused.");
    } else {
        say!("Off: routes and accounts may have another model asked for.");
    }
    Ok(())
}

async fn read(slots: &[String], core: &Core) -> Result<Vec<SlotView>, Trouble> {
    let (accounts, pools) = (accounts::all(core).await?, pools::all(core).await?);
    slots.iter().map(|slot| slot_of(slot, &accounts, &pools)).collect()
}

/// `Work`, `pool:spare`, `pool:spare=claude-haiku-4-5`. A name that has an equals sign in it is a whole name first.
fn slot_of(text: &str, accounts: &[AccountView], pools: &[PoolView]) -> Result<SlotView, Trouble> {
    let target = |text: &str| {
        let slot = if let Some(name) = text.strip_prefix("pool:") {
            SlotView { pool_id: Some(found(pools, name)?.id), ..SlotView::default() }
        } else {
            SlotView { account_id: Some(found(accounts, text)?.id), ..SlotView::default() }
        };
        Ok::<_, Trouble>(slot)
    };
    match (target(text), text.rsplit_once('=')) {
        (Ok(slot), _) => Ok(slot),
        (Err(_), Some((name, model))) => Ok(SlotView { model: Some(model.trim().into()), ..target(name)? }),
        (Err(trouble), None) => Err(trouble),
    }
}

async fn path_of(core: &Core, given: &str) -> Result<String, Trouble> {
    let routes = all(core).await?;
    Ok(format!("/api/v1/routes/{}", found(&routes, given)?.id))
}

fn tell(done: &str, route: &RouteView, global: &Global) {
    if global.json {
        table::json(route);
    } else {
        say!("{done} {} (id {}).", route.name, route.id);
    }
}

fn show(routes: &[RouteView], settings: PlanSettings) {
    if settings.serve_asked_or_refuse {
        say!("Only the model that was asked for is served (`headgate routes asked-only off` ends that).");
    }
    if routes.is_empty() {
        say!("No route yet. Make one with `headgate routes add NAME --for opus --slot ACCOUNT`.");
        return;
    }
    let rows: Vec<[String; 6]> = routes
        .iter()
        .map(|route| {
            [
                route.name.clone(),
                match leads(route, routes) {
                    Some(first) => format!("on, but {} leads", first.name),
                    None => if route.enabled { "on" } else { "off" }.into(),
                },
                route.models.clone(),
                route.slots.iter().map(shown).collect::<Vec<_>>().join(" → "),
                if route.falls_through { "the usual selection" } else { "nobody" }.into(),
                route.idle_seconds.map_or_else(String::new, |seconds| format!("{seconds} s")),
            ]
        })
        .collect();
    table::print(["NAME", "STATE", "FOR", "SLOTS", "THEN", "SILENT"], &rows);
}

fn shown(slot: &SlotView) -> String {
    let name = match (&slot.name, slot.pool_id) {
        (Some(name), Some(_)) => format!("pool {name}"),
        (Some(name), None) => name.clone(),
        (None, _) => "nothing (it is gone)".into(),
    };
    slot.model.as_ref().map_or(name.clone(), |model| format!("{name} as {model}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str) -> PoolView {
        let json = serde_json::json!({ "id": 2, "name": name, "policy": "priority", "accounts": [],
            "created_at": "2026-11-24T00:00:00Z" });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_slot_is_an_account_or_a_pool_and_may_name_a_model() {
        let pools = [pool("spare"), pool("a=b")];
        let read = |text| slot_of(text, &[], &pools).ok().map(|slot| (slot.pool_id, slot.model));
        assert_eq!(read("pool:Spare"), Some((Some(2), None)));
        assert_eq!(read("pool:spare=glm-5"), Some((Some(2), Some("glm-5".into()))));
        assert_eq!(read("pool:a=b"), Some((Some(2), None)), "its whole name first");
        assert_eq!(read("pool:a=b=glm-5"), Some((Some(2), Some("glm-5".into()))));
        assert_eq!(read("pool:other"), None);
        assert_eq!(read("Work=glm-5"), None, "there is no such account");
    }
}
