//! The texts of the pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use appointd::pages::language::{LANGUAGES, accepted, of_tag};
use fluent_bundle::FluentResource;

use crate::db::statements::{files_below, root, sources};

/// Texts whose names are put together.
const COMPUTED: [&str; 9] =
    ["day-", "field-", "month-", "offer-", "problem-", "role-", "status-", "waitlist-status-", "weekday-"];

/// The keys of a file of texts.
fn keys(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    lines.filter_map(|line| Some(line.split_once(" =")?.0.to_owned())).collect()
}

fn catalogs() -> BTreeMap<String, String> {
    let files = files_below(&root().join("src/pages/locales"), "ftl");
    files
        .into_iter()
        .map(|path| {
            let name = path.file_stem().expect("a name").to_str().expect("text").to_owned();
            (name, fs::read_to_string(path).expect("a file"))
        })
        .collect()
}

#[test]
fn every_language_has_every_text_and_no_other() {
    let catalogs = catalogs();
    assert_eq!(catalogs.len(), LANGUAGES.len());
    let english = keys(&catalogs["en"]);
    assert!(english.len() > 200, "{}", english.len());
    for language in LANGUAGES.iter() {
        let text = &catalogs[language.code];
        if let Err((_, mistakes)) = FluentResource::try_new(text.clone()) {
            panic!("{}: {mistakes:?}", language.code);
        }
        let missing: Vec<_> = english.difference(&keys(text)).cloned().collect();
        let more: Vec<_> = keys(text).difference(&english).cloned().collect();
        assert_eq!((missing, more), (vec![], vec![]), "{}", language.code);
    }
}

#[test]
fn texts_that_pages_name_exist_and_no_other_does() {
    let known = keys(&catalogs()["en"]);
    let mut code: String =
        sources("src").into_iter().filter(|(name, _)| name.contains("pages")).map(|(_, text)| text).collect();
    for path in files_below(&root().join("src/pages/templates"), "html") {
        code.push_str(&fs::read_to_string(path).expect("a file"));
    }
    let mut named = BTreeSet::new();
    for call in ["shell.t(\"", ".text(\"", ".with(\""] {
        for rest in code.split(call).skip(1) {
            let key = rest.split('"').next().unwrap_or_default();
            if key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && !key.is_empty()
                && !key.ends_with('-')
            {
                named.insert(key);
            }
        }
    }
    assert!(named.len() > 60, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|key| !known.contains(**key)).collect();
    assert!(missing.is_empty(), "not in the catalogs: {missing:?}");
    let unused: Vec<_> = known
        .iter()
        .filter(|key| !code.contains(&format!("\"{key}\"")))
        .filter(|key| !COMPUTED.iter().any(|prefix| key.starts_with(prefix)))
        .filter(|key| !["-heading", "-submit"].iter().any(|end| key.ends_with(end)))
        .collect();
    assert!(unused.is_empty(), "in the catalogs, and not used: {unused:?}");
}

#[test]
fn language_is_the_one_accepted_most_that_pages_have() {
    let chosen = |line: &str| accepted(&[line]).map(|language| language.code);
    assert_eq!(chosen("pt, es;q=0.8"), Some("es"));
    assert_eq!(chosen("fr;q=0.2, de-AT;q=0.9"), Some("de"));
    assert_eq!(chosen("xx"), None);
    assert_eq!(chosen("de;q=0, ar"), Some("ar"));
    assert_eq!(of_tag("en-GB").map(|language| language.code), Some("en"));
}

#[test]
fn numbers_take_the_plural_of_the_language() {
    let free = |code: &str, count: usize| {
        of_tag(code).expect("a language").with("times-free", &[("count", count.into())])
    };
    assert_eq!(free("en", 1), "One time free.");
    assert_eq!(free("de", 3), "3 Zeiten frei.");
    assert!(free("ar", 3).contains("مواعيد"), "few: {}", free("ar", 3));
    assert!(free("ar", 11).contains("موعدًا"), "many: {}", free("ar", 11));
}

#[test]
fn style_sheet_names_no_left_and_no_right() {
    let css = fs::read_to_string(root().join("src/pages/assets/app.css")).expect("a file");
    for (line, number) in css.lines().zip(1..).filter(|(line, _)| line.contains(": ")) {
        for word in ["left:", "right:", "-left", "-right"] {
            assert!(!line.contains(word), "{number}: {line}");
        }
    }
}
