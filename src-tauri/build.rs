//! What must stand before the crate compiles: a page to embed, even an empty one, the ranks by which tokens are counted,
//! and for the window whatever Tauri generates from `tauri.conf.json`. Never builds the page itself; npm does that.

use std::{collections::BTreeMap, env, fs, io, path::Path};

use fst::Map;

/// Tokens of `cl100k_base` but its special ones, whose numbers lie behind a gap.
const TOKENS: usize = 100_256;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src-tauri/build.rs");
    println!("cargo:rerun-if-changed=tauri.conf.json");
    stand_in_for_the_page(Path::new("ui/dist"))?;
    ranks()?;
    #[cfg(feature = "desktop")]
    window()?;
    Ok(())
}

/// Both doors embed `ui/dist`, which a clean clone does not have.
fn stand_in_for_the_page(dist: &Path) -> io::Result<()> {
    let page = dist.join("index.html");
    if page.exists() {
        return Ok(());
    }
    fs::create_dir_all(dist)?;
    fs::write(page, include_str!("no-page.html"))
}

/// Writes `cl100k_base.fst`: of each token its rank. tiktoken-rs has them as base64 and in hash maps.
fn ranks() -> io::Result<()> {
    let tables = tiktoken_rs::cl100k_base().map_err(io::Error::other)?;
    let token = |rank: u32| Some((tables.decode_bytes(&[rank]).ok()?, u64::from(rank)));
    let ranks: BTreeMap<_, _> = (0..).map_while(token).collect();
    if ranks.len() != TOKENS {
        return Err(io::Error::other(format!("cl100k_base has {} tokens and not {TOKENS}", ranks.len())));
    }
    let map = Map::from_iter(ranks).map_err(io::Error::other)?;
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("Cargo names no OUT_DIR"))?;
    fs::write(Path::new(&folder).join("cl100k_base.fst"), map.as_fst().as_bytes())
}

/// With permissions of our own Tauri refuses every command of ours that the capability does not grant.
#[cfg(feature = "desktop")]
fn window() -> io::Result<()> {
    const PERMISSIONS: &str = "src-tauri/desktop/permissions.toml";
    println!("cargo:rerun-if-changed={PERMISSIONS}");
    let ours = tauri_build::AppManifest::new().permissions_path_pattern(PERMISSIONS);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(ours))
        .map_err(|error| io::Error::other(format!("{error:#}")))
}
