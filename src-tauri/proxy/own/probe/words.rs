//! What a connection test found, as a sentence with a next step. Pure, and in the words of whoever owns the account.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    domain::{Finding, Need, StandingState},
    routing::{Contender, standing_for},
};

/// What was tested.
pub struct Subject<'a> {
    /// As it stands after the test.
    pub account: &'a Contender,
    /// Whom it asked.
    pub host: &'a str,
    /// For what.
    pub model: &'a str,
    /// What came back, if something did.
    pub status: Option<u16>,
    /// How soon.
    pub first_byte: Option<Duration>,
    /// What the request needed of the account.
    pub need: Need,
    /// When it is told.
    pub now: Timestamp,
}

/// What it found.
pub fn says(finding: Finding, of: &Subject<'_>) -> String {
    let (name, host, model) = (&of.account.account.name, of.host, of.model);
    let status = of.status.map_or_else(|| "no status".into(), |status| format!("status {status}"));
    match finding {
        Finding::Works => {
            let took = of.first_byte.unwrap_or_default().as_millis();
            format!("{name} works: {model} answered after {took} ms.")
        }
        Finding::UnknownHost => format!("The name {host} leads to no address."),
        Finding::Refused => format!("{host} refuses the connection: nobody listens at that port."),
        Finding::OutOfReach => format!("{host} can't be reached."),
        Finding::ProxyRefused => format!("The proxy on the way to {host} gives no way."),
        Finding::TlsFailed => format!("No secure connection to {host} comes about."),
        Finding::NoHttp => format!("What answers at {host} does not speak HTTP."),
        Finding::Late => format!("{host} did not answer in time."),
        Finding::BrokeOff => format!("{host} closed the connection before it had answered."),
        Finding::Itself => format!("The address of {name} leads back to Headgate itself."),
        Finding::Redirected => {
            format!(
                "{host} points to another address ({status}). That is not followed: it would take the key along."
            )
        }
        Finding::WebPage => format!("{host} answers with a web page ({status}), not as a model does."),
        Finding::NoMessage => {
            format!("{host} answers ({status}), but not with a message of Anthropic's Messages API.")
        }
        Finding::CredentialRefused => format!("{host} does not accept the {} of {name}.", credential(of)),
        Finding::OrganisationDisabled => format!("The organisation behind {name} is switched off."),
        Finding::Forbidden => format!("{name} is not allowed to do this ({status})."),
        Finding::ModelMissing => format!("{name} does not have the model {model}."),
        Finding::NotFound => format!("There is no Messages API at this address of {host} ({status})."),
        Finding::Throttled => format!("{name} can be reached, and is throttled now."),
        Finding::QuotaSpent => format!("{name} can be reached; its usage limit is spent now."),
        Finding::ExtraUsageSpent => {
            format!("{name} can be reached; what is paid on top of its plan is spent now.")
        }
        Finding::Weather => format!("{host} is in trouble ({status})."),
        Finding::RequestRefused => format!("{host} does not take the request ({status})."),
    }
}

/// What to do next; `None` where it works and nothing keeps requests away.
pub fn next(finding: Finding, of: &Subject<'_>) -> Option<String> {
    let step = match finding {
        Finding::Works => return still_kept_away(of),
        Finding::UnknownHost => "Check how the address is spelt, and whether this machine is online.",
        Finding::Refused => "Check the port in the address, and whether the gateway there is running.",
        Finding::OutOfReach => "Check this machine's network, a firewall between, or the address.",
        Finding::ProxyRefused => "Check the proxy that the settings or the environment name.",
        Finding::TlsFailed => {
            "What went wrong is told beside; an authority of your own is named in tls.extra_ca."
        }
        Finding::NoHttp => "Check the port in the address, and whether it begins with https where it has to.",
        Finding::Late | Finding::Weather => "Try again in a while; the provider's status page may tell more.",
        Finding::BrokeOff => "Try again; if it stays so, something between here and there cuts connections.",
        Finding::Itself => "Give the account its upstream's own address.",
        Finding::Redirected => "Give the account the address that is pointed to, if you trust it.",
        Finding::WebPage => {
            "A network that wants a sign-in, or a wrong address, answers like that: check both."
        }
        Finding::NoMessage | Finding::NotFound => {
            "Check the base URL: it is what stands before /v1/messages, and the upstream has to speak that API."
        }
        Finding::CredentialRefused if of.account.account.sign_in.is_some() => {
            "Renew its sign-in, or sign in again."
        }
        Finding::CredentialRefused => "Replace the key, and make sure that it belongs to this address.",
        Finding::OrganisationDisabled => "Only its owner or the provider can switch it on again.",
        Finding::Forbidden => {
            "Look at the provider's console whether this account may use its API and this model."
        }
        Finding::ModelMissing => "Test it with another model, or translate the name in the account's form.",
        Finding::Throttled => "Wait a minute and test again. Headgate changed nothing about the account.",
        Finding::QuotaSpent => "It serves again after the reset. Headgate changed nothing about the account.",
        Finding::ExtraUsageSpent => "Its owner can allow more at the provider, or wait for the plan's reset.",
        Finding::RequestRefused => "Test it with another model; what the upstream said is told beside.",
    };
    Some(step.into())
}

/// What keeps requests away from an account that works.
fn still_kept_away(of: &Subject<'_>) -> Option<String> {
    let standing = standing_for(of.account, of.need, of.now);
    if standing.state == StandingState::Ready {
        return None;
    }
    let why = standing.reason.as_deref().unwrap_or("it rests");
    Some(format!("It still gets no requests: {why}. Resume it to use it now."))
}

fn credential(of: &Subject<'_>) -> &'static str {
    if of.account.account.sign_in.is_some() { "sign-in" } else { "key" }
}
