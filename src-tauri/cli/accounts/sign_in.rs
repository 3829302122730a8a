//! `headgate accounts sign-in`: begins a sign-in and sees it through, in a browser here, by a code that is entered
//! elsewhere, or by one that is pasted. Codes and secrets come by standard input, never as an argument.

use std::{io::BufRead, time::Duration};

use clap::Args;
use http::Method;

use crate::cli::{
    Code, Core, Global, Trouble, browser, named::found, out::say, person, signals::told_to_leave, table,
};
use crate::{
    api::{
        accounts::sign_in_views::{
            NewSignIn, PastedCode, SignInDefinition, SignInState, SignInView, SignInWay,
        },
        views::AccountView,
    },
    secrets::Sensitive,
};

/// How often a sign-in that somebody else finishes is looked at.
const EVERY: Duration = Duration::from_millis(400);
/// A longer line is no code.
const MOST_LINE: u64 = 64 * 1024;

#[derive(Debug, Args)]
pub struct SignIn {
    /// The account: one that there is, by name or id, or a new one's name.
    account: String,
    /// How: openrouter, oidc, google, entra, huggingface, anthropic or anthropic-console. Left out for an account that
    /// was signed in before.
    #[arg(long, value_name = "DEFINITION")]
    with: Option<String>,
    /// Which upstream a new account is at; left out where the way to sign in says it.
    #[arg(long)]
    provider: Option<String>,
    /// Where a new account's requests go instead of the provider's own address.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Let that be plain http:// on a private network, where the token can be read on its way.
    #[arg(long, requires = "base_url")]
    allow_plaintext: bool,
    /// A new account's priority; lower goes first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// The id of the client that you registered.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Reads the client's secret from the first line of standard input.
    #[arg(long)]
    client_secret_stdin: bool,
    /// Who signs you in, like `https://id.example.com`; for oidc.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The directory, by id or domain; for entra.
    #[arg(long)]
    tenant: Option<String>,
    /// What to ask for instead of what the definition asks for; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Enter a code at the provider, on whatever device.
    #[arg(long, conflicts_with = "paste")]
    device: bool,
    /// Paste the code, or the address that the browser ends at, here.
    #[arg(long)]
    paste: bool,
    /// Only print the address, and open nothing.
    #[arg(long)]
    no_open: bool,
}

impl SignIn {
    /// Does it.
    pub async fn run(self, core: &Core, global: &Global) -> Result<(), Trouble> {
        let client_secret = if self.client_secret_stdin {
            let came = client_secret().await?.filter(|text| !text.expose().trim().is_empty());
            Some(came.ok_or_else(|| nothing_came("client's secret"))?)
        } else {
            None
        };
        let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
        let known = found(&accounts, &self.account).ok();
        let with = self.with.clone().or_else(|| Some(known?.sign_in.as_ref()?.with.clone()));
        let way = self.way(core, with.as_deref()).await?;
        let opens = !self.no_open && way == Some(SignInWay::Loopback);
        let order = NewSignIn {
            account: known.map(|known| known.id),
            name: known.is_none().then(|| self.account.clone()),
            provider: self.provider,
            base_url: self.base_url,
            allow_plaintext: self.allow_plaintext,
            priority: self.priority,
            with: self.with,
            client_id: self.client_id,
            client_secret,
            issuer: self.issuer,
            tenant: self.tenant,
            scopes: (!self.scopes.is_empty()).then_some(self.scopes),
            way,
            attended: true,
        };
        let left = told_to_leave();
        let note = core.note("accounts sign-in is waiting for somebody to sign in");
        let begun = core.call(Method::POST, "/api/v1/sign-ins", Some(&order)).await;
        let begun: SignInView = begun.map_err(|trouble| match with {
            // Nobody chose the way that wants it.
            None if trouble.is("needs_client") => Trouble::new(
                trouble.code,
                format!(
                    "{}. Other ways to sign in are named with --with; see `headgate accounts sign-in --help`",
                    trouble.to_string().trim_end_matches('.')
                ),
            ),
            _ => trouble,
        })?;
        show(&begun, global);
        if opens && let Some(url) = &begun.url {
            browser::open(url);
        }
        let path = format!("/api/v1/sign-ins/{}", begun.id);
        let ended = tokio::select! {
            ended = see_through(core, &path, &begun) => ended?,
            () = left => {
                // Whoever answers now would answer nobody.
                let _ = core.order(Method::DELETE, &path).await;
                return Err(Trouble::new(Code::Failed, "the sign-in was called off"));
            }
        };
        drop(note);
        tell(core, &ended, global).await
    }

    /// The way that was named; otherwise the definition's first one that works from where this command runs.
    async fn way(&self, core: &Core, with: Option<&str>) -> Result<Option<SignInWay>, Trouble> {
        if self.device {
            return Ok(Some(SignInWay::Device));
        }
        if self.paste {
            return Ok(Some(SignInWay::Paste));
        }
        let all: Vec<SignInDefinition> = core.get("/api/v1/sign-ins/definitions").await?;
        let Some(definition) = all.iter().find(|one| Some(one.id.as_str()) == with) else { return Ok(None) };
        let works = |way: &&SignInWay| match way {
            SignInWay::Loopback => browser::is_here(),
            // The window takes deep links, and has a dialog of its own.
            SignInWay::DeepLink => false,
            SignInWay::Paste | SignInWay::Device => true,
        };
        let mut ways: Vec<_> = definition.ways.iter().filter(works).collect();
        // A code that is entered elsewhere is less trouble than an address that is copied.
        if !browser::is_here() {
            ways.sort_by_key(|way| **way != SignInWay::Device);
        }
        Ok(ways.first().map(|way| **way))
    }
}

/// Waits until a sign-in is over, and takes what is pasted where it waits for that.
async fn see_through(core: &Core, path: &str, begun: &SignInView) -> Result<SignInView, Trouble> {
    if begun.way == SignInWay::Paste {
        tokio::select! {
            handed_in = hand_in(core, path) => handed_in?,
            ended = over(core, path) => return ended,
        }
    }
    over(core, path).await
}

/// Hands in what is pasted.
async fn hand_in(core: &Core, path: &str) -> Result<(), Trouble> {
    // A person may have copied too little; a program would only repeat itself.
    let is_person = person::is_there();
    loop {
        let Some(code) = line("code").await? else {
            let _ = core.order(Method::DELETE, path).await;
            return Err(nothing_came("code"));
        };
        if is_person && code.expose().trim().is_empty() {
            eprintln!(
                "Nothing was pasted. Paste the code or the whole address, or call the sign-in off with Ctrl-C."
            );
            continue;
        }
        match core.call::<SignInView>(Method::POST, &format!("{path}/code"), Some(&PastedCode { code })).await
        {
            Ok(_) => return Ok(()),
            Err(trouble) if is_person => trouble.print(false),
            Err(trouble) => {
                let _ = core.order(Method::DELETE, path).await;
                return Err(trouble);
            }
        }
    }
}

/// Asks until it is over. That somebody asks is what keeps it open.
async fn over(core: &Core, path: &str) -> Result<SignInView, Trouble> {
    loop {
        let now: SignInView = core.get(path).await.map_err(|trouble| gone(core, trouble))?;
        if !matches!(now.state, SignInState::Waiting | SignInState::Answered | SignInState::Exchanging) {
            return Ok(now);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// A sign-in lives in the memory of its core.
fn gone(core: &Core, trouble: Trouble) -> Trouble {
    if core.is_running() && matches!(trouble.code, Code::Folder | Code::NotFound) {
        let why = format!("{trouble}. The sign-in has ended with it; start Headgate, and sign in again");
        return Trouble::new(trouble.code, why);
    }
    trouble
}

fn show(begun: &SignInView, global: &Global) {
    if global.json {
        return table::json(begun);
    }
    let url = begun.url.as_deref().unwrap_or_default();
    match (&begun.user_code, begun.way) {
        (Some(code), _) => {
            let at = begun.enter_at.as_deref().unwrap_or(url);
            say!("Open {at} on any device and enter the code {code}\n");
            if url != at {
                say!("With the code filled in: {url}\n");
            }
            say!("Waiting for you there …");
        }
        (None, SignInWay::Paste) => {
            say!(
                "Open this address, sign in, and paste the code that you are shown, or the whole address that the browser ends at (it may say that it can't open the page):\n\n{url}\n"
            );
        }
        (None, _) => {
            say!("Open this address in a browser on this machine:\n\n{url}\n\nWaiting for its answer …");
        }
    }
}

async fn tell(core: &Core, ended: &SignInView, global: &Global) -> Result<(), Trouble> {
    let said = ended.message.clone();
    let Some(account) = ended.account.filter(|_| ended.state == SignInState::Done) else {
        return Err(Trouble::new(Code::Failed, said.unwrap_or_else(|| "the sign-in was called off".into())));
    };
    let account: AccountView = core.get(&format!("/api/v1/accounts/{account}")).await?;
    if global.json {
        table::json(&account);
    } else {
        say!("Signed in: {} (id {}).", account.name, account.id);
    }
    Ok(())
}

/// A person types it unseen.
async fn client_secret() -> Result<Option<Sensitive<String>>, Trouble> {
    if !person::is_there() {
        return line("client's secret").await;
    }
    let asking = tokio::task::spawn_blocking(|| person::unseen("Client's secret (it is not shown): "));
    Ok(asking.await.ok().and_then(Result::ok))
}

fn nothing_came(what: &str) -> Trouble {
    Trouble::new(Code::Failed, format!("no {what} came by standard input"))
}

/// One line of standard input; `None` at its end. Read on a thread that nobody waits for: whoever calls the sign-in off
/// need not press a key besides.
async fn line(what: &'static str) -> Result<Option<Sensitive<String>>, Trouble> {
    let (read, is_read) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        if person::is_there() {
            eprint!("{what}: ");
        }
        let mut text = String::new();
        let came = std::io::Read::take(&mut input, MOST_LINE).read_line(&mut text);
        let text = Sensitive::new(text);
        // Nobody may be there any more.
        let _ = read.send(came.map(|bytes| (bytes > 0).then_some(text)));
    });
    let came = is_read.await.map_err(|_| nothing_came(what))?;
    came.map_err(|error| Trouble::new(Code::Failed, format!("standard input could not be read: {error}")))
}
