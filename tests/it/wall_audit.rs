//! `appointd audit`, as a DBA has it. What its rules find is tried in `isolation::faults`.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use appointd::{db::cluster::Cluster, wall_audit};
use chrono::Utc;
use serde_json::Value;

use crate::harness::{
    connect, load_demo, private_database, private_database_with,
    program::{Serve, appointd, expect_serve_to_refuse, status, text},
    snapshot, system,
};

fn audit(cluster: &Cluster, role: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_appointd"))
        .arg("audit")
        .args(arguments)
        .env_remove("APPOINTD_DATABASE_URL")
        .env("APPOINTD_AUDITOR_DATABASE_URL", cluster.url(role, "appointd"))
        .output()
        .expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn clean_database_has_no_findings_and_skipped_rules_are_named() {
    let (cluster, _) = private_database().await;
    let server = cluster.url("appointd_api", "appointd");
    let output = audit(&cluster, "appointd_auditor", &["--server-database-url", &server]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).starts_with("0 errors, 0 warnings, 0 notes, 0 accepted; "), "{}", said(&output));
    let output = audit(&cluster, "appointd_auditor", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("skipped: statements/scan"), "{}", said(&output));
    // As others, too.
    for role in ["postgres", "appointd_owner", "appointd_api"] {
        assert_eq!(audit(&cluster, role, &[]).status.code(), Some(0), "{role}");
    }
}

#[tokio::test]
async fn statements_with_any_statistics_scan_no_table() {
    let (cluster, superuser) = private_database().await;
    let server = cluster.url("appointd_api", "appointd");
    for rows in [false, true] {
        if rows {
            load_demo(&cluster, Utc::now()).await;
        }
        superuser.batch_execute("analyze").await.expect("statistics");
        let output = audit(&cluster, "appointd_auditor", &["--server-database-url", &server]);
        assert_eq!(output.status.code(), Some(0), "rows: {rows}: {}", said(&output));
    }
}

#[tokio::test]
async fn foreign_key_with_half_an_index_is_reported() {
    let (cluster, superuser) = private_database().await;
    let rule = "keys/foreign_key_without_index";
    let found = || said(&audit(&cluster, "appointd_auditor", &[])).matches(rule).count();
    assert_eq!(found(), 0);
    superuser
        .batch_execute(
            "drop index scheduling.shared_claims_provider_idx;
             create index shared_claims_provider_idx on scheduling.shared_claims (tenant_id, provider_id);
             drop index tenancy.subscriptions_plan_idx, tenancy.plan_features_feature_idx,
                 scheduling.waitlist_entries_service_idx",
        )
        .await
        .expect("fewer indexes");
    let text = said(&audit(&cluster, "appointd_auditor", &[]));
    for key in [
        "shared_claims_person_fkey",
        "subscriptions_plan_fkey",
        "plan_features_feature_fkey",
        "waitlist_entries_service_fkey",
    ] {
        assert!(text.contains(&format!("constraint {key}")), "{key}: {text}");
    }
}

#[tokio::test]
async fn finding_is_reported_as_text_json_and_sarif_and_can_be_accepted() {
    let (cluster, superuser) = private_database().await;
    // A name with escape sequences, which must not reach the terminal.
    superuser
        .batch_execute("create view crm.\"every\u{1b}[31mbody\" as select * from crm.contacts; create role mighty superuser")
        .await
        .expect("faults");
    let output = audit(&cluster, "appointd_auditor", &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    for part in [
        "error roles/above_policies: A role is not subject to policies",
        "role mighty: superuser",
        "alter role mighty nosuperuser",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'));

    let json: Value =
        serde_json::from_slice(&audit(&cluster, "appointd_auditor", &["--format", "json"]).stdout)
            .expect("JSON");
    let finding = |report: &Value| {
        let findings = report["findings"].as_array().expect("findings").clone();
        findings.into_iter().find(|finding| finding["rule"] == "roles/above_policies").expect("the role")
    };
    let role = finding(&json);
    assert_eq!(
        (&role["severity"], &role["object"], &role["accepted"]),
        (&"error".into(), &"role mighty".into(), &false.into())
    );
    for field in ["title", "found", "why", "fix", "fingerprint"] {
        assert!(role[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }

    let accept = [
        "--accept",
        "roles/above_policies=role mighty",
        "--accept",
        "views/definer",
        "--accept",
        "schema/drift",
    ];
    let more = ["--accept", "roles/ownership", "--accept", "views/barrier", "--format", "json"];
    let output = audit(&cluster, "appointd_auditor", &[&accept[..], &more[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let accepted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(finding(&accepted)["accepted"], true);
    assert_eq!(finding(&accepted)["fingerprint"], role["fingerprint"], "the same from run to run");

    let output = audit(&cluster, "appointd_auditor", &["--format", "sarif", "--accept", "views/definer"]);
    let sarif: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&sarif["version"], &sarif["runs"].as_array().map(Vec::len)), (&"2.1.0".into(), &Some(1)));
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), wall_audit::rules().len());
    assert!(!run["results"].as_array().expect("results").is_empty());
    for result in run["results"].as_array().expect("results") {
        let index =
            result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
        assert!(result["message"]["text"].is_string() && result["partialFingerprints"].is_object());
        assert_eq!(result["suppressions"] != serde_json::json!([]), result["ruleId"] == "views/definer");
    }
}

#[tokio::test]
async fn rule_that_cannot_run_fails_the_audit() {
    let (cluster, superuser) = private_database().await;
    let fails = |arguments: &[&str], reason: &str| {
        let output = audit(&cluster, "appointd_auditor", arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    };
    fails(&["--database-url", "nonsense"], "is not a PostgreSQL URL");
    fails(&["--database-url", "postgresql://unknown@127.0.0.1:1/nothing"], "cannot connect");
    fails(&["--database-url", &cluster.url("appointd_auditor", "nothing")], "does not exist");
    fails(&["--database-url", &cluster.url("postgres", "postgres")], "is not an appointd database");
    superuser.batch_execute("create database unmigrated owner appointd_owner").await.expect("a database");
    let unmigrated = connect(&cluster, "postgres", "unmigrated").await;
    unmigrated
        .batch_execute(include_str!("../../sql/setup/database.sql"))
        .await
        .expect("a prepared database");
    let url = cluster.url("appointd_auditor", "unmigrated");
    fails(&["--database-url", &url], "is not migrated; run `appointd migrate`");
    fails(&["--accept", "no/rule"], "unknown rule no/rule");
    fails(&["--explain", "no/rule"], "unknown rule no/rule");
    fails(&["--format", "xml"], "possible values");
    // What was found is said all the same.
    superuser
        .batch_execute("revoke select on pg_policy from public; create role mighty superuser")
        .await
        .expect("a closed catalog, and a fault");
    let output = audit(&cluster, "appointd_auditor", &[]);
    assert_eq!(output.status.code(), Some(2));
    for part in ["failed: policies/always_true: permission denied", "role mighty: superuser"] {
        assert!(said(&output).contains(part), "{}", said(&output));
    }
    let output =
        audit(&cluster, "appointd_auditor", &["--server-database-url", &cluster.url("postgres", "appointd")]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("as postgres, not to the one that is audited"), "{said}");
}

#[tokio::test]
async fn rules_are_listed_explained_and_run_in_psql() {
    let listed = audit(&system().cluster, "appointd_auditor", &["--list"]);
    assert_eq!(said(&listed).lines().count(), wall_audit::rules().len());
    for rule in wall_audit::rules() {
        assert!(!rule.title.is_empty() && !rule.title.ends_with('.') && rule.why.len() > 30, "{}", rule.id);
        assert!(
            rule.why.lines().chain(rule.sql.lines().take(1)).all(|line| line.chars().count() <= 120),
            "{}",
            rule.id
        );
    }
    let explained =
        said(&audit(&system().cluster, "appointd_auditor", &["--explain", "policies/always_true"]));
    for part in [
        "error policies/always_true: A policy does not depend on the context",
        "is the same for all",
        "from pg_policy as p",
    ] {
        assert!(explained.contains(part), "{explained}");
    }
    // In the order and form a person at psql has them, by one psql: it starts slowly.
    let mut psql = Command::new("psql");
    psql.args(["-X", "-At", "-v", "ON_ERROR_STOP=1"])
        .arg(system().cluster.url("appointd_auditor", "appointd"));
    for rule in wall_audit::rules() {
        psql.arg("-f").arg(format!("{}/sql/audit/{}.sql", env!("CARGO_MANIFEST_DIR"), rule.id));
        psql.arg("-c").arg(format!("\\echo = {}", rule.id));
    }
    let output = psql.output().expect("psql runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut found, mut seen) = (BTreeSet::new(), 0);
    let mut is_empty = true;
    for line in said(&output).lines() {
        match line.strip_prefix("= ") {
            Some(id) => {
                assert_eq!(id, wall_audit::rules()[seen].id);
                if !is_empty {
                    found.insert(id.to_owned());
                }
                (is_empty, seen) = (true, seen + 1);
            }
            None => is_empty = false,
        }
    }
    assert_eq!(seen, wall_audit::rules().len());
    assert_eq!(found, BTreeSet::from(["schema/drift".to_owned(), "statements/scan".to_owned()]));
}

#[tokio::test]
async fn catalog_snapshot_is_current() {
    let auditor = system().connect("appointd_auditor").await;
    auditor.batch_execute("set search_path = pg_catalog, pg_temp").await.expect("a setting");
    let text = wall_audit::inventory(&auditor).await.expect("what there is");
    snapshot("sql/audit/schema/drift.txt", &text);
}

#[tokio::test]
async fn printed_matrix_equals_the_checked_in_table() {
    let output = audit(&system().cluster, "appointd_auditor", &["--matrix"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said(&output), include_str!("permissions.txt"));
}

#[tokio::test]
async fn objects_of_an_extension_are_no_finding_and_stop_no_server() {
    let (cluster, superuser) = private_database_with(&["shared_preload_libraries=pg_stat_statements"]).await;
    superuser.batch_execute("create extension pg_stat_statements").await.expect("an extension");
    let auditor = || [("APPOINTD_AUDITOR_DATABASE_URL", cluster.url("appointd_auditor", "appointd"))];
    let audit = appointd(&["audit"], &auditor()).await;
    assert_eq!(audit.status.code(), Some(0), "{}", text(&audit.stdout));
    let serve = Serve::start(&cluster.url("appointd_api", "appointd"));
    assert_eq!(status(serve.url("/health/ready")).await.0, 200);
    // Each entry begins with the name of the file; every role has its own.
    let query =
        "select distinct query from pg_stat_statements where query like '-- operations/migrations_last.sql%'";
    let found = superuser.query(query, &[]).await.expect("statistics");
    assert_eq!(found.len(), 1);
    drop(serve);
    // What is made to belong to an extension in a schema of ours is not the extension's: both say so.
    superuser
        .batch_execute(
            "create view crm.everybody as select * from crm.contacts; grant select on crm.everybody to appointd_api;
             alter extension pg_stat_statements add view crm.everybody",
        )
        .await
        .expect("a hole");
    expect_serve_to_refuse(cluster.url("appointd_api", "appointd"), "crm.everybody").await;
    assert_eq!(appointd(&["audit"], &auditor()).await.status.code(), Some(1));
}
