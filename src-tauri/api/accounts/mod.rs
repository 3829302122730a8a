//! Accounts: list, add, change, pause, resume, renew, open a window, remove.

pub mod probe_views;
pub(super) mod probes;
pub mod sign_in_views;
pub(super) mod sign_ins;
pub mod spill_views;

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused,
    auth::Door,
    blocking,
    input::{Body, Id},
    make,
    plan::views::GuardsOrder,
    views::{AccountChange, AccountView, NewAccount, PauseOrder, Problem, ProviderView, RemovedAccount},
};
use crate::{
    accounts::{self, Change, EditError, PlainHttp, Tokens},
    domain::{AccountId, PausedBy, PoolId, Route, SignIn, Target},
    keys::Holder,
    proxy::{self, Opened, is_key},
    routing::Contender,
    secrets::Sensitive,
};

/// What opens Headgate opens no upstream, and would be shown to one.
fn refuse_own_key(key: Option<&Sensitive<String>>) -> Result<(), Refused> {
    match key {
        Some(key) if is_key(key.expose().as_bytes()) => Err(Refused::bad_input(
            "that is one of the keys that Headgate gives to its clients; an account wants the key of its own provider",
        )),
        _ => Ok(()),
    }
}

impl Api {
    /// Every account as it stands.
    pub fn accounts(&self) -> Vec<AccountView> {
        let (gateway, now) = (&self.gateway, self.clock.now());
        let shown = gateway.roster.shown();
        shown.contenders.iter().map(|contender| make::account(contender, gateway, now)).collect()
    }

    /// Where we listen is the proxy's to know, so it is asked before the roster judges the rest.
    pub(in crate::api) fn refuse_own_address(&self, typed: Option<&str>) -> Result<(), Refused> {
        let leads_back = typed.is_some_and(|typed| self.gateway.outward.leads_back(typed));
        if leads_back { Err(EditError::OwnAddress.into()) } else { Ok(()) }
    }

    /// What would point at nothing without an account.
    fn without(&self, contender: &Contender) -> RemovedAccount {
        let (id, snapshot) = (contender.account.id, self.gateway.roster.snapshot());
        let leads_there = |route: &&Route| route.slots.iter().any(|slot| slot.target == Target::Account(id));
        let live = self.gateway.keys.live();
        let lists_it =
            |one: &&Arc<Holder>| one.key.grant.accounts.as_ref().is_some_and(|all| all.contains(&id));
        let spills_there = |one: &&Arc<Contender>| {
            one.account.spill.as_ref().is_some_and(|spill| spill.only.iter().any(|(to, _)| *to == id))
        };
        RemovedAccount {
            account: make::account(contender, &self.gateway, self.clock.now()),
            routes: snapshot.plan.routes.iter().filter(leads_there).map(|one| one.name.to_string()).collect(),
            keys: live.iter().filter(lists_it).map(|one| one.key.name.to_string()).collect(),
            spills: snapshot
                .contenders
                .iter()
                .filter(spills_there)
                .map(|one| one.account.name.to_string())
                .collect(),
        }
    }

    /// What an account was signed in with, for when it no longer is.
    fn signed_in(&self, id: AccountId) -> Option<(Arc<SignIn>, Arc<Tokens>)> {
        let roster = &self.gateway.roster;
        roster.snapshot().get(id)?.account.sign_in.clone().zip(roster.tokens(id))
    }

    async fn give_back(&self, signed_in: Option<(Arc<SignIn>, Arc<Tokens>)>) {
        if let Some((terms, tokens)) = signed_in {
            self.sign_ins.give_back(terms, &tokens).await;
        }
    }

    fn view(&self, changed: &Contender) -> AccountView {
        let snapshot = self.gateway.roster.shown();
        // Somebody may have removed it since.
        let shown = snapshot.get(changed.account.id).map_or(changed, |shown| shown);
        make::account(shown, &self.gateway, self.clock.now())
    }
}

/// The upstreams that accounts can be at.
#[utoipa::path(get, path = "/api/v1/providers", responses((status = OK, body = [ProviderView])))]
pub async fn providers(State(api): State<Api>) -> Json<Vec<ProviderView>> {
    Json(api.gateway.roster.catalog().iter().map(|provider| make::provider(provider)).collect())
}

/// Every account with its standing and its windows.
#[utoipa::path(get, path = "/api/v1/accounts", operation_id = "list_accounts", responses((status = OK, body = [AccountView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<AccountView>> {
    Json(api.accounts())
}

/// Adds an account; it may serve the next request.
#[utoipa::path(post, path = "/api/v1/accounts", operation_id = "add_account", request_body = NewAccount, responses(
    (status = CREATED, body = AccountView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<AccountView>), Refused> {
    api.refuse_own_address(new.base_url.as_deref())?;
    refuse_own_key(new.key.as_ref())?;
    let roster = api.gateway.roster.clone();
    let new = accounts::NewAccount {
        name: new.name,
        provider: new.provider,
        base_url: new.base_url,
        plain_http: PlainHttp::allowed(new.allow_plaintext),
        priority: new.priority,
        key: new.key,
    };
    let added = blocking(move || roster.add(new)).await?;
    Ok((StatusCode::CREATED, Json(api.view(&added))))
}

/// One account.
#[utoipa::path(get, path = "/api/v1/accounts/{id}", operation_id = "show_account", params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem),
))]
pub async fn show(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<AccountView>, Refused> {
    let snapshot = api.gateway.roster.shown();
    let found = snapshot.get(AccountId(id)).ok_or(EditError::NotFound)?;
    Ok(Json(api.view(found)))
}

/// Changes name, priority, address, key, model names, pool, guards, when its windows are opened, how often prompts are
/// kept warm, or where requests may spill over to; whatever is absent stays. A key takes the place of a sign-in, which is
/// given back to its provider where that is possible.
#[utoipa::path(patch, path = "/api/v1/accounts/{id}", operation_id = "change_account", request_body = AccountChange, params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn change(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<AccountChange>,
) -> Result<Json<AccountView>, Refused> {
    api.refuse_own_address(change.base_url.as_deref())?;
    refuse_own_key(change.key.as_ref())?;
    let (roster, id) = (api.gateway.roster.clone(), AccountId(id));
    let signed_in = change.key.as_ref().and_then(|_| api.signed_in(id));
    let change = Change {
        name: change.name,
        priority: change.priority,
        base_url: change.base_url,
        plain_http: PlainHttp::allowed(change.allow_plaintext),
        key: change.key,
        models: change.models,
        lacks: change.lacks,
        paid: change.paid.map(Into::into),
        spill: change.spill_to.map(Into::into),
        pool: change.pool_id.map(PoolId),
        open_window: change.open_window.map(Into::into),
        keep_warm: change.keep_warm,
        guards: change.guards.map(GuardsOrder::read).transpose()?.unwrap_or_default(),
    };
    let changed = blocking(move || roster.change(id, change)).await?;
    // A key has taken its place by now, whatever its provider says.
    api.give_back(signed_in).await;
    Ok(Json(api.view(&changed)))
}

/// Removes an account and its key. Its history stays. A sign-in is given back to its provider where that is possible.
/// The answer says what points at nothing now.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", operation_id = "remove_account", params(("id" = i64, Path)), responses(
    (status = OK, body = RemovedAccount), (status = NOT_FOUND, body = Problem),
))]
pub async fn remove(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<RemovedAccount>, Refused> {
    let (roster, id) = (api.gateway.roster.clone(), AccountId(id));
    let before = roster.shown();
    let was = before.get(id).ok_or(EditError::NotFound)?;
    let removed = api.without(was);
    let signed_in = api.signed_in(id);
    blocking(move || roster.remove(id)).await?;
    // It is gone by now, whatever its provider says.
    api.give_back(signed_in).await;
    Ok(Json(removed))
}

/// Takes an account out of service until it is resumed. Running requests go on.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/pause", operation_id = "pause_account", request_body = PauseOrder, params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem),
))]
pub async fn pause(
    State(api): State<Api>,
    door: Option<Extension<Door>>,
    Id(id): Id<i64>,
    Body(order): Body<PauseOrder>,
) -> Result<Json<AccountView>, Refused> {
    let roster = api.gateway.roster.clone();
    // Who comes in process has no door to come through.
    let by = match door {
        None => PausedBy::User,
        Some(Extension(Door::Page)) => PausedBy::Page,
        Some(Extension(Door::Token)) => PausedBy::Program,
        Some(Extension(Door::Key(name))) => PausedBy::Key(name.to_string()),
    };
    let paused = blocking(move || roster.pause_by(AccountId(id), &order.reason, &by)).await?;
    Ok(Json(api.view(&paused)))
}

/// Puts an account back into service, whatever kept it out. A sign-in that its provider has refused is asked for once
/// more, when that is due.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/resume", operation_id = "resume_account", params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem),
))]
pub async fn resume(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<AccountView>, Refused> {
    let renewals = api.gateway.renewals.clone();
    let resumed = blocking(move || renewals.resume(AccountId(id))).await?;
    Ok(Json(api.view(&resumed)))
}

/// Renews an account's sign-in now, or waits for the renewal that is under way. Its provider is asked whatever it said
/// before.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/renew", operation_id = "renew_account", params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = BAD_GATEWAY, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem),
))]
pub async fn renew(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<AccountView>, Refused> {
    let id = AccountId(id);
    let found = |api: &Api| api.gateway.roster.snapshot().get(id).cloned().ok_or(EditError::NotFound);
    found(&api)?;
    api.gateway.renewals.renew(id).await?;
    Ok(Json(api.view(&*found(&api)?)))
}

/// Opens a usage window of an account now, by a request of one token that is recorded like any other.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/open-window", operation_id = "open_window", params(("id" = i64, Path)), responses(
    (status = OK, body = AccountView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = BAD_GATEWAY, body = Problem),
))]
pub async fn open_window(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<AccountView>, Refused> {
    let id = AccountId(id);
    let found = |api: &Api| api.gateway.roster.snapshot().get(id).cloned().ok_or(EditError::NotFound);
    let name = found(&api)?.account.name.to_string();
    // On a task of its own: a person who leaves does not break off what was begun.
    let (gateway, tasks) = (api.gateway.clone(), api.tasks.clone());
    let (telling, told) = tokio::sync::oneshot::channel();
    api.tasks.spawn(async move {
        let _ = telling.send(proxy::open_window(&gateway, &tasks, id, true).await);
    });
    let opened = told.await.map_err(|_| Refused::broken("the act broke off"))?;
    match opened {
        Opened::Done => Ok(Json(api.view(&*found(&api)?))),
        Opened::Failed(_) => Err(Refused::upstream(opened.says(&name))),
        Opened::Needless(_) | Opened::KeptBack(_) => Err(Refused::not_opened(opened.says(&name))),
    }
}
