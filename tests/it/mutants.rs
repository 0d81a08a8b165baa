//! The faults of `cargo test --test mutation`, which is too slow to run each time: that they still can be planted, and
//! that what names tests names tests there are.

use std::path::Path;

use crate::db::statements::sources;

#[path = "../mutation/mutants.rs"]
mod list;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file")
}

#[test]
fn every_fault_can_be_planted_and_is_reported() {
    let report = read("tests/mutation/report.txt");
    for mutant in list::MUTANTS {
        let source = read(mutant.file);
        assert_eq!(
            source.matches(mutant.from).count(),
            1,
            "{}: `{}` is there once",
            mutant.name,
            mutant.from
        );
        assert_ne!(mutant.from, mutant.to);
        assert!(!mutant.tests.is_empty());
        assert!(
            report.contains(&format!("{} ({})\n    ", mutant.name, mutant.file)),
            "{}: run cargo test --test mutation",
            mutant.name
        );
    }
    assert!(
        report.ends_with(&format!("\n{} faults, all noticed\n", list::MUTANTS.len())),
        "run cargo test --test mutation"
    );
}

#[test]
fn tests_named_in_report_filters_and_manual_exist() {
    // Module and function of everything in the tests, as `http::edge::body_that_never_comes_answers_408`.
    let mut all = Vec::new();
    for (file, text) in sources("tests/it") {
        let (_, module) = file.rsplit_once("tests/it/").expect("a test");
        let module = module.trim_end_matches(".rs").replace('/', "::");
        all.extend(text.split("fn ").skip(1).map(|rest| {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            format!("{module}::{name}")
        }));
    }
    // A test of a macro is in the module of its macro, and its function in one below.
    let exists = |name: &str| {
        let (module, function) = name.rsplit_once("::").unwrap_or((name, ""));
        all.iter().any(|path| {
            path.starts_with(name) || (path.starts_with(module) && path.contains(&format!("::{function}")))
        })
    };
    let report = read("tests/mutation/report.txt");
    let reported = report.lines().filter_map(|line| line.strip_prefix("    "));
    let filters = list::MUTANTS.iter().flat_map(|mutant| mutant.tests.iter().copied());
    let manual = read("docs/security.md");
    let named = manual.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('…'));
    let named = named.filter(|name| {
        name.contains("::") && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
    });
    let mut checked = 0;
    for name in reported.chain(filters).chain(named) {
        assert!(exists(name.trim_end_matches("::")), "there is no test {name}");
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}
