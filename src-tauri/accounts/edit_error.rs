//! Why an act of a person was not done. Each is a sentence with a next step, and none holds a secret.

use crate::{
    domain::{BadModelMap, BadName, Lacks, MOST_GUARDS, MOST_REPEATS},
    providers::BadAddress,
    secrets::VaultError,
    store::StoreError,
};

/// Why an act was not done; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("there is no such account; `headgate accounts` lists them")]
    NotFound,
    #[error("another account is already called \"{0}\"; names are unique without regard to case")]
    NameTaken(String),
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error("\"{given}\" is no provider; choose one of: {known}")]
    NoSuchProvider { given: String, known: String },
    #[error("{0} has no address of its own; name one with --base-url")]
    NeedsAddress(String),
    #[error(
        "{provider} gets no token of {title}, which it did not give: name the address that takes it, with --base-url for \
         a new account, or first with `headgate accounts base-url`"
    )]
    ForeignToken { provider: String, title: String },
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    #[error(
        "that is Headgate's own address: a request would come round and round. Name the upstream's own one"
    )]
    OwnAddress,
    #[error("a priority is a whole number from -1000 to 1000")]
    BadPriority,
    #[error(transparent)]
    BadModelMap(#[from] BadModelMap),
    #[error(
        "a beta feature has up to {longest} letters, digits, `-`, `_` and `.`, and an account lacks {most} of them at most: \
         name `images`, `tools`, or how a feature begins in the header anthropic-beta",
        longest = Lacks::LONGEST_BETA, most = Lacks::MOST_BETAS
    )]
    BadBeta,
    #[error("that is no key: it is empty, or holds blanks or control characters")]
    BadKey,
    #[error("{0} needs a key; give it one through standard input with --key-stdin")]
    NeedsKey(String),
    #[error("{0} has no key of its own: it passes on what the client brings. Leave the key out")]
    NoKeyWanted(String),
    #[error("a sign-in goes to {0} and nowhere else; leave the address out")]
    ForeignAddress(String),
    #[error(
        "it is paid by use itself, and requests spill over from an account whose use a plan includes; where a plan does include it, say so first (`headgate accounts set NAME --paid plan`)"
    )]
    NoSpill,
    #[error("it passes on the sign-ins of clients, and their plans pay; how it is paid is not to be said")]
    PaidBySignIns,
    #[error("requests spill over to other accounts that have a key of their own, and {0}")]
    BadSpill(String),
    #[error("Headgate asks nothing by itself with Claude Code's own sign-in, which this account passes on")]
    NotByItself,
    #[error("a prompt is kept warm 1 to {MOST_REPEATS} times, or 0 times for never")]
    BadRepeats,
    #[error("windows are opened on at least one day of the week; name it, as in \"weekdays 07:00\"")]
    NoOpeningDays,
    #[error("there is no such pool; `headgate pools` lists them")]
    NoSuchPool,
    #[error("an account has at most {MOST_GUARDS} reserves and {MOST_GUARDS} peak hours; leave some out")]
    TooManyGuards,
    #[error(
        "a window is named as its upstream names it, as in 5h or 7d_opus; `headgate accounts` shows them"
    )]
    BadWindow,
    #[error("peak hours are on at least one day of the week; name it, as in \"Mon-Fri 09:00-17:00\"")]
    NoDays,
    #[error(
        "there is no time zone \"{0}\"; name one as in Europe/Berlin, or leave it out for this machine's"
    )]
    NoSuchZone(String),
    #[error("this system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
