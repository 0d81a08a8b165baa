//! The operator's listener: what it shows, what it never shows, and that the alerts and the dashboard name what it
//! shows.

use std::{collections::BTreeSet, fs};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    db::statements::root,
    harness::{Tenant, eventually, metrics::value, private_system, program::Serve, within},
};

/// What Prometheus reads.
async fn scrape(address: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text().await.expect("text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// The names of all series that a text can have, by what it says about types.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .flat_map(|(name, kind)| match kind {
            "counter" => vec![format!("{name}_total")],
            "histogram" => ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")).to_vec(),
            "info" => vec![format!("{name}_info")],
            _ => vec![name.to_owned()],
        })
        .collect()
}

#[tokio::test]
async fn requests_transactions_and_work_are_counted_without_names() {
    let system = private_system(&["max_connections=60"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let superuser = system.superuser().await;
        // A job that no worker knows how to do.
        let late = "insert into messaging.jobs (tenant_id, kind, run_at) values ($1, 'unheard_of', now() - interval '1 hour')";
        superuser.execute(late, &[&tenant.id]).await.expect("a job");
        let (serve, operator) = Serve::observed(&system.cluster).await;
        let token = serve.log_in(&tenant).await;
        let contact = json!({ "first_name": "Ada", "last_name": "Example", "external_id": "one" });
        let (status, _) = serve.post("/api/v1/contacts", Some(&token), &contact).await;
        assert_eq!(status, 201);
        let (status, _) = serve.post("/api/v1/contacts", Some(&token), &contact).await;
        assert_eq!(status, 409);
        let client = Client::new();
        for n in 0..30 {
            let method = Method::from_bytes(format!("MADE{n}").as_bytes()).expect("a method");
            client.request(method, serve.url(&format!("/made-up/{n}"))).send().await.expect("an answer");
            client.get(serve.url(&format!("/made-up/{n}"))).send().await.expect("an answer");
        }

        let text = scrape(&operator).await;
        let create =
            ["http_request_method=\"POST\"", "http_route=\"/api/v1/contacts\"", "operation=\"create_contact\""];
        assert_eq!(value(&text, "http_server_request_duration_seconds_count", &create), Some(2.0), "{text}");
        for (status, count) in [("201", 1.0), ("409", 1.0)] {
            let status = format!("http_response_status_code=\"{status}\"");
            let labels = [&create[..], &[&status]].concat();
            assert_eq!(value(&text, "http_server_responses_total", &labels), Some(count), "{text}");
        }
        // What clients make up makes no series.
        let made_up: Vec<_> = text
            .lines()
            .filter(|line| {
                line.starts_with("http_server_request_duration_seconds_count") && line.contains("\"unmatched\"")
            })
            .collect();
        assert_eq!(made_up.len(), 2, "{made_up:?}");
        assert!(!text.contains("made-up") && !text.contains("MADE"), "{text}");
        assert_eq!(value(&text, "appointd_problems_total", &["code=\"unknown_path\""]), Some(60.0));

        let statement = ["db_query_summary=\"crm/contacts_create.sql\""];
        assert_eq!(value(&text, "db_client_operation_duration_seconds_count", &statement), Some(2.0));
        assert!(value(&text, "appointd_transactions_total", &["\"committed\""]) >= Some(2.0));
        assert!(value(&text, "appointd_transactions_total", &["\"rolled_back\""]) >= Some(1.0));
        assert_eq!(value(&text, "appointd_transactions_total", &["\"in_doubt\""]), Some(0.0));
        let refused = ["class=\"23\"", "crm/contacts_create.sql"];
        assert_eq!(value(&text, "appointd_sqlstates_total", &refused), Some(1.0));
        // 16 of the server, one for readiness, and as many as the worker runs jobs at once.
        let pool = |role: &str| format!("pool_name=\"{role}\"");
        let max = |role: &str| value(&text, "db_client_connection_max", &[&pool(role)]);
        assert_eq!((max("appointd_api"), max("appointd_worker")), (Some(25.0), Some(5.0)));
        let idle = ["state=\"idle\"", &pool("appointd_api")];
        assert!(value(&text, "db_client_connection_count", &idle) >= Some(1.0));
        assert!(value(&text, "process_open_fds", &[]) > Some(5.0));
        assert!(value(&text, "process_resident_memory_bytes", &[]) > Some(1e6));
        assert!(value(&text, "process_cpu_seconds_total", &[]) > Some(0.0));
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        assert_eq!(value(&text, "appointd_build_info", &[&version]), Some(1.0));

        let ready = ["kind=\"unheard_of\"", "state=\"ready\""];
        let text = eventually(async || {
            let text = scrape(&operator).await;
            value(&text, "appointd_jobs", &ready).map(|jobs| (jobs, text))
        });
        let (jobs, text) = text.await;
        assert_eq!(jobs, 1.0);
        assert!(value(&text, "appointd_jobs_oldest_ready_seconds", &["unheard_of"]) >= Some(3600.0));
        assert!(value(&text, "appointd_outbox_events", &[]) >= Some(0.0));
        assert!(value(&text, "appointd_events_published_total", &[]).is_some());

        for secret in [tenant.id.to_string(), tenant.owner.email.clone(), tenant.owner.account.to_string()] {
            assert!(!text.contains(&secret), "{secret}");
        }
        // Clients see nothing of it.
        assert_eq!(client.get(serve.url("/metrics")).send().await.expect("an answer").status(), 404);
        let health = reqwest::get(format!("http://{operator}/health/ready")).await.expect("an answer");
        assert_eq!(health.status(), 200);

        names_that_are_watched_exist(&names(&text));
    })
    .await;
}

/// How the names of our metrics begin.
const OURS: [&str; 4] = ["appointd_", "http_server_", "db_client_", "process_"];

/// The metrics of an expression: names that stand neither in braces nor in a list of labels.
fn metrics(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut braces, mut rest) = (0, expression);
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || "{}".contains(c)) {
        let from = &rest[at..];
        match from.as_bytes()[0] {
            b'{' => (braces, rest) = (braces + 1, &from[1..]),
            b'}' => (braces, rest) = (braces - 1, &from[1..]),
            _ => {
                let end = from
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
                    .unwrap_or(from.len());
                let word = &from[..end];
                rest = &from[end..];
                if ["by", "without", "on", "ignoring"].contains(&word) && braces == 0 {
                    rest = rest.split_once(')').map_or("", |(_, rest)| rest);
                } else if braces == 0 && OURS.iter().any(|ours| word.starts_with(ours)) {
                    found.insert(word.to_owned());
                }
            }
        }
    }
    found
}

fn names_that_are_watched_exist(exist: &BTreeSet<String>) {
    let rules = fs::read_to_string(root().join("deploy/prometheus/rules.yml")).expect("a file");
    let expressions: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    let alerts = rules.lines().filter(|line| line.trim().starts_with("- alert: ")).count();
    assert!(alerts >= 10 && expressions.len() >= alerts, "{alerts} alerts");
    let dashboard = fs::read_to_string(root().join("deploy/grafana/appointd.json")).expect("a file");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    assert!(queries.len() > 20, "{}", queries.len());
    let named: BTreeSet<_> =
        expressions.iter().chain(&queries).flat_map(|expression| metrics(expression)).collect();
    assert!(named.len() > 20, "{named:?}");
    assert_eq!(named.difference(exist).collect::<Vec<_>>(), Vec::<&String>::new(), "named, and not there");
}

#[test]
fn metrics_of_an_expression_are_found() {
    let expression = "sum by (db_client_connection_state) (rate(appointd_mails_total{result=~\"http_server_x\"}[5m])) > 1 \
                      and appointd:failures:ratio5m";
    assert_eq!(metrics(expression), BTreeSet::from(["appointd_mails_total".to_owned()]));
}
