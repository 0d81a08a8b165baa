//! Faults in the program, planted one by one in a copy of its source: a role that is not asked for, a statement without
//! its tenant, a token that is believed. The copy is built and some tests are run; a fault that no test notices fails.
//!
//! `cargo test --test mutation` (some ten minutes, and some more the first time) writes what noticed what to
//! `report.txt`, or compares with it. Faults in the database are planted by `tests/it/isolation/faults.rs`.

mod mutants;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use mutants::{MUTANTS, Mutant};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mutants: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| only.is_empty() || only.iter().any(|name| mutant.name.contains(name.as_str())))
        .collect();
    let copy = copy_of(root);

    // Otherwise a failure would say nothing about the fault.
    let all: BTreeSet<&str> = mutants.iter().flat_map(|mutant| mutant.tests).copied().collect();
    let clean = run(&copy, &all.into_iter().collect::<Vec<_>>());
    assert!(clean.status.success(), "without a fault:\n{}", text(&clean));

    let mut report = String::from(
        "Faults planted one by one in the source, and the tests that noticed each. Written by `cargo test --test mutation`.\n\n",
    );
    let mut unnoticed = Vec::new();
    for mutant in &mutants {
        let noticed = plant(&copy, mutant);
        println!("{}: {}", mutant.name, if noticed.is_empty() { "NOT NOTICED" } else { "noticed" });
        if noticed.is_empty() {
            unnoticed.push(mutant.name);
        }
        let _ = writeln!(report, "{} ({})", mutant.name, mutant.file);
        for test in &noticed {
            let _ = writeln!(report, "    {test}");
        }
    }
    if !unnoticed.is_empty() {
        eprintln!("faults that no test noticed: {unnoticed:#?}");
        return ExitCode::FAILURE;
    }
    let _ = writeln!(report, "\n{} faults, all noticed", mutants.len());
    if !only.is_empty() {
        print!("{report}");
        return ExitCode::SUCCESS;
    }
    let file = root.join("tests/mutation/report.txt");
    if std::env::var_os("APPOINTD_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&file, report).expect("the report can be written");
    } else if fs::read_to_string(&file).unwrap_or_default() != report {
        eprintln!(
            "tests/mutation/report.txt is not current:\n{report}\nAPPOINTD_UPDATE_SNAPSHOTS=1 writes it"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Plants a fault, runs the tests, mends it. The tests that failed.
fn plant(copy: &Path, mutant: &Mutant) -> Vec<String> {
    let file = copy.join(mutant.file);
    let source = fs::read_to_string(&file).expect("a file");
    assert_eq!(source.matches(mutant.from).count(), 1, "{}: `{}` is there once", mutant.name, mutant.from);
    fs::write(&file, source.replace(mutant.from, mutant.to)).expect("a file that can be written");
    let output = run(copy, mutant.tests);
    fs::write(&file, source).expect("a file that can be written");
    let said = text(&output);
    // What does not compile was not tested.
    assert!(said.contains("test result: "), "{}:\n{said}", mutant.name);
    let failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let mut failed: Vec<_> = failed.map(ToOwned::to_owned).collect();
    failed.sort();
    failed
}

fn run(copy: &Path, tests: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo says to those it runs is about this package.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        cargo.env_remove(name);
    }
    cargo
        .args(["test", "--quiet", "--locked", "--test", "it", "--no-fail-fast", "--", "--format=pretty"])
        .args(tests)
        .current_dir(copy)
        // Of its own: the program of the copy must not be taken for ours.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mutation/build"))
        .env("RUST_BACKTRACE", "0")
        .env_remove("APPOINTD_UPDATE_SNAPSHOTS")
        .output()
        .expect("cargo runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What git knows of, as it is now, in a folder of its own.
fn copy_of(root: &Path) -> PathBuf {
    let copy = root.join("target/mutation/source");
    let _ = fs::remove_dir_all(&copy);
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().expect("git runs");
    for name in String::from_utf8(listed.stdout).expect("names").split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), copy.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::copy(from, to).expect("a copy");
        }
    }
    copy
}
