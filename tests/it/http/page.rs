//! What lists have in common: `ids`, and filters by what is active.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, Tenant, operations,
    walking::{actor_of, filled, id_of},
};

async fn listed(actor: &Actor, path: &str) -> Vec<Value> {
    actor.get(path).await.expect(200)["items"].as_array().expect("items").clone()
}

/// The lists whose items have ids by which a client does not look for them, with the reason.
const WITHOUT_IDS: &[&str] = &[
    // Logs.
    "list_appointment_transitions",
    "list_audit_events",
    "list_deletions",
    // Short, and of one person.
    "list_sessions",
    "list_provider_links",
    "list_my_services",
    "list_my_providers",
    "list_my_appointments",
    "list_my_appointments_everywhere",
    "list_my_waitlist_entries",
    // What a page shows to all visitors.
    "list_online_services",
    "list_online_providers",
];

#[tokio::test]
async fn every_list_finds_items_by_their_ids() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (furnished, theirs) = (tenant.furnished().await, other.furnished().await);
    let mut without = BTreeSet::new();
    let mut lists = 0;
    for operation in operations() {
        let answer = &operation.value["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        if !answer.as_str().is_some_and(|name| name.ends_with("Page")) {
            continue;
        }
        let mut parameters = operation.value["parameters"].as_array().into_iter().flatten();
        if !parameters.any(|parameter| parameter["name"] == "ids") {
            without.insert(operation.id().to_owned());
            continue;
        }
        lists += 1;
        let actor = actor_of(&tenant, &operation);
        let path = filled(&operation.path, id_of(&furnished));
        let all = listed(actor, &path).await;
        let id =
            |item: &Value| item.get("id").unwrap_or(&item["account_id"]).as_str().expect("an id").to_owned();
        let last = id(all.last().unwrap_or_else(|| panic!("{} has an item", operation.id())));
        let found = listed(actor, &format!("{path}?ids={}&ids={last}", Uuid::now_v7())).await;
        assert_eq!(found.iter().map(id).collect::<Vec<_>>(), [last], "{}", operation.id());
        let foreign = filled(&operation.path, id_of(&theirs));
        if foreign == path {
            let owner = actor_of(&other, &operation);
            let foreign = id(listed(owner, &path).await.last().expect("an item"));
            assert_eq!(listed(actor, &format!("{path}?ids={foreign}")).await.len(), 0, "{}", operation.id());
        }
    }
    assert!(lists > 10, "{lists} lists");
    assert_eq!(without, WITHOUT_IDS.iter().map(|id| (*id).to_owned()).collect());
}

#[tokio::test]
async fn catalog_is_filtered_by_active_and_bookable_online() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for (path, id, changes) in [
        ("/api/v1/services", &furnished.service, json!({ "active": false, "bookable_online": false })),
        ("/api/v1/providers", &furnished.provider, json!({ "active": false })),
        ("/api/v1/resources", &furnished.resource, json!({ "active": false })),
    ] {
        let has = async |query: &str| {
            listed(&tenant.viewer, &format!("{path}?{query}")).await.iter().any(|item| item["id"] == **id)
        };
        let filters: Vec<&str> = changes.as_object().expect("an object").keys().map(String::as_str).collect();
        for filter in &filters {
            let values = (has(&format!("{filter}=true")).await, has(&format!("{filter}=false")).await);
            assert_eq!(values, (true, false), "{path} {filter}");
        }
        tenant.owner.patch(&format!("{path}/{id}"), changes.clone()).await.expect(200);
        for filter in &filters {
            let values = (has(&format!("{filter}=true")).await, has(&format!("{filter}=false")).await);
            assert_eq!(values, (false, true), "{path} {filter}");
        }
        assert!(has("").await, "{path}");
        tenant.viewer.get(&format!("{path}?active=yes")).await.invalid("active", "invalid_value");
    }
}
