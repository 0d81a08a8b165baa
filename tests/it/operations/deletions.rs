//! What was deleted is listed for those who keep a copy.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    harness::{
        Tenant,
        booking::BookingFixture,
        document,
        lists::{read_all, since},
        operations,
        walking::id_of,
    },
    http::creating::Setting,
};

#[tokio::test]
async fn deleted_row_is_listed_until_it_exists_again() {
    let setting = Setting::new().await;
    let (tenant, all) = (&setting.tenant, operations());
    let (_, as_of) = read_all(&tenant.viewer, "/api/v1/contacts").await;
    let path = since("/api/v1/deletions", "since", &as_of);
    let mut kinds = BTreeSet::new();
    let mut deleting: Vec<_> = all.iter().filter(|operation| operation.method == "DELETE").collect();
    // The member last: what is made before is theirs.
    deleting.sort_by_key(|operation| operation.path.contains("/members/"));
    for operation in deleting {
        let (list, id) = operation.path.rsplit_once('/').expect("a path");
        // The list of some is below another object.
        let name = list.rsplit_once('/').map_or(list, |(_, name)| name);
        let at = |method: &str| {
            let mut others = all.iter().filter(|other| other.method == method);
            let nested = others.clone().find(|other| other.path.ends_with(&format!("}}/{name}")));
            others.find(|other| other.path == list).or(nested)
        };
        let parameters = at("GET").and_then(|list| list.value["parameters"].as_array()).into_iter().flatten();
        if !parameters.into_iter().any(|parameter| parameter["name"] == "updated_since") {
            continue;
        }
        let id = match at("POST") {
            Some(create) => setting.creation(create).await.send(None).await.created(),
            None => id_of(&setting.furnished)(id.trim_matches(['{', '}'])),
        };
        tenant.owner.delete(&format!("{list}/{id}")).await.expect(204);
        let (gone, _) = read_all(&tenant.viewer, &path).await;
        let last = gone.last().expect("a deletion");
        assert_eq!(last["id"], json!(id), "{}", operation.id());
        let kind = last["kind"].as_str().expect("a kind").to_owned();
        assert_eq!(
            read_all(&tenant.viewer, &format!("{path}&kind={kind}")).await.0,
            std::slice::from_ref(last)
        );
        kinds.insert(kind);
    }
    // Entries are deleted with what they are for: see below.
    kinds.insert("waitlist_entry".to_owned());
    let described = document()["components"]["schemas"]["DeletedKind"]["enum"].as_array().expect("kinds");
    assert_eq!(kinds, described.iter().map(|kind| kind.as_str().expect("a name").to_owned()).collect());
    // Of another organization nothing.
    let other = Tenant::new().await;
    assert_eq!(read_all(&other.viewer, &path).await.0, Vec::<Value>::new());
    // Who comes back is deleted no more.
    let member = setting.furnished.member.parse().expect("an id");
    tenant.admit(member, "staff").await;
    let (members, _) = read_all(&tenant.viewer, &format!("{path}&kind=member")).await;
    assert_eq!(members, Vec::<Value>::new());
    tenant.customer.get(&path).await.refused(403, "role_too_low");
    tenant.viewer.get("/api/v1/deletions").await.invalid("since", "required");
}

#[tokio::test]
async fn waitlist_entries_are_listed_that_are_deleted_with_what_they_are_for() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let service = tenant.service_with(json!({ "name": "Other", "duration_minutes": 30 })).await;
    let provider = tenant.provider().await;
    let (_, as_of) = read_all(&tenant.viewer, "/api/v1/waitlist").await;
    let path = since("/api/v1/deletions", "since", &as_of);
    let of_contact = fixture.join_waitlist(&json!({})).await;
    let contact = fixture.waitlist_entry(&of_contact).await["contact_id"].as_str().expect("an id").to_owned();
    let of_service = fixture.join_waitlist(&json!({ "service_id": service })).await;
    let of_provider = fixture.join_waitlist(&json!({ "provider_id": provider })).await;
    for (deleted, entry) in [
        (format!("contacts/{contact}"), of_contact),
        (format!("services/{service}"), of_service),
        (format!("providers/{provider}"), of_provider),
    ] {
        tenant.owner.delete(&format!("/api/v1/{deleted}")).await.expect(204);
        tenant.viewer.get(&format!("/api/v1/waitlist/{entry}")).await.refused(404, "not_found");
        let (gone, _) = read_all(&tenant.viewer, &format!("{path}&kind=waitlist_entry")).await;
        assert!(gone.iter().any(|gone| gone["id"] == json!(entry)), "{deleted}: {gone:?}");
    }
}
