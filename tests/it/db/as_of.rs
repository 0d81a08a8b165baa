//! Keeping a copy: a program that asks for changes since `as_of` misses none, whenever it was committed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    db::statements::files,
    harness::{
        Tenant,
        booking::BookingFixture,
        enter,
        lists::{read_all, since},
        operations, resolve,
        shared_person::{accept, ask, link},
        system,
    },
    http::creating::Setting,
};

/// Lists in pages without `updated_since`, by what makes it of no use.
const NO_COPY: [(&str, &[&str]); 6] = [
    (
        "what one person sees, not a program that keeps a copy",
        &[
            "list_sessions",
            "list_provider_links",
            "list_online_services",
            "list_online_providers",
            "list_my_services",
            "list_my_providers",
            "list_my_appointments",
            "list_my_appointments_everywhere",
            "list_my_holds",
        ],
    ),
    (
        "only grow, in the order of the list: the last cursor goes on",
        &["list_appointment_transitions", "list_audit_events"],
    ),
    ("say what changed since an instant", &["list_deletions"]),
    ("are asked for by date; a day that has ended does not change", &["list_usage_days"]),
    (
        "are read with what they are for",
        // The order of the board is no part of a task: list_tasks lists the changes of tasks.
        &["list_task_board", "list_checklist", "list_task_comments"],
    ),
    (
        "are few, or gone within minutes or days",
        &["list_holds", "list_webhook_deliveries", "list_messages", "list_jobs", "list_message_templates"],
    ),
];

#[test]
fn list_takes_updated_since_or_is_no_copy() {
    let (mut found, mut tried) = (Vec::new(), 0);
    let operations = operations();
    for operation in &operations {
        let takes = |name: &str| {
            let parameters = operation.value["parameters"].as_array();
            parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name))
        };
        if operation.method != "GET" || !takes("cursor") {
            continue;
        }
        if takes("updated_since") {
            let page = &operation.value["responses"]["200"]["content"]["application/json"]["schema"];
            assert!(resolve(page)["properties"]["as_of"].is_object(), "{}", operation.id());
            tried += 1;
        } else {
            found.push(operation.id());
        }
    }
    let mut known: Vec<&str> = NO_COPY.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
    assert!(tried >= 17, "{tried}");
}

#[tokio::test]
async fn keys_feeds_domains_and_endpoints_are_listed_since_their_last_change() {
    let setting = Setting::new().await;
    let owner = &setting.tenant.owner;
    let create = async |id: &str| {
        let create = operations().into_iter().find(|operation| operation.id() == id).expect("an operation");
        setting.creation(&create).await.send(None).await.created()
    };
    let key = create("create_api_key").await;
    let feed = create("create_calendar_feed").await;
    let domain = create("create_domain").await;
    let endpoint = create("create_webhook_endpoint").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let between = Utc::now().to_rfc3339();
    let lists = [
        ("/api/v1/api-keys", &key),
        ("/api/v1/calendar-feeds", &feed),
        ("/api/v1/domains", &domain),
        ("/api/v1/webhook-endpoints", &endpoint),
    ];
    let changed = async |path: &str| {
        let (items, _) = read_all(owner, &since(path, "updated_since", &between)).await;
        items.into_iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    // Use is no change.
    let superuser = system().superuser().await;
    let used = "update tenancy.api_keys set last_used_at = now() where id = $1::text::uuid";
    assert_eq!(superuser.execute(used, &[&key]).await.expect("a use"), 1);
    for (path, _) in lists {
        assert_eq!(changed(path).await, Vec::<serde_json::Value>::new(), "{path}");
    }
    owner.post(&format!("/api/v1/api-keys/{key}/revoke"), json!({})).await.expect(200);
    owner.patch(&format!("/api/v1/calendar-feeds/{feed}"), json!({ "name": "Other" })).await.expect(200);
    owner
        .patch(&format!("/api/v1/webhook-endpoints/{endpoint}"), json!({ "enabled": false }))
        .await
        .expect(200);
    let seen = "update tenancy.domains set verified_at = now() where id = $1::text::uuid";
    assert_eq!(superuser.execute(seen, &[&domain]).await.expect("a look-up"), 1);
    for (path, id) in lists {
        assert_eq!(changed(path).await, [json!(id)], "{path}");
    }
}

#[test]
fn time_of_a_change_is_that_of_its_transaction() {
    // An instant of the server is that of the request. A transaction that is tried again begins later, and as_of with
    // it.
    let mut written = 0;
    for (name, text) in files() {
        for set in text.split("updated_at = ").skip(1) {
            written += 1;
            let value = set.lines().next().unwrap_or_default();
            let kept_or_now =
                value.starts_with("case when ") && value.ends_with(" then updated_at else now() end");
            assert!(value.starts_with("now()") || kept_or_now, "{name}: updated_at = {value}");
        }
    }
    assert!(written > 20, "{written}");
}

#[tokio::test]
async fn change_that_commits_late_is_listed_since_as_of() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let task = furnished.id("task_id").expect("a task").to_owned();
    let tables = [
        ("crm.contacts", "/api/v1/contacts", &furnished.contact),
        ("scheduling.services", "/api/v1/services", &furnished.service),
        ("scheduling.providers", "/api/v1/providers", &furnished.provider),
        ("scheduling.resources", "/api/v1/resources", &furnished.resource),
        ("scheduling.appointments", "/api/v1/appointments", &furnished.appointment),
        ("scheduling.waitlist_entries", "/api/v1/waitlist", &furnished.waitlist_entry),
        ("work.tasks", "/api/v1/tasks", &task),
    ];
    // Begins before anything is listed, and commits after it.
    let late = system().connect("appointd_api").await;
    enter(&late, tenant.id, &tenant.owner).await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let mut copies = BTreeMap::new();
    for (_, path, _) in tables {
        let (_, as_of) = read_all(&tenant.viewer, path).await;
        copies.insert(path, as_of);
    }
    for (table, _, id) in tables {
        let sql =
            format!("update {table} set updated_at = now() where tenant_id = $1 and id = $2::text::uuid");
        assert_eq!(late.execute(&sql, &[&tenant.id, id]).await.expect("a change"), 1, "{table}");
    }
    late.batch_execute("commit").await.expect("a commit");
    for (table, path, id) in tables {
        let (changed, _) = read_all(&tenant.viewer, &since(path, "updated_since", &copies[path])).await;
        assert!(
            changed.iter().any(|item| item["id"] == json!(id)),
            "{table} since {}: {changed:?}",
            copies[path]
        );
    }
}

#[tokio::test]
async fn as_of_advances_without_open_transactions() {
    let tenant = Tenant::new().await;
    let before = Utc::now();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    // Other tests have transactions under way now and then.
    for _ in 0..100 {
        let (_, as_of) = read_all(&tenant.viewer, "/api/v1/contacts").await;
        if as_of.parse::<DateTime<Utc>>().expect("an instant") > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("as_of stays");
}

/// What it began is not visible to the server, only that it has.
#[tokio::test]
async fn open_transaction_of_the_front_door_holds_as_of_back() {
    let tenant = Tenant::new().await;
    let door = system().connect("appointd_door").await;
    let before = Utc::now();
    door.batch_execute("begin; select app.begin_request('r', null)").await.expect("a transaction");
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let (_, as_of) = read_all(&tenant.viewer, "/api/v1/contacts").await;
    door.batch_execute("rollback").await.expect("an end");
    assert!(as_of.parse::<DateTime<Utc>>().expect("an instant") < before, "{as_of}");
}

/// What a copy of the list at `path` holds of an object after it changed, by asking for the changes since before.
async fn copied(
    tenant: &Tenant,
    path: &str,
    is_it: impl Fn(&serde_json::Value) -> bool,
    change: impl AsyncFnOnce(),
) -> serde_json::Value {
    // As of a time after everything before.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let (_, as_of) = read_all(&tenant.viewer, path).await;
    change().await;
    let (changed, _) = read_all(&tenant.viewer, &since(path, "updated_since", &as_of)).await;
    changed.into_iter().find(is_it).unwrap_or_default()
}

#[tokio::test]
async fn new_name_and_ended_links_of_a_member_are_changes() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let member = |tenant: &Tenant| json!(tenant.staff.account);
    let id = member(tenant);
    let renamed = copied(
        tenant,
        "/api/v1/members",
        |item| item["account_id"] == id,
        async || {
            let name = json!({ "full_name": "Totally New" });
            tenant.staff.patch("/api/v1/auth/me", name).await.expect(200);
        },
    );
    assert_eq!(renamed.await["full_name"], "Totally New");

    let provider = json!(fixture.provider);
    let is_it = |item: &serde_json::Value| item["id"] == provider;
    ask(&fixture, tenant.staff.account).await.expect(200);
    let declined = copied(tenant, "/api/v1/providers", is_it, async || {
        tenant.staff.delete(&link(&fixture)).await.expect(204);
    });
    let declined = declined.await;
    assert_eq!((&declined["id"], &declined["requested_account_id"]), (&provider, &json!(null)));
    ask(&fixture, tenant.staff.account).await.expect(200);
    accept(&fixture, &tenant.staff).await.expect(200);
    let customer = json!({ "first_name": "Grace", "last_name": "Hopper" });
    let contact = tenant.staff.post("/api/v1/contacts", customer).await.created();
    system()
        .superuser()
        .await
        .execute(
            "update crm.contacts set account_id = $2 where id = $1::text::uuid",
            &[&contact, &tenant.staff.account],
        )
        .await
        .expect("a customer");
    let (_, as_of) = read_all(&tenant.viewer, "/api/v1/contacts").await;
    let removed = copied(tenant, "/api/v1/providers", is_it, async || {
        let member = format!("/api/v1/members/{}", tenant.staff.account);
        tenant.owner.delete(&member).await.expect(204);
    });
    let removed = removed.await;
    assert_eq!((&removed["id"], &removed["account_id"]), (&provider, &json!(null)));
    let before = system().superuser().await;
    let changed: DateTime<Utc> = before
        .query_one("select updated_at from crm.contacts where id = $1::text::uuid", &[&contact])
        .await
        .expect("a contact")
        .get(0);
    assert!(changed > as_of.parse::<DateTime<Utc>>().expect("an instant") + chrono::TimeDelta::seconds(2));
}
