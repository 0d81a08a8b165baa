//! A column that this version cannot read is an internal error, never another value and never absent.

use serde_json::{Value, json};

use crate::harness::{Tenant, eventually, private_system, program::Serve, within};

/// A value that a server of a later version, or the owner of the database, wrote and this version does not know.
struct Plant {
    /// The table, whose check constraints are dropped first.
    table: &'static str,
    /// The assignment.
    set: &'static str,
    /// The part of the value that must not be logged.
    value: &'static str,
    path: String,
    statement: &'static str,
    column: &'static str,
}

#[tokio::test]
async fn unreadable_column_answers_500_and_is_logged_without_its_value() {
    let system = private_system(&[]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let furnished = tenant.furnished().await;
        let superuser = system.superuser().await;
        let serve = Serve::start(&system.cluster.url("appointd_api", "appointd"));
        let token = serve.log_in(&tenant).await;
        let key = [("Idempotency-Key", "once")];
        let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
        let (status, _) = send(&serve, &token, "/api/v1/contacts", Some(&contact), &key).await;
        assert_eq!(status, 201);
        let plants = [
            // Was read as the last of all values.
            Plant {
                table: "scheduling.appointments",
                set: "status = 'ghosted'",
                value: "ghosted",
                path: format!("/api/v1/appointments/{}", furnished.appointment),
                statement: "scheduling/appointments_view.sql",
                column: "status",
            },
            Plant {
                table: "tenancy.api_keys",
                set: "scopes = array['weather:read']",
                value: "weather",
                path: format!("/api/v1/api-keys/{}", furnished.api_key),
                statement: "tenancy/api_keys_get.sql",
                column: "scopes",
            },
            // Was read as UTC.
            Plant {
                table: "tenancy.organizations",
                set: "time_zone = 'Mars/Olympus'",
                value: "Olympus",
                path: format!(
                    "/api/v1/services/{}/slots?from=2031-05-05T00:00:00Z&to=2031-05-06T00:00:00Z",
                    furnished.service
                ),
                statement: "scheduling/slots_weigh.sql",
                column: "time_zone",
            },
            // JSON.
            Plant {
                table: "scheduling.services",
                set: "guest_requires = array['fax']",
                value: "fax",
                path: format!("/api/v1/services/{}", furnished.service),
                statement: "scheduling/services_get.sql",
                column: "rules",
            },
            // An array within an array, in its binary form.
            Plant {
                table: "scheduling.schedule_overrides",
                set: "from_minutes = array[null]::smallint[]",
                value: "null",
                path: format!("/api/v1/providers/{}/schedule", furnished.provider),
                statement: "scheduling/schedules_get.sql",
                column: "override_from",
            },
            // Was a panic.
            Plant {
                table: "crm.contacts",
                set: "first_name = null",
                value: "null",
                path: format!("/api/v1/contacts/{}", furnished.contact),
                statement: "crm/contacts_get.sql",
                column: "first_name",
            },
        ];
        for Plant { table, set, value, path, statement, column } in plants {
            superuser
                .batch_execute(&format!(
                    "do $$
                     declare command text;
                     begin
                         for command in
                             select format('alter table {table} drop constraint %I', conname) from pg_constraint
                             where conrelid = '{table}'::regclass and contype = 'c'
                         loop
                             execute command;
                         end loop;
                         alter table crm.contacts alter column first_name drop not null;
                         update {table} set {set} where true;
                     end $$"
                ))
                .await
                .unwrap_or_else(|error| panic!("{table}: {error:?}"));
            let (status, answer) = send(&serve, &token, &path, None, &[]).await;
            assert_eq!((status, answer["code"].as_str()), (500, Some("internal")), "{path}: {answer}");
            let lines = logged(&serve, statement).await;
            assert!(lines.iter().all(|line| line["column"] == column && line["level"] == "ERROR"), "{lines:?}");
            assert!(lines.iter().all(|line| !line.to_string().contains(value)), "{lines:?}");
            assert!(!answer.to_string().contains(value), "{answer}");
            let panics = serve.logged("panicked");
            assert!(panics.is_empty(), "{panics:?}");
        }
        // An answer that a later version stored.
        superuser
            .batch_execute(r#"update operations.idempotency_keys set response = '{ "name": "Grace" }'"#)
            .await
            .expect("an answer");
        let (status, answer) = send(&serve, &token, "/api/v1/contacts", Some(&contact), &key).await;
        assert_eq!((status, answer["code"].as_str()), (500, Some("internal")), "{answer}");
        let lines = logged(&serve, "operations/idempotency_keys_get.sql").await;
        assert!(lines.iter().all(|line| line["column"] == "response"), "{lines:?}");
    })
    .await;
}

async fn send(
    serve: &Serve,
    token: &str,
    path: &str,
    body: Option<&Value>,
    headers: &[(&str, &str)],
) -> (u16, Value) {
    let client = reqwest::Client::new();
    let mut request = match body {
        Some(body) => {
            client.post(serve.url(path)).header("content-type", "application/json").body(body.to_string())
        }
        None => client.get(serve.url(path)),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.bearer_auth(token).send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("text")).expect("JSON"))
}

/// The lines of the log about a statement.
async fn logged(serve: &Serve, statement: &str) -> Vec<Value> {
    eventually(async || Some(serve.logged(statement)).filter(|lines| !lines.is_empty())).await
}
