//! The house: every room has its line in crates/README.md, and imports only from below.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Room and floor of each line of the table; `lab` stands on the roof.
fn floors() -> BTreeMap<String, u32> {
    let table = read(&root().join("crates/README.md"));
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let room = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        let floor = match cells.next()? {
            "tests" => u32::MAX,
            floor => floor.parse().unwrap_or_else(|e| panic!("floor of {room}: {e}")),
        };
        Some((room.to_owned(), floor))
    });
    rows.collect()
}

fn rooms() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).expect("crates/");
    let directories = entries.filter_map(|entry| {
        let entry = entry.ok().filter(|e| e.path().is_dir())?;
        entry.file_name().into_string().ok()
    });
    directories.collect()
}

/// Rooms that a manifest names in `[dependencies]` and `[build-dependencies]`.
fn imports(room: &str) -> Vec<String> {
    let manifest = read(&root().join("crates").join(room).join("Cargo.toml"));
    let mut section = "";
    let mut imports = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if matches!(section, "[dependencies]" | "[build-dependencies]")
            && let Some(rest) = line.strip_prefix("sockeye-")
        {
            imports.push(rest.split(['.', ' ', '=']).next().unwrap_or(rest).to_owned());
        }
    }
    imports
}

#[test]
fn every_room_has_its_line() {
    let floors = floors();
    let mut rooms = rooms();
    rooms.sort();
    assert_eq!(rooms, floors.keys().cloned().collect::<Vec<_>>());
}

#[test]
fn floors_only_import_downward() {
    let floors = floors();
    let mut seen = 0;
    for (room, floor) in &floors {
        for import in imports(room) {
            seen += 1;
            assert!(floors[&import] < *floor, "{room} (floor {floor}) imports {import}");
        }
    }
    assert!(seen >= 5, "manifests are read: {seen} imports seen");
}

#[test]
fn unsafe_code_stands_where_the_design_says() {
    fn visit(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs")
                && read(&path).contains(concat!("allow(", "unsafe_code"))
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(&root().join("crates"), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("netlink/src/sys.rs"), "{found:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    fn documents(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let skipped = name == "target" || name.to_string_lossy().starts_with('.');
            if path.is_dir() && !skipped {
                documents(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    documents(&root(), &mut found);
    let mut links = 0;
    for document in found {
        for rest in read(&document).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let path = document.parent().expect("a file").join(target);
            assert!(path.exists(), "{}: no {target}", document.display());
        }
    }
    assert!(links >= 10, "links are found: {links}");
}
