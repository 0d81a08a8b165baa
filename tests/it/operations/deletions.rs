//! What was deleted is listed for those who keep a copy.

use serde_json::{Value, json};

use crate::harness::{
    Tenant,
    lists::{read_all, since},
};

#[tokio::test]
async fn deleted_row_is_listed_until_it_exists_again() {
    let tenant = Tenant::new().await;
    let (_, as_of) = read_all(&tenant.viewer, "/api/v1/contacts").await;
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
    let (gone, _) = read_all(&tenant.viewer, &path).await;
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
    let (contacts, _) = read_all(&tenant.viewer, &format!("{path}&kind=contact")).await;
    assert_eq!(contacts.len(), 1);
    // Of another organization nothing.
    let other = Tenant::new().await;
    assert_eq!(read_all(&other.viewer, &path).await.0, Vec::<Value>::new());
    // Who comes back is deleted no more.
    tenant.admit(tenant.staff.account, "staff").await;
    let (members, _) = read_all(&tenant.viewer, &format!("{path}&kind=member")).await;
    assert_eq!(members, Vec::<Value>::new());
    tenant.customer.get(&path).await.refused(403, "role_too_low");
    tenant.viewer.get("/api/v1/deletions").await.invalid("since", "required");
}
