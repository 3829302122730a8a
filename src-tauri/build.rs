//! What must stand before the crate compiles: a page to embed, even an empty one, and for the window
//! whatever Tauri generates from `tauri.conf.json`. Never builds the page itself; npm does that.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src-tauri/build.rs");
    println!("cargo:rerun-if-changed=tauri.conf.json");
    stand_in_for_the_page(Path::new("ui/dist"))?;
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

/// With permissions of our own Tauri refuses every command of ours that the capability does not grant.
#[cfg(feature = "desktop")]
fn window() -> io::Result<()> {
    const PERMISSIONS: &str = "src-tauri/desktop/permissions.toml";
    println!("cargo:rerun-if-changed={PERMISSIONS}");
    let ours = tauri_build::AppManifest::new().permissions_path_pattern(PERMISSIONS);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(ours))
        .map_err(|error| io::Error::other(format!("{error:#}")))
}
