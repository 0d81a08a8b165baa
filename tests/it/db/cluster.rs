//! The PostgreSQL of `appointd dev`: where its data is, and how it starts after a crash.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, thread, time::Duration};

use appointd::db::cluster::{self, Cluster};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};

use crate::harness::{Folder, connect};

fn start(folder: &Path) -> Cluster {
    Cluster::start(folder, &["fsync=off"], &|_| ()).expect("PostgreSQL starts")
}

async fn expect_answer(cluster: &Cluster) {
    let client = connect(cluster, "postgres", "postgres").await;
    client.batch_execute("select 1").await.expect("an answer");
}

fn parent(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test]
async fn orphaned_postgresql_is_replaced() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let first = start(&data);
    let lock = fs::read_to_string(data.join("cluster/data/postmaster.pid")).expect("a lock file");
    let postmaster: i32 = lock.lines().next().expect("a line").parse().expect("an id");
    // The shells between us and PostgreSQL, so that none is left to stop it.
    let Some(keeper) = parent(postmaster) else {
        return; // Not a system that tells.
    };
    let processes = fs::read_dir("/proc").expect("a system that tells");
    let others = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|process| *process != postmaster && parent(*process) == Some(keeper));
    for process in others.chain([keeper]).collect::<Vec<_>>() {
        kill(Pid::from_raw(process), Signal::SIGKILL).expect("the shell runs");
    }
    drop(first);
    thread::sleep(Duration::from_millis(500));
    assert!(kill(Pid::from_raw(postmaster), None).is_ok(), "PostgreSQL runs on");
    expect_answer(&start(&data)).await;
    // A process that no parent has collected is a name without a program.
    let program = fs::read(format!("/proc/{postmaster}/cmdline")).unwrap_or_default();
    assert!(program.is_empty(), "it was stopped for another");
}

#[tokio::test]
async fn folder_closed_to_the_postgresql_user_is_linked_to_another() {
    if !Uid::effective().is_root() {
        return; // Only root starts PostgreSQL as another user.
    }
    let folder = Folder::new();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).expect("a closed folder");
    let data = folder.0.join("data");
    expect_answer(&start(&data)).await;
    let elsewhere = fs::read_link(data.join("cluster")).expect("a link to where it is");
    // As `--reset` does before it begins again.
    cluster::remove(&data).expect("no cluster");
    assert!(!elsewhere.exists(), "a reset leaves nothing behind");
}
