//! Keeping a copy: what a program that asks what changed since it last asked gets to see, whatever commits when.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, enter, operations, system};

/// All pages of a list, and the `as_of` of the first.
async fn all(actor: &Actor, path: &str) -> (Vec<Value>, String) {
    let (mut items, mut as_of, mut cursor) = (Vec::new(), None, None::<String>);
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let next = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let mut page = actor.get(&format!("{path}{separator}limit=2{next}")).await.expect(200);
        as_of.get_or_insert_with(|| page["as_of"].as_str().expect("an instant").to_owned());
        items.append(page["items"].as_array_mut().expect("items"));
        cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
        if cursor.is_none() {
            return (items, as_of.expect("an instant"));
        }
    }
}

fn since(path: &str, name: &str, as_of: &str) -> String {
    let as_of: DateTime<Utc> = as_of.parse().expect("an instant");
    format!("{path}?{name}={}", as_of.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

#[test]
fn list_of_what_has_updated_at_says_what_changed_and_up_to_when() {
    let mut tried = 0;
    for operation in operations() {
        let takes_cursor = |name: &str| {
            operation.value["parameters"]
                .as_array()
                .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name))
        };
        let content = &operation.value["responses"]["200"]["content"]["application/json"]["schema"];
        let Some(page) = content["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix("#/components/schemas/Page_"))
        else {
            continue;
        };
        let document: Value = serde_json::from_str(appointd::http::description::COMMITTED).expect("JSON");
        let has_updated_at = document["components"]["schemas"][page]["properties"]["updated_at"].is_object();
        if has_updated_at && takes_cursor("cursor") {
            assert!(takes_cursor("updated_since"), "{}", operation.id());
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried}");
}

#[tokio::test]
async fn change_that_commits_late_is_seen_by_who_asks_with_as_of() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let tables = [
        ("crm.contacts", "/api/v1/contacts", &furnished.contact),
        ("scheduling.services", "/api/v1/services", &furnished.service),
        ("scheduling.providers", "/api/v1/providers", &furnished.provider),
        ("scheduling.appointments", "/api/v1/appointments", &furnished.appointment),
        ("scheduling.waitlist_entries", "/api/v1/waitlist", &furnished.waitlist_entry),
    ];
    // Begins before anything is listed, and commits after it.
    let late = system().connect("appointd_api").await;
    enter(&late, tenant.id, &tenant.owner).await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let mut copies = BTreeMap::new();
    for (_, path, _) in tables {
        let (_, as_of) = all(&tenant.viewer, path).await;
        copies.insert(path, as_of);
    }
    for (table, _, id) in tables {
        let sql =
            format!("update {table} set updated_at = now() where tenant_id = $1 and id = $2::text::uuid");
        assert_eq!(late.execute(&sql, &[&tenant.id, id]).await.expect("a change"), 1, "{table}");
    }
    late.batch_execute("commit").await.expect("a commit");
    for (table, path, id) in tables {
        let (changed, _) = all(&tenant.viewer, &since(path, "updated_since", &copies[path])).await;
        assert!(
            changed.iter().any(|item| item["id"] == json!(id)),
            "{table} since {}: {changed:?}",
            copies[path]
        );
    }
}

#[tokio::test]
async fn as_of_moves_on_when_nothing_is_under_way() {
    let tenant = Tenant::new().await;
    let before = Utc::now();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    // Other tests have transactions under way now and then.
    for _ in 0..100 {
        let (_, as_of) = all(&tenant.viewer, "/api/v1/contacts").await;
        if as_of.parse::<DateTime<Utc>>().expect("an instant") > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("as_of stays");
}

#[tokio::test]
async fn what_was_deleted_is_listed_until_it_is_there_again() {
    let tenant = Tenant::new().await;
    let (_, as_of) = all(&tenant.viewer, "/api/v1/contacts").await;
    let path = since("/api/v1/deletions", "since", &as_of);
    let (contact, service) = (tenant.contact().await, tenant.service().await);
    let provider = tenant.admin.post("/api/v1/providers", json!({ "name": "P" })).await.created();
    let room = json!({ "kind": "room", "name": "R" });
    let resource = tenant.admin.post("/api/v1/resources", room).await.created();
    let member = tenant.staff.account.to_string();
    for (actor, path) in [
        (&tenant.manager, format!("/api/v1/contacts/{contact}")),
        (&tenant.manager, format!("/api/v1/services/{service}")),
        (&tenant.admin, format!("/api/v1/providers/{provider}")),
        (&tenant.admin, format!("/api/v1/resources/{resource}")),
        (&tenant.admin, format!("/api/v1/members/{member}")),
    ] {
        actor.delete(&path).await.expect(204);
    }
    let (gone, _) = all(&tenant.viewer, &path).await;
    let named: Vec<_> = gone.iter().map(|item| (item["kind"].as_str(), item["id"].as_str())).collect();
    let expected = [
        ("contact", &contact),
        ("service", &service),
        ("provider", &provider),
        ("resource", &resource),
        ("member", &member),
    ]
    .map(|(kind, id)| (Some(kind), Some(id.as_str())));
    assert_eq!(named, expected);
    let (contacts, _) = all(&tenant.viewer, &format!("{path}&kind=contact")).await;
    assert_eq!(contacts.len(), 1);
    // Of another organization nothing.
    let other = Tenant::new().await;
    assert_eq!(all(&other.viewer, &path).await.0, Vec::<Value>::new());
    // Who comes back is deleted no more.
    system()
        .superuser()
        .await
        .execute(
            "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'staff')",
            &[&tenant.id, &tenant.staff.account],
        )
        .await
        .expect("a member");
    let (members, _) = all(&tenant.viewer, &format!("{path}&kind=member")).await;
    assert_eq!(members, Vec::<Value>::new());
    tenant.customer.get(&path).await.refused(403, "role_too_low");
    tenant.viewer.get("/api/v1/deletions").await.invalid("since", "required");
}
