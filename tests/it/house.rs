//! Rules of the house that no compiler knows.

mod named_paths;
mod plain_english;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use named_paths::{Sources, module_of};

use crate::db::statements::{files, files_below, root, sources};

/// The parts of `src`, from the bottom to the top, and which parts each may name beside itself: paths of the code, and
/// tables in its statements. What is not listed is forbidden.
const MAY_NAME: &[(&str, &str)] = &[
    ("metrics", ""),
    ("pem", ""),
    ("db", "metrics pem"),
    ("http", "metrics pem db"),
    ("operations", "db http"),
    ("messaging", "metrics db http operations"),
    ("identity", "db http messaging"),
    ("tenancy", "db http messaging operations identity"),
    ("crm", "db http messaging operations"),
    ("scheduling::features", "http"),
    ("scheduling::codes", "http"),
    ("scheduling::hours", "db http operations tenancy scheduling::features"),
    ("scheduling::slots", "db http crm scheduling::hours"),
    (
        "scheduling::booking",
        "db http messaging operations tenancy crm scheduling::features scheduling::hours scheduling::slots",
    ),
    (
        "scheduling::catalog",
        "db http messaging operations tenancy scheduling::features scheduling::slots scheduling::booking",
    ),
    (
        "scheduling::customers",
        "db http messaging operations tenancy crm scheduling::features scheduling::hours scheduling::slots \
         scheduling::booking scheduling::catalog",
    ),
    ("scheduling::notices", "db messaging crm scheduling::booking scheduling::customers"),
    (
        "scheduling",
        "db http messaging scheduling::codes scheduling::hours scheduling::slots scheduling::booking scheduling::catalog \
         scheduling::customers",
    ),
    ("work", "db http messaging operations tenancy"),
    ("api", "db http messaging operations identity tenancy crm scheduling::notices scheduling work"),
    (
        "pages",
        "db http identity tenancy crm scheduling::slots scheduling::booking scheduling::catalog scheduling::customers api",
    ),
    (
        "server",
        "metrics db http messaging operations identity tenancy scheduling::booking scheduling::notices scheduling work \
         api pages",
    ),
    ("config", "db http messaging"),
    (
        "demo",
        "db http messaging operations identity tenancy crm scheduling::hours scheduling::slots scheduling::booking \
         scheduling::catalog work",
    ),
    ("dev", "db http messaging identity scheduling::slots server config demo"),
    ("terminal", "db config"),
    ("tenant_commands", "db http tenancy scheduling::hours terminal"),
    ("wall_audit", "db config terminal"),
    (
        "cli",
        "db http messaging operations identity api server config dev terminal tenant_commands wall_audit",
    ),
    ("main", "cli"),
];

/// Statements of a module that read a table of a module above it. The list may only shrink.
const UPWARDS: &[(&str, &str)] = &[
    // The role in the organization the session is for.
    ("identity/accounts_get_me.sql", "tenancy"),
    // Calendar feeds are handed out by members, as API keys are.
    ("tenancy/handed_out_feeds.sql", "scheduling"),
    // The contact of a customer who is removed stays, without an account.
    ("tenancy/members_remove.sql", "crm"),
    // How many appointments an organization has.
    ("tenancy/usage_get.sql", "scheduling"),
];

/// The part a module belongs to: the one that names most of it.
fn part_of(module: &str) -> &'static str {
    let path = module.trim_start_matches("crate::");
    MAY_NAME
        .iter()
        .map(|(part, _)| *part)
        .filter(|part| path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
        .max_by_key(|part| part.len())
        .unwrap_or_else(|| panic!("{module} belongs to no part: list it, and what it may name"))
}

#[test]
fn parts_name_only_what_they_may() {
    let mut allowed = BTreeSet::new();
    for (place, (part, names)) in MAY_NAME.iter().enumerate() {
        for name in names.split_whitespace() {
            let below = MAY_NAME[..place].iter().any(|(below, _)| *below == name);
            assert!(below, "{part} may name {name}, which is not below it");
            allowed.insert((*part, name));
        }
    }
    let mut unused = allowed.clone();
    for (module, known) in Sources::read().arrows() {
        for other in known {
            let (part, named) = (part_of(&module), part_of(&other));
            assert!(part == named || allowed.contains(&(part, named)), "{module} names {other}");
            unused.remove(&(part, named));
        }
    }
    assert!(unused.is_empty(), "allowed, and not named: {unused:?}");
}

#[test]
fn files_of_src_name_each_other_in_no_circle() {
    let arrows = Sources::read().arrows();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 500, "arrows are found");
    // Files that name none that is left, or that none names, are taken away, until none is left or all stand in
    // circles.
    let mut left: BTreeMap<_, _> = arrows;
    loop {
        let named = |module: &String| left.values().any(|known| known.contains(module));
        let free: Vec<String> = left
            .iter()
            .filter(|(module, known)| !known.iter().any(|other| left.contains_key(other)) || !named(module))
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

#[test]
fn modules_send_their_own_statements_and_these_read_tables_of_modules_below() {
    // What the program does from outside, it does with what there is.
    const OUTSIDE: [&str; 3] = ["cli", "demo", "dev"];
    for (name, text) in sources("src") {
        for statement in text.split("sql!(\"").skip(1) {
            let folder = statement.split('/').next().unwrap_or_default();
            let part = part_of(&module_of(&name)).split("::").next().unwrap_or_default();
            let may = [part, "app"].contains(&folder) || OUTSIDE.contains(&part);
            assert!(may, "{name} sends a statement of {folder}");
        }
    }
    let mut upwards = Vec::new();
    for (name, text) in files() {
        let own = name.split('/').next().unwrap_or_default();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let code = code.join("\n");
        for (schema, _) in MAY_NAME.iter().filter(|(part, _)| *part != own && !part.contains("::")) {
            let reads = code.match_indices(&format!("{schema}.")).any(|(at, _)| {
                let rest = &code[at + schema.len() + 1..];
                let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
                let begins = !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_.'".contains(c));
                begins && end > 0 && !rest[end..].starts_with('(')
            });
            let below = MAY_NAME
                .iter()
                .filter(|(part, _)| part.split("::").next() == Some(own))
                .any(|(_, names)| names.split_whitespace().any(|name| name == *schema));
            if reads && !below {
                upwards.push((name.clone(), *schema));
            }
        }
    }
    assert_eq!(upwards, UPWARDS.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect::<Vec<_>>());
}

#[test]
fn only_the_door_knows_the_pool() {
    for (name, text) in sources("src") {
        if !["src/db/pool.rs", "src/db/connection.rs"].iter().any(|door| name.ends_with(door)) {
            assert!(!text.contains("deadpool"), "{name}");
        }
    }
}

/// Tests in src would not run: Cargo.toml says that it has none.
#[test]
fn tests_are_in_the_tree_of_tests() {
    for (name, text) in sources("src") {
        assert!(!text.contains("cfg(test)") && !text.contains("#[test]"), "{name}");
    }
}

/// Files that are longer than 450 lines, with their length at most. The list may only shrink.
const LONG: &[(&str, usize)] = &[("benches/load.rs", 625)];

#[test]
fn files_are_short_enough_to_know() {
    let long: Vec<(String, usize)> = [sources("src"), sources("tests"), sources("benches")]
        .concat()
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

/// What the formatter leaves as it is. Tables of documents, code in them and generated ones have lines of any length.
#[test]
fn comments_and_documents_fit_into_120_columns() {
    let mut lines = Vec::new();
    for (name, text) in [sources("src"), sources("tests"), sources("benches")].concat() {
        let comments = text.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with("//"));
        lines.extend(comments.map(|(line, number)| (name.clone(), number, line.to_owned())));
    }
    let documents = files_below(&root().join("docs"), "md")
        .into_iter()
        .chain(fs::read_dir(root()).expect("a folder").map(|entry| entry.expect("an entry").path()));
    for path in documents.filter(|path| path.extension().is_some_and(|ending| ending == "md")) {
        let text = fs::read_to_string(&path).expect("a file");
        let mut is_code = false;
        for (line, number) in text.lines().zip(1..).filter(|_| !path.ends_with("data-model.md")) {
            is_code ^= line.starts_with("```");
            if !is_code && !line.starts_with('|') {
                lines.push((path.display().to_string(), number, line.to_owned()));
            }
        }
    }
    let long: Vec<_> = lines
        .iter()
        .filter(|(_, _, line)| line.chars().count() > 120)
        .map(|(name, number, _)| format!("{name}:{number}"))
        .collect();
    assert!(long.is_empty(), "longer than 120 characters:\n{}", long.join("\n"));
}
