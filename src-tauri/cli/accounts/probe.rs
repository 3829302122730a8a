//! `headgate accounts test`

use clap::Args;
use http::Method;

use crate::api::accounts::probe_views::{ProbeOrder, ProbeView};
use crate::cli::{Code, Core, Global, Trouble, accounts::path_of, out::say, table};

/// What is tested, and with which model.
#[derive(Debug, Args)]
pub struct Test {
    /// Name or id.
    account: String,
    /// The model to ask for; without it the first one of the account's list.
    #[arg(long)]
    model: Option<String>,
}

impl Test {
    /// Does it. It fails where the test does, so that a script can tell.
    pub async fn run(self, core: &Core, global: &Global) -> Result<(), Trouble> {
        let path = format!("{}/test", path_of(core, &self.account).await?);
        let order = ProbeOrder { model: self.model };
        let found: ProbeView = core.call(Method::POST, &path, Some(&order)).await?;
        if global.json {
            table::json(&found);
        } else {
            show(&found);
        }
        if found.works { Ok(()) } else { Err(Trouble::new(Code::Failed, found.says)) }
    }
}

fn show(found: &ProbeView) {
    say!("Asked {} for one token of {}.", found.url, found.model);
    if let (Some(status), Some(http)) = (found.status, &found.http) {
        let tls = found.tls.as_ref().map_or_else(String::new, |tls| format!(", {tls}"));
        let took = table::duration(found.first_byte_ms);
        say!("It answered {status}, first byte after {took}, over {http}{tls}.");
    }
    if let Some(told) = &found.told {
        say!("{}", table::printable(told));
    }
    say!("The request: headgate requests {}", found.request_id);
    // What failed is said at the end, on standard error.
    if found.works {
        say!("{}", found.says);
    }
    if let Some(next) = &found.next {
        say!("{}", table::printable(next));
    }
}
