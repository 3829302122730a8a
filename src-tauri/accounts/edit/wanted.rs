//! What a person wants of an account, checked before any of it is kept. Asks neither disk nor keychain, and changes no
//! more than the account it is given.

use jiff::Timestamp;
use url::Url;

use crate::{
    accounts::{EditError, edit::SpillOrder},
    domain::{Account, Days, MOST_REPEATS, OpenWhen, Opening, Paid, Provider, Spill},
    providers::is_this_machine,
    secrets::Sensitive,
};

const PRIORITIES: std::ops::RangeInclusive<i32> = -1000..=1000;
const MAX_KEY: usize = 16 * 1024;

/// What is wished already stays as it is, with its date.
pub(super) fn wish(
    account: &mut Account,
    provider: &Provider,
    when: Option<&OpenWhen>,
    now: Timestamp,
) -> Result<(), EditError> {
    match when {
        Some(_) if provider.passes_logins() => return Err(EditError::NotByItself),
        Some(OpenWhen::At { days, .. }) if *days == Days::default() => return Err(EditError::NoOpeningDays),
        _ => {}
    }
    if account.timed.opens().map(|opening| &opening.when) != when {
        account.timed.open_window = when.map(|when| Opening { when: when.clone(), since: now });
    }
    Ok(())
}

pub(super) fn warm(times: u8, provider: &Provider) -> Result<Option<u8>, EditError> {
    match times {
        0 => Ok(None),
        _ if provider.passes_logins() => Err(EditError::NotByItself),
        1..=MOST_REPEATS => Ok(Some(times)),
        _ => Err(EditError::BadRepeats),
    }
}

pub(super) fn check_priority(priority: i32) -> Result<(), EditError> {
    if PRIORITIES.contains(&priority) { Ok(()) } else { Err(EditError::BadPriority) }
}

/// Whether requests to this address may carry a sign-in: the provider's own, or a stand-in on this machine.
pub(in crate::accounts) fn goes_where_a_login_may(address: Option<&Url>, provider: &Provider) -> bool {
    address.is_none_or(|url| Some(url) == provider.base_url.as_ref() || is_this_machine(url))
}

pub(super) fn check_login_address(address: Option<&Url>, provider: &Provider) -> Result<(), EditError> {
    if !provider.passes_logins() || goes_where_a_login_may(address, provider) {
        return Ok(());
    }
    let own = provider.base_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    Err(EditError::ForeignAddress(own.unwrap_or_default()))
}

/// The key of a new account, if its provider wants one.
pub(super) fn wanted_key(
    key: Option<Sensitive<String>>,
    provider: &Provider,
) -> Result<Option<Sensitive<String>>, EditError> {
    match (key, provider.passes_logins()) {
        (None, true) => Ok(None),
        (Some(_), true) => Err(EditError::NoKeyWanted(provider.title.clone())),
        (None, false) => Err(EditError::NeedsKey(provider.title.clone())),
        (Some(key), false) => check_key(key).map(Some),
    }
}

/// A path that stays as it is keeps the date on which it was allowed.
pub(super) fn allow(
    account: &mut Account,
    paid: Option<Paid>,
    order: Option<&SpillOrder>,
    now: Timestamp,
) -> Result<(), EditError> {
    let Some(order) = order else { return Ok(()) };
    match order {
        SpillOrder::None => account.spill = None,
        SpillOrder::To(_) if paid == Some(Paid::Use) => return Err(EditError::NoSpill),
        SpillOrder::To(to) => account.spill = Some(Spill::allowed(to, account.spill.as_ref(), now)),
    }
    Ok(())
}

/// A key as typed or piped, without the line break that pipes add.
pub(in crate::accounts) fn check_key(key: Sensitive<String>) -> Result<Sensitive<String>, EditError> {
    let text = key.expose().trim();
    let fits = !text.is_empty() && text.len() <= MAX_KEY && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(Sensitive::new(text.to_owned())) } else { Err(EditError::BadKey) }
}
