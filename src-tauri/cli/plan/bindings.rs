//! `headgate bindings …`

use clap::{Args, Subcommand};
use http::Method;

use crate::cli::{Core, Global, Trouble, clients::keys, named::found, out::say, plan::pools, table};
use crate::{
    api::plan::views::{BindingView, NewBinding},
    domain::{KeyId, Role, Subject},
};

/// List what is bound to which pool, or change it.
#[derive(Debug, Args)]
pub struct Bindings {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them; the same as `headgate bindings`.
    List,
    /// Bind something to a pool: it is served there first.
    Add {
        #[command(flatten)]
        subject: What,
        /// The pool, by name or id.
        #[arg(long)]
        pool: String,
        /// It is refused rather than served anywhere else.
        #[arg(long)]
        strict: bool,
    },
    /// Remove one.
    Remove {
        /// Its id, as the list shows it.
        #[arg(allow_negative_numbers = true)]
        binding: i64,
    },
}

/// What is bound; one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// What comes with this key, by name or id.
    #[arg(long)]
    key: Option<String>,
    /// What belongs to the project of this name.
    #[arg(long)]
    project: Option<String>,
    /// What is asked from this folder, or from one inside it.
    #[arg(long, value_name = "FOLDER")]
    directory: Option<String>,
    /// What is asked in this role: main, subagent, workflow, compaction or auxiliary.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// What agents of this type ask.
    #[arg(long, value_name = "TYPE")]
    agent_type: Option<String>,
}

fn role(text: &str) -> Result<Role, String> {
    Role::of(text).ok_or_else(|| "choose main, subagent, workflow, compaction or auxiliary".into())
}

impl Bindings {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        global.on_core(async |core| perform(act, core, global).await).await
    }
}

async fn perform(act: Act, core: &Core, global: &Global) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let bindings: Vec<BindingView> = core.get("/api/v1/bindings").await?;
            if global.json {
                table::json(&bindings);
            } else {
                show(&bindings);
            }
        }
        Act::Add { subject, pool, strict } => {
            let subject = subject.read(core).await?;
            let pool_id = found(&pools::all(core).await?, &pool)?.id;
            let new = NewBinding { subject, pool_id, strict, id: None };
            let added = core.call(Method::POST, "/api/v1/bindings", Some(&new)).await?;
            tell("Bound", &added, global);
        }
        Act::Remove { binding } => {
            let path = format!("/api/v1/bindings/{binding}");
            let removed = core.call(Method::DELETE, &path, None::<&()>).await?;
            tell("No longer bound:", &removed, global);
        }
    }
    Ok(())
}

impl What {
    async fn read(self, core: &Core) -> Result<Subject, Trouble> {
        if let Some(key) = self.key {
            return Ok(Subject::Key(KeyId(keys::find(core, &key).await?.id)));
        }
        let named = self.project.map(Subject::Project).or(self.directory.map(Subject::Directory));
        let named = named.or(self.role.map(Subject::Role)).or(self.agent_type.map(Subject::AgentType));
        Ok(named.expect("clap asks for one of them"))
    }
}

fn tell(done: &str, binding: &BindingView, global: &Global) {
    if global.json {
        table::json(binding);
    } else {
        say!("{done} {} (binding {}).", sentence(binding), binding.id);
    }
}

fn sentence(binding: &BindingView) -> String {
    let pool = pool_of(binding);
    format!("{} to {pool}{}", binding.what, if binding.strict { ", and nowhere else" } else { "" })
}

fn pool_of(binding: &BindingView) -> String {
    match &binding.pool {
        Some(name) => format!("pool {name}"),
        None => format!("pool {}, which is gone", binding.pool_id),
    }
}

fn show(bindings: &[BindingView]) {
    if bindings.is_empty() {
        say!("Nothing is bound. Bind with `headgate bindings add --project NAME --pool POOL`.");
        return;
    }
    let rows: Vec<[String; 4]> = bindings
        .iter()
        .map(|binding| {
            let strict = match (binding.strict, binding.pool.is_some()) {
                (true, true) => "nowhere else",
                (false, true) => "there first",
                (true, false) => "by nobody",
                (false, false) => "as if it were not bound",
            };
            [binding.id.to_string(), binding.what.clone(), pool_of(binding), strict.into()]
        })
        .collect();
    table::print(["ID", "WHAT", "POOL", "SERVED"], &rows);
}
