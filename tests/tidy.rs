//! The house rules that a machine can check: which room may use which, how long a file may get and how many may lie in
//! one folder, that each says why it exists, and that nothing outside a test can panic by `unwrap`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every room, lower ones first, with the rooms it uses. A new edge is a decision: make it here, in sight.
const ROOMS: &[(&str, &str)] = &[
    ("clock", ""),
    ("domain", ""),
    ("events", "domain"),
    ("tasks", ""),
    ("logs", ""),
    ("settings", ""),
    ("secrets", "domain"),
    ("store", "domain"),
    ("formats", "domain"),
    ("metering", "domain formats"),
    ("providers", "domain formats"),
    ("routing", "domain"),
    ("accounts", "clock domain events tasks secrets store providers routing"),
    ("keys", "clock domain events secrets store"),
    ("clients", "clock domain events store routing"),
    ("ledger", "domain events store"),
    ("sandbox", "clock domain tasks"),
    (
        "proxy",
        "clock domain tasks settings secrets formats metering providers routing accounts keys clients ledger",
    ),
    ("scheduler", "clock domain events tasks store"),
    ("api", "clock domain events tasks secrets store routing accounts keys clients proxy scheduler"),
    (
        "app",
        "clock domain events tasks settings secrets store metering providers routing accounts keys clients ledger proxy \
         scheduler api",
    ),
    ("cli", "clock domain tasks logs settings secrets store providers accounts sandbox proxy api app"),
    ("desktop", "clock logs settings secrets formats api app"),
];

const LONGEST_FILE: usize = 600;
const LONGEST_MAP: usize = 100;
const LONGEST_DOOR: usize = 30;

/// As many files as a folder may hold, folders in it not counted.
const MOST_FILES: usize = 16;
/// Folders that are lists, with as many as each may hold.
const LONG_FOLDERS: &[(&str, usize)] = &[
    // A word of the design each.
    ("src-tauri/domain", 32),
    // A table each.
    ("src-tauri/store", 32),
    // A journey each.
    ("tests", 52),
];

#[test]
fn rooms_use_only_the_rooms_they_are_allowed_to() {
    let mut complaints = Vec::new();
    let used = edges();
    for ((from, to), files) in &used {
        let allowed = ROOMS.iter().any(|(room, uses)| room == from && uses.split(' ').any(|used| used == to));
        if !allowed {
            let files = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
            complaints.push(format!("`{from}` may not use `{to}`, but does in {files}"));
        }
    }
    for (room, uses) in ROOMS {
        for unused in uses.split_whitespace().filter(|to| !used.contains_key(&((*room).into(), (*to).into())))
        {
            complaints.push(format!("`{room}` no longer uses `{unused}`: take the edge out of the table"));
        }
    }
    assert!(
        complaints.is_empty(),
        "edges between rooms (tests/tidy.rs has the table):\n{}",
        complaints.join("\n")
    );
}

#[test]
fn rooms_depend_downward_only() {
    for (at, (room, uses)) in ROOMS.iter().enumerate() {
        for used in uses.split_whitespace() {
            let below = ROOMS[..at].iter().any(|(lower, _)| *lower == used);
            assert!(below, "the table lets `{room}` use `{used}`, which does not stand below it");
        }
    }
}

#[test]
fn the_table_and_the_map_know_every_room() {
    let known: BTreeSet<_> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    let on_disk: BTreeSet<_> = sources("src-tauri").iter().filter_map(|file| room_of(file)).collect();
    assert_eq!(
        known, on_disk,
        "left: the table in tests/tidy.rs, right: the folders and files in src-tauri/"
    );

    let map = fs::read_to_string(root().join("src-tauri/lib.rs")).unwrap();
    for room in known {
        assert!(
            map.contains(&format!("pub mod {room};")),
            "src-tauri/lib.rs, the map, does not name `{room}`"
        );
    }
}

#[test]
fn every_file_opens_with_why_it_exists() {
    let silent: Vec<_> = all_sources().into_iter().filter(|file| !read(file).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "a file opens with `//!` and the reason why it exists: {silent:?}");
}

#[test]
fn no_file_is_too_long_to_read() {
    for file in all_sources() {
        let name = file.to_string_lossy().into_owned();
        let (limit, cure) = match name.as_str() {
            "src-tauri/lib.rs" => (LONGEST_MAP, "it is a map, not a place for code"),
            "src-tauri/main.rs" | "src-tauri/headless.rs" => (LONGEST_DOOR, "it is a door, not a room"),
            _ => (LONGEST_FILE, "split it by idea"),
        };
        let lines = read(&file).lines().count();
        assert!(lines <= limit, "{name} has {lines} lines and may have {limit}: {cure}");
    }
}

#[test]
fn no_folder_holds_too_many_files_to_know() {
    let mut files = BTreeMap::<PathBuf, usize>::new();
    for file in all_sources() {
        *files.entry(file.parent().expect("a file lies in a folder").to_owned()).or_default() += 1;
    }
    for (folder, count) in files {
        let long = LONG_FOLDERS.iter().find(|(long, _)| Path::new(long) == folder);
        let most = long.map_or(MOST_FILES, |(_, most)| *most);
        let name = folder.display();
        assert!(count <= most, "{name} holds {count} files and may hold {most}: give it folders by idea");
        assert!(
            long.is_none() || count > MOST_FILES,
            "{name} holds {count} files and is no long folder any more: take it out of the list"
        );
    }
}

#[test]
fn nothing_outside_tests_unwraps() {
    for file in sources("src-tauri").into_iter().filter(|file| !is_test(file)) {
        let code = without_tests(&code_of(&read(&file)));
        if let Some(at) = code.find(".unwrap()") {
            let line = code[..at].matches('\n').count() + 1;
            panic!("{}:{line} unwraps; say by `expect` why it can't fail, or let it fail", file.display());
        }
    }
}

#[test]
fn the_bundler_takes_the_window_for_the_program() {
    // It once packed the headless door under the window's name: its main binary is whichever is called like
    // the package, and `mainBinaryName` only renames that.
    let config: serde_json::Value = serde_json::from_str(&read(Path::new("tauri.conf.json"))).unwrap();
    assert_eq!(config["mainBinaryName"], env!("CARGO_PKG_NAME"), "left: tauri.conf.json, right: Cargo.toml");
}

/// Its lock is a file of its own, which no build here reads.
#[test]
fn the_fuzz_targets_lock_knows_every_library() {
    let lock: toml::Table = read(Path::new("fuzz/Cargo.lock")).parse().unwrap();
    let mut packages = lock["package"].as_array().unwrap().iter();
    let own = packages.find(|one| one["name"].as_str() == Some(env!("CARGO_PKG_NAME"))).unwrap();
    let names = own["dependencies"].as_array().unwrap().iter();
    // Where a name stands twice its version stands behind it.
    let known: BTreeSet<&str> = names.map(|name| name.as_str().unwrap().split(' ').next().unwrap()).collect();
    let manifest: toml::Table = read(Path::new("Cargo.toml")).parse().unwrap();
    let wanted = manifest["dependencies"].as_table().unwrap().iter();
    let needed =
        wanted.filter(|(_, terms)| terms.get("optional").and_then(toml::Value::as_bool) != Some(true));
    let missing: Vec<&String> =
        needed.map(|(name, _)| name).filter(|name| !known.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "cargo metadata --manifest-path fuzz/Cargo.toml adds {missing:?}");
}

/// A file or folder of tests, which its room declares under `#[cfg(test)]`.
fn is_test(file: &Path) -> bool {
    file.with_extension("").iter().any(|part| part.to_string_lossy().ends_with("tests"))
}

/// Which room uses which, and in which files.
fn edges() -> BTreeMap<(String, String), BTreeSet<PathBuf>> {
    let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
    for file in sources("src-tauri") {
        let Some(room) = room_of(&file) else { continue };
        for used in rooms_named_in(&code_of(&read(&file)), depth_of(&file)) {
            if used != room && ROOMS.iter().any(|(known, _)| *known == used) {
                edges.entry((room.clone(), used)).or_default().insert(file.clone());
            }
        }
    }
    edges
}

/// `src-tauri/proxy/answer/relay.rs` and `src-tauri/proxy/mod.rs` are of `proxy`, `src-tauri/clock.rs` of `clock`.
/// The map, the doors and the build script are of no room.
fn room_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix("src-tauri").ok()?;
    let first = inside.iter().next()?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main", "headless", "build"].contains(&name)).then(|| name.to_owned())
}

/// How many `super::` lead from a file to the crate's root.
fn depth_of(file: &Path) -> usize {
    let parts = file.strip_prefix("src-tauri").map_or(0, |inside| inside.iter().count());
    if file.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// The first names after `crate::`, groups opened: `use crate::{clock::Clock, domain::{Ask, Family}}` names
/// `clock` and `domain`. Enough `super::` to leave the room count as `crate::`.
fn rooms_named_in(code: &str, depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let words = words(code);
    let mut at = 0;
    while at < words.len() {
        let after = match words[at] {
            "crate" => Some(at + 1),
            "super" => {
                let supers = words[at..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
                (supers >= depth).then_some(at + 2 * supers - 1)
            }
            _ => None,
        };
        if let Some(next) = after.filter(|next| words.get(*next) == Some(&"::")) {
            first_names(&words[next + 1..], &mut names);
        }
        at = after.unwrap_or(at) + 1;
    }
    names
}

/// The name that `path` begins with, or each name that begins a path of the group it begins with.
fn first_names(path: &[&str], names: &mut BTreeSet<String>) {
    if path.first() != Some(&"{") {
        names.extend(path.first().map(|name| (*name).to_owned()));
        return;
    }
    let mut depth = 0;
    let mut expects_name = false;
    for word in path {
        match *word {
            "{" => {
                depth += 1;
                expects_name = depth == 1;
            }
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," => expects_name = depth == 1,
            name if expects_name => {
                names.insert(name.to_owned());
                expects_name = false;
            }
            _ => {}
        }
    }
}

/// Names, `::` and single signs, without the space between them.
fn words(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

/// The source with comments and the insides of texts blanked out; line breaks stay.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let blank = blank_at(rest, code.chars().next_back());
        if blank > 0 {
            code.extend(rest[..blank].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[blank..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// How many bytes at the beginning are a comment, a text or a character; 0 where code begins.
fn blank_at(rest: &str, before: Option<char>) -> usize {
    let after =
        |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return after(2, "*/");
    }
    let is_word_before = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with('r') && (!is_word_before || before == Some('b')) {
        let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
        if rest[1 + hashes..].starts_with('"') {
            return after(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    let quote = match rest.chars().next() {
        Some('"') => '"',
        // A lifetime has no second quote right behind its first letter.
        Some('\'') if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => '\'',
        _ => return 0,
    };
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The code with every item under `#[cfg(test)]` blanked out; line breaks stay.
fn without_tests(code: &str) -> String {
    const MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test,"];
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        kept.push_str(&rest[..at]);
        let mut depth = 0;
        let end = rest[at..].char_indices().find_map(|(offset, c)| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            (depth == 0 && matches!(c, '}' | ';')).then_some(at + offset + 1)
        });
        let end = end.unwrap_or(rest.len());
        kept.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn all_sources() -> Vec<PathBuf> {
    ["src-tauri", "tests", "benches"].into_iter().flat_map(sources).collect()
}

/// Every Rust file under a folder, its path relative to the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

mod reading {
    //! The checks above are only as good as their reading of Rust.
    use super::*;

    fn named(code: &str) -> Vec<String> {
        rooms_named_in(&code_of(code), 2).into_iter().collect()
    }

    #[test]
    fn groups_are_opened_and_inner_names_are_not_rooms() {
        let code = "use crate::{\n  clock::Clock,\n  domain::{self, store, ask::{Ask}},\n  events,\n};";
        assert_eq!(named(code), ["clock", "domain", "events"]);
        assert_eq!(named("fn f(at: crate::routing::Pick) -> crate :: store::Store {}"), ["routing", "store"]);
    }

    #[test]
    fn only_enough_supers_leave_the_room() {
        assert_eq!(named("use super::store; use super::super::routing::{pick};"), ["routing"]);
        assert_eq!(named("use super::{super::ledger, a};"), Vec::<String>::new(), "nobody writes this");
    }

    #[test]
    fn comments_and_texts_name_nothing() {
        let code = r##"
            //! crate::one
            /* crate::two */ let a = "crate::three \" crate::four"; let b = r#"crate::five " crate::six"#;
            let c = '"'; let d: &'a str = crate::seven::x; // crate::eight
        "##;
        assert_eq!(named(code), ["seven"]);
    }

    #[test]
    fn test_modules_may_unwrap() {
        let code = "fn a() { b() }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap(); } }\nfn e() {}\n#[cfg(test)] mod f;\n";
        let kept = without_tests(code);
        assert!(!kept.contains("unwrap") && kept.contains("fn e()"), "{kept}");
        assert_eq!(kept.matches('\n').count(), code.matches('\n').count(), "lines keep their numbers");
    }
}
