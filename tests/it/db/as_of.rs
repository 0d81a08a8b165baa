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
};

/// Lists of objects with `updated_at` that are no copy to keep, and why.
const NO_COPY: &[(&str, &str)] =
    &[("list_task_board", "its order is no part of a task; list_tasks lists the changes of tasks")];

#[test]
fn list_with_updated_at_takes_updated_since() {
    let (mut tried, mut left) = (0, NO_COPY.to_vec());
    for operation in operations() {
        let page = resolve(&operation.value["responses"]["200"]["content"]["application/json"]["schema"]);
        let item = resolve(&page["properties"]["items"]["items"]);
        let takes = |name: &str| {
            let parameters = operation.value["parameters"].as_array();
            parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name))
        };
        if !item["properties"]["updated_at"].is_object() || !takes("cursor") {
            continue;
        }
        tried += 1;
        match left.iter().position(|(listed, _)| *listed == operation.id()) {
            Some(listed) => drop(left.remove(listed)),
            None => assert!(takes("updated_since"), "{}", operation.id()),
        }
    }
    assert!(left.is_empty(), "{left:?}");
    assert!(tried >= 9, "{tried}");
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
