//! Faults, planted one by one: each in a copy of a database with two organizations, where `appointd audit`, the
//! permission table and the attacks of [`attack`](super::attack) are then let loose on it. What caught which fault is
//! checked in (`faults.txt`); a fault that is not caught fails the test, and so does a rule that no fault proves.

mod channels;
mod functions;
mod grants;
mod keys;
mod policies;
mod roles;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use appointd::{db::cluster::Cluster, wall_audit};
use tokio_postgres::Client;

use super::attack::{Attack, Side, Target};
use crate::harness::{connect, private_system, snapshot, system, within};

struct Fault {
    /// The rule of the audit that is there for it, if there is one: the fault proves the rule.
    rule: &'static str,
    name: &'static str,
    sql: &'static str,
    /// For what is in no database: takes it back.
    undo: &'static str,
}

const fn fault(rule: &'static str, name: &'static str, sql: &'static str) -> Fault {
    Fault { rule, name, sql, undo: "" }
}

const fn cluster(rule: &'static str, name: &'static str, sql: &'static str, undo: &'static str) -> Fault {
    Fault { rule, name, sql, undo }
}

/// All of them, by theme.
const FAULTS: [(&str, &[Fault]); 7] = [
    ("tables", tables::TABLES),
    ("policies", policies::POLICIES),
    ("keys", keys::KEYS),
    ("grants", grants::GRANTS),
    ("roles", roles::ROLES),
    ("functions", functions::FUNCTIONS),
    ("channels", channels::CHANNELS),
];

/// Runs several statements; each in a transaction of its own, where one cannot be in any.
async fn execute(client: &Client, sql: &str) {
    let alone = sql.starts_with("alter system") || sql.contains("replication_slot");
    if !alone {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        return;
    }
    for statement in sql.split("; ") {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// What catches each of these faults, by its name: two databases at a time, and those of the whole cluster one by one
/// when the others are done.
async fn plant(faults: &[&'static Fault]) -> BTreeMap<&'static str, String> {
    let system = private_system(&["max_connections=50", "wal_level=logical"]).await;
    let sides = within(system, async { (Side::new().await, Side::new().await) }).await;
    // The server of the system is connected to what is to be copied.
    let elsewhere = connect(&system.cluster, "postgres", "postgres").await;
    elsewhere
        .batch_execute("alter database appointd allow_connections false")
        .await
        .expect("a closed database");
    elsewhere
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'appointd'", &[])
        .await
        .expect("no more connections");

    let (of_the_cluster, of_a_database): (Vec<_>, Vec<_>) =
        faults.iter().partition(|fault| !fault.undo.is_empty());
    let half = of_a_database.len() / 2;
    let one_by_one = async |name: &str, faults: &[&'static Fault]| {
        let mut all = Vec::new();
        for fault in faults {
            let caught = caught(&system.cluster, name, &sides, fault).await;
            for (by, found) in &caught {
                println!("{} is caught by {by}: {found}", fault.name);
            }
            let rule_is_proven = fault.rule.is_empty() || caught.contains_key(fault.rule);
            let is_caught = !caught.is_empty() || fault.name == "nothing";
            assert!(is_caught && rule_is_proven, "{} is not caught, or not by its rule", fault.name);
            all.push((fault.name, Vec::from_iter(caught.into_keys()).join(", ")));
        }
        all
    };
    let (mut all, second) =
        tokio::join!(one_by_one("one", &of_a_database[..half]), one_by_one("two", &of_a_database[half..]));
    all.extend(second);
    all.extend(one_by_one("three", &of_the_cluster).await);
    let planted = all.len();
    let all: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(all.len(), planted, "every fault has a name of its own");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_of_each_theme_is_caught_as_recorded() {
    let sample: Vec<_> = FAULTS.iter().map(|(_, faults)| &faults[0]).collect();
    let recorded = include_str!("faults.txt");
    for (name, caught) in plant(&sample).await {
        let lines = format!("\n{name}\n    {caught}\n");
        assert!(recorded.contains(&lines), "faults.txt has something else than:{lines}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "plants every fault, one after the other, in copies of a database: minutes"]
async fn every_fault_is_caught_and_every_rule_catches_one() {
    const NONE: Fault = Fault { rule: "", name: "nothing", sql: "select 1", undo: "" };
    let faults: Vec<_> = FAULTS.iter().flat_map(|(_, faults)| faults.iter()).collect();
    let all = plant(&[&[&NONE][..], &faults[..]].concat()).await;
    assert_eq!(all[NONE.name], "", "nothing is wrong with a database as the migrations make it");
    let mut text = String::from(
        "Faults planted one by one, and what catches each: rules of `appointd audit`, and in brackets the attacks of\n\
         tests/it/isolation/attack.rs and the permission table. Written by tests/it/isolation/faults.rs.\n\n",
    );
    for fault in &faults {
        let _ = writeln!(text, "{}\n    {}", fault.name, all[fault.name]);
    }
    // Which releases there are is no fault of a database's: `server_version_with_a_known_hole_is_found` tries that
    // rule.
    let proven: BTreeSet<_> = faults.iter().map(|fault| fault.rule).filter(|rule| !rule.is_empty()).collect();
    let unproven: Vec<_> = wall_audit::rules()
        .iter()
        .map(|rule| rule.id)
        .filter(|id| !proven.contains(id) && *id != "server/version")
        .collect();
    assert_eq!(unproven, Vec::<&str>::new(), "rules that no fault proves");
    let _ = writeln!(
        text,
        "\n{} faults, all caught; {} rules, each proven by one at least",
        faults.len(),
        proven.len()
    );
    snapshot("tests/it/isolation/faults.txt", &text);
}

/// What finds the fault in a fresh copy of the database, and what it says.
async fn caught(
    cluster: &'static Cluster,
    name: &str,
    (ours, theirs): &(Side, Side),
    fault: &Fault,
) -> BTreeMap<String, String> {
    let elsewhere = connect(cluster, "postgres", "postgres").await;
    for statement in [
        format!("update pg_database set datistemplate = false where datname = '{name}'"),
        format!("drop database if exists {name} with (force)"),
        format!("create database {name} owner appointd_owner template appointd"),
        // Rights on a database are not copied.
        format!("revoke all on database {name} from public"),
        format!("grant connect on database {name} to appointd_api, appointd_auditor"),
    ] {
        elsewhere.batch_execute(&statement).await.expect("a copy");
    }
    let target = Target { cluster, database: name.to_owned() };
    let superuser = target.connect("postgres").await;
    execute(&superuser, fault.sql).await;
    // Statistics are told with a delay.
    superuser.batch_execute("select pg_stat_force_next_flush()").await.expect("statistics");
    drop(superuser);

    let (auditor, server) = (target.connect("appointd_auditor").await, target.connect("appointd_api").await);
    auditor.batch_execute("set search_path = pg_catalog, pg_temp").await.expect("a setting");
    // Planning all statements takes a while.
    let server = Some(server).filter(|_| fault.rule == "statements/scan" || fault.name == "nothing");
    let report = wall_audit::audit(&auditor, server.as_ref()).await.expect("an audit");
    let mut caught: BTreeMap<String, String> =
        report.findings.into_iter().map(|finding| (finding.rule.id.to_owned(), finding.found)).collect();
    let matrix = wall_audit::matrix(&auditor).await.expect("a matrix");
    if matrix != include_str!("../permissions.txt") {
        caught.insert("[permissions]".to_owned(), matrix);
    }
    for (attack, hole) in (Attack { target, ours, theirs }).begin().await.run().await {
        caught.insert(format!("[{attack}]"), hole);
    }
    for statement in [
        format!("update pg_database set datistemplate = false where datname = '{name}'"),
        format!("drop database {name} with (force)"),
    ] {
        elsewhere.batch_execute(&statement).await.expect("no copy");
    }
    if !fault.undo.is_empty() {
        execute(&elsewhere, fault.undo).await;
    }
    caught
}

#[tokio::test]
async fn server_version_with_a_known_hole_is_found() {
    let auditor = system().connect("appointd_auditor").await;
    let rule = wall_audit::rules().iter().find(|rule| rule.id == "server/version").expect("a rule");
    for (version, lacks) in [
        (140020, true),
        (150013, true),
        (150014, false),
        (160009, true),
        (160010, false),
        (170005, true),
        (170006, false),
        (180000, false),
    ] {
        let as_if = rule.sql.replace("current_setting('server_version_num')::integer", &version.to_string());
        let found = auditor.query(&as_if, &[]).await.expect("a look");
        assert_eq!(!found.is_empty(), lacks, "{version}");
    }
}
