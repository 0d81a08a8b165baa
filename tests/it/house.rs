//! Rules of the house that no compiler knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::statements::sources;

#[test]
fn arrows_between_modules_point_one_way() {
    let forbidden = [
        (
            "src/db",
            &[
                "crate::http",
                "crate::api",
                "crate::scheduling",
                "crate::crm",
                "crate::identity",
                "crate::tenancy",
            ][..],
        ),
        ("src/http", &["crate::api", "crate::scheduling", "crate::crm", "crate::identity", "crate::tenancy"]),
        ("src/identity", &["crate::scheduling", "crate::crm", "crate::tenancy", "crate::api"]),
        ("src/tenancy", &["crate::scheduling", "crate::crm", "crate::api"]),
        ("src/crm", &["crate::scheduling", "crate::api"]),
        ("src/scheduling", &["crate::api", "sql!(\"crm", "sql!(\"tenancy", "sql!(\"identity"]),
        (
            "src/messaging",
            &[
                "crate::scheduling",
                "crate::crm",
                "crate::identity",
                "crate::tenancy",
                "crate::operations",
                "crate::api",
            ],
        ),
        ("src/operations", &["crate::scheduling", "crate::crm", "crate::identity", "crate::tenancy"]),
    ];
    for (folder, words) in forbidden {
        for (name, text) in sources(folder) {
            for word in words {
                assert!(!text.contains(word), "{name} knows {word}");
            }
        }
    }
}

#[test]
fn only_the_door_knows_the_pool() {
    for (name, text) in sources("src") {
        if !["src/db/pool.rs", "src/db/connection.rs"].iter().any(|door| name.ends_with(door)) {
            assert!(!text.contains("deadpool"), "{name}");
        }
    }
}

/// The wings of scheduling. Each knows those before it, and no other.
const WINGS: [&str; 5] = ["hours", "slots", "booking", "catalog", "customers"];

#[test]
fn wings_of_scheduling_know_only_those_before_them() {
    for (place, wing) in WINGS.iter().enumerate() {
        let files = sources(&format!("src/scheduling/{wing}"));
        assert!(!files.is_empty(), "{wing}");
        for (name, text) in files {
            for import in imports(&name, &text) {
                let later = WINGS[place + 1..]
                    .iter()
                    .find(|later| import.starts_with(&format!("crate::scheduling::{later}::")));
                assert_eq!(later, None, "{name} names {import}");
            }
        }
    }
}

#[test]
fn no_two_files_of_scheduling_know_each_other_however_far_around() {
    let files = sources("src/scheduling");
    let modules: BTreeMap<String, &str> =
        files.iter().map(|(name, _)| (module_of(name), name.as_str())).collect();
    let arrows: BTreeMap<String, BTreeSet<String>> = files
        .iter()
        .map(|(name, text)| {
            let own = module_of(name);
            let known = imports(name, text)
                .into_iter()
                .filter_map(|import| {
                    // The longest module that the path begins with.
                    let mut path = import.as_str();
                    loop {
                        if modules.contains_key(path) {
                            return (path != own).then(|| path.to_owned());
                        }
                        path = path.rsplit_once("::")?.0;
                    }
                })
                .collect();
            (own, known)
        })
        .collect();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 50, "arrows are found");
    // Files without an arrow to one that is left are taken away, until none is left or all that are stand in circles.
    let mut left = arrows.clone();
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, known)| !known.iter().any(|module| left.contains_key(module)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|module| {
            left.remove(module);
        });
    }
    assert_eq!(left.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "circles");
}

/// Files of src that are longer than 450 lines, with their length at most. The list may only shrink.
const LONG: &[(&str, usize)] = &[];

#[test]
fn files_are_short_enough_to_know() {
    let long: Vec<(String, usize)> = sources("src")
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > 450)
        .collect();
    for (name, lines) in &long {
        let allowed = LONG.iter().find(|(listed, _)| name.ends_with(listed)).map(|(_, most)| *most);
        assert!(allowed.is_some_and(|most| *lines <= most), "{name} has {lines} lines");
    }
    for (listed, _) in LONG {
        assert!(
            long.iter().any(|(name, _)| name.ends_with(listed)),
            "{listed} is short now: take it off the list"
        );
    }
}

/// `src/scheduling/hours/closures.rs` is `crate::scheduling::hours::closures`.
fn module_of(file: &str) -> String {
    let path = file.rsplit_once("src/").map_or(file, |(_, path)| path);
    format!("crate::{}", path.trim_end_matches(".rs").replace('/', "::"))
}

/// All paths that a file imports, written out.
fn imports(file: &str, text: &str) -> Vec<String> {
    let own = module_of(file);
    let parent = own.rsplit_once("::").map_or("crate", |(parent, _)| parent).to_owned();
    let mut paths = Vec::new();
    for part in text.split("\nuse ").skip(1) {
        let tree: String = part.split(';').next().unwrap_or_default().split_whitespace().collect();
        expand("", &tree, &mut paths);
    }
    paths.into_iter().map(|path| path.replacen("super::", &format!("{parent}::"), 1)).collect()
}

/// `a::{b,c::{d,e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        paths.push(format!("{before}{tree}"));
        return;
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if at > start {
                    expand(&format!("{before}{head}"), &inner[start..at], paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}
