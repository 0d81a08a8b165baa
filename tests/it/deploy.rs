//! The files of `deploy/`: what they say about the program is true. Their formats are checked by `deploy/check`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use appointd::cli;

use crate::db::statements::root;

/// Every file below `deploy`, and its text.
fn files() -> Vec<(String, String)> {
    let mut folders = vec![root().join("deploy")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root()).expect("below it").display().to_string();
                files.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    assert!(files.len() > 20, "{files:?}");
    files
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).expect("a file")
}

/// Names of settings, of every command.
fn settings(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    own.map(|name| name.to_string_lossy().into_owned())
        .chain(command.get_subcommands().flat_map(settings))
        .collect()
}

#[test]
fn settings_that_are_named_exist() {
    let known = settings(&cli::command());
    // The check has settings of its own.
    for (name, text) in files().into_iter().filter(|(name, _)| name != "deploy/check") {
        for (at, _) in text.match_indices("APPOINTD_") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(rest.len());
            let setting = &rest[..end];
            assert!(known.contains(setting) || setting.ends_with("_PASSWORD"), "{name}: {setting}");
        }
    }
}

/// The words of `[serve, --no-worker]` or `["serve"]`.
fn words(list: &str) -> Vec<String> {
    let list = list.trim().trim_start_matches('[').trim_end_matches(']');
    list.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn commands_that_are_run_exist() {
    let mut tried = 0;
    for (name, text) in files() {
        for line in text.lines().map(str::trim) {
            let arguments = if let Some(line) = line.strip_prefix("ExecStart=/usr/local/bin/appointd ") {
                line.split(' ').map(ToOwned::to_owned).collect()
            } else if let Some(list) =
                ["args: ", "command: ", "CMD "].iter().find_map(|key| line.strip_prefix(key))
            {
                words(list)
            } else {
                continue;
            };
            let line = ["appointd".to_owned()].into_iter().chain(arguments);
            if let Err(error) = cli::command().try_get_matches_from(line) {
                panic!("{name}: {error}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 14, "{tried}");
}

/// The number after some text.
fn number(text: &str, before: &str) -> u64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before}: {text}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|_| panic!("{before}: {rest}"))
}

/// How long requests have to end, and jobs: src/server.rs, src/messaging/worker.rs.
const DRAIN: u64 = 10;
const JOBS: u64 = 25;

#[test]
fn nothing_is_killed_before_it_had_its_time_to_stop() {
    let lame_duck = number(&file("kubernetes/kustomization.yaml"), "APPOINTD_LAME_DUCK=");
    let pods = |name: &str| number(&file(name), "terminationGracePeriodSeconds: ");
    // Longer than three probes.
    let server = file("kubernetes/server.yaml");
    let (_, ready) = server.split_once("readinessProbe").expect("a probe");
    assert!(lame_duck > number(ready, "periodSeconds: ") * number(ready, "failureThreshold: "));
    assert!(pods("kubernetes/server.yaml") > lame_duck + DRAIN);
    assert!(pods("kubernetes/worker.yaml") > JOBS + DRAIN);
    assert!(number(&file("systemd/appointd.service"), "TimeoutStopSec=") > lame_duck + DRAIN);
    assert!(number(&file("systemd/appointd-worker.service"), "TimeoutStopSec=") > JOBS + DRAIN);
    assert!(number(&file("compose/compose.yaml"), "stop_grace_period: ") > JOBS + DRAIN);
}

#[test]
fn servers_of_a_cluster_fit_into_the_database() {
    let (settings, server) = (file("kubernetes/kustomization.yaml"), file("kubernetes/server.yaml"));
    // One more of each while they are replaced. Beside its pools, a server has one connection to listen on and one for
    // the operator, a worker two for the operator.
    let servers = (number(&server, "maxReplicas: ") + 1) * (number(&settings, "APPOINTD_CONNECTIONS=") + 2);
    let workers = (number(&file("kubernetes/worker.yaml"), "replicas: ") + 1) * (8 + 4 + 2);
    assert_eq!(servers + workers, number(&settings, "workers open "));
    assert!(servers + workers < number(&settings, "max_connections="));
}
