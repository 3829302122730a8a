//! `headgate profiles …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{Code, Core, Global, Trouble, named::found, out::say, person::confirmed, table};
use crate::{
    api::profiles::views::{NewProfile, ProfileChange, ProfileView, RemovedProfile},
    clock::Clock,
};

/// List profiles of Claude Code, or make, adopt, rename and forget them.
#[derive(Debug, Args)]
pub struct Profiles {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them with their limits; the same as `headgate profiles`.
    List,
    /// Make one, with a folder of its own. Start Claude Code in it with `headgate run --profile NAME`, and sign in.
    Add {
        /// What to call it: letters, digits, `-`, `_` or `.`.
        name: String,
    },
    /// Use a folder that is there as it is, `~/.claude` say. Headgate reads nothing in it, and never removes it.
    Adopt {
        /// What to call it.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// Give one another name. Its folder stays where it is.
    Rename {
        /// Name or id.
        profile: String,
        /// The new name.
        name: String,
    },
    /// Forget one. Its folder stays, with Claude Code's sign-in in it.
    Remove {
        /// Name or id.
        profile: String,
        /// Remove its folder too, with the sign-in, the settings and the history in it. Only one that Headgate made.
        #[arg(long)]
        with_folder: bool,
        /// Remove the folder without being asked.
        #[arg(long)]
        yes: bool,
    },
}

impl Profiles {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        global.on_core(async |core| perform(act, core, global).await).await
    }
}

async fn perform(act: Act, core: &Core, global: &Global) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let profiles = all(core).await?;
            if global.json {
                table::json(&profiles);
            } else {
                show(&profiles);
            }
        }
        Act::Add { name } => {
            let made = add(core, NewProfile { name, folder: None, id: None }).await?;
            tell("Made", &made, global);
        }
        Act::Adopt { name, folder } => {
            // As the shell means it: from the folder that it stands in.
            let whole = std::path::absolute(&folder).map_err(|error| {
                Trouble::new(Code::Usage, format!("{} is no folder: {error}", folder.display()))
            })?;
            let folder = Some(whole.to_string_lossy().into_owned());
            let adopted = add(core, NewProfile { name, folder, id: None }).await?;
            tell("Adopted", &adopted, global);
        }
        Act::Rename { profile, name } => {
            let path = path_of(core, &profile).await?;
            let renamed = core.call(Method::PATCH, &path, Some(&ProfileChange { name })).await?;
            tell("Renamed", &renamed, global);
        }
        Act::Remove { profile, with_folder, yes } => {
            let all = all(core).await?;
            let profile = found(&all, &profile)?;
            if with_folder && !yes {
                let (name, folder) = (table::printable(&profile.name), table::printable(&profile.folder));
                let question = format!(
                    "Remove {name} and the folder {folder}, with Claude Code's sign-in, settings and history in it? [y/N] "
                );
                if !confirmed(&question)? {
                    return Err(Trouble::new(Code::Failed, "nothing was removed"));
                }
            }
            let path = format!("/api/v1/profiles/{}?with_folder={with_folder}", profile.id);
            let removed: RemovedProfile = core.call(Method::DELETE, &path, None::<&()>).await?;
            say_removed(&removed, global);
        }
    }
    Ok(())
}

/// Every profile.
pub(in crate::cli) async fn all(core: &Core) -> Result<Vec<ProfileView>, Trouble> {
    core.get("/api/v1/profiles").await
}

async fn add(core: &Core, new: NewProfile) -> Result<ProfileView, Trouble> {
    core.call(Method::POST, "/api/v1/profiles", Some(&new)).await
}

async fn path_of(core: &Core, given: &str) -> Result<String, Trouble> {
    Ok(format!("/api/v1/profiles/{}", found(&all(core).await?, given)?.id))
}

fn tell(done: &str, profile: &ProfileView, global: &Global) {
    if global.json {
        return table::json(profile);
    }
    say!("{done} {} (id {}), in {}.", profile.name, profile.id, profile.folder);
    say!("Start Claude Code in it with: {}", profile.command);
}

fn say_removed(removed: &RemovedProfile, global: &Global) {
    if global.json {
        return table::json(removed);
    }
    let profile = &removed.profile;
    if removed.with_folder {
        return say!("Forgot {}, and removed {}.", profile.name, profile.folder);
    }
    say!("Forgot {}. Its folder is still there: {}", profile.name, profile.folder);
    say!("To use it again: headgate profiles adopt {} {}", profile.name, profile.folder);
}

fn show(profiles: &[ProfileView]) {
    if profiles.is_empty() {
        return say!("There is no profile yet. Make one with: headgate profiles add NAME");
    }
    let clock = Clock::system();
    let (now, zone) = (clock.now(), clock.zone());
    let rows: Vec<[String; 4]> = profiles.iter().map(|profile| row(profile, now, &zone)).collect();
    table::print(["PROFILE", "WINDOWS", "TOLD", "FOLDER"], &rows);
}

fn row(profile: &ProfileView, now: Timestamp, zone: &TimeZone) -> [String; 4] {
    let used = profile.windows.iter().map(|window| {
        let share =
            window.utilization.map_or_else(|| "unknown".into(), |share| format!("{:.0} %", share * 100.0));
        format!("{} {share}", window.name)
    });
    let windows = used.collect::<Vec<_>>().join(", ");
    let windows = if windows.is_empty() { "nothing known yet".into() } else { windows };
    let told = profile.seen_at.map_or_else(|| "never".into(), |at| table::time(at, now, zone));
    let gone = if profile.has_folder { "" } else { " (gone)" };
    [profile.name.clone(), windows, told, format!("{}{gone}", profile.folder)]
}
