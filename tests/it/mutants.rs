//! The faults of `cargo test --test mutation`, which is too slow to run each time: that they still can be planted, and that
//! the report is of them.

#[path = "../mutation/mutants.rs"]
mod list;

#[test]
fn every_fault_can_be_planted_and_is_reported() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = std::fs::read_to_string(root.join("tests/mutation/report.txt")).expect("a report");
    for mutant in list::MUTANTS {
        let source = std::fs::read_to_string(root.join(mutant.file)).expect("a file");
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
