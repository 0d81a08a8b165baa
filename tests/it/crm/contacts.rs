use serde_json::{Value, json};

use crate::harness::Tenant;

const PATH: &str = "/api/v1/contacts";

#[tokio::test]
async fn contact_is_created_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let body = json!({ "first_name": " Grace ", "last_name": "Hopper", "email": "Grace@Example.com", "phone": "+1 555 0100" });
    let id = tenant.staff.post(PATH, body).await.created();
    let path = format!("{PATH}/{id}");
    let contact = tenant.viewer.get(&path).await.expect(200);
    assert_eq!((&contact["first_name"], &contact["email"]), (&json!("Grace"), &json!("grace@example.com")));

    let changed =
        tenant.staff.patch(&path, json!({ "last_name": "Murray", "phone": null })).await.expect(200);
    assert_eq!(changed["last_name"], "Murray");
    assert_eq!(changed["email"], "grace@example.com");
    assert_eq!(changed.get("phone"), None);

    assert_eq!(tenant.manager.delete(&path).await.expect(204), Value::Null);
    tenant.viewer.get(&path).await.refused(404, "not_found");
    tenant.manager.delete(&path).await.refused(404, "not_found");
    tenant.staff.patch(&path, json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_contact_with_a_wrong_field_names_it() {
    let tenant = Tenant::new().await;
    let valid = json!({ "first_name": "Grace", "last_name": "Hopper" });
    for (field, value, code) in [
        ("first_name", json!(""), "too_short"),
        ("first_name", json!("x".repeat(101)), "too_long"),
        ("last_name", json!("a\u{0}"), "invalid_value"),
        ("last_name", json!("a\nb"), "invalid_value"),
        ("last_name", json!(true), "invalid_type"),
        ("email", json!("grace"), "invalid_value"),
        ("phone", json!("5".repeat(51)), "too_long"),
        ("tenant_id", json!(tenant.id), "unknown_field"),
        ("id", json!(tenant.id), "unknown_field"),
    ] {
        let mut body = valid.clone();
        body[field] = value;
        tenant.staff.post(PATH, body).await.invalid(field, code);
    }
    tenant.staff.post(PATH, json!({ "first_name": "Grace" })).await.invalid("last_name", "required");
    tenant.staff.post(PATH, json!([])).await.refused(422, "invalid");
    assert_eq!(tenant.viewer.get(PATH).await.expect(200)["items"], json!([]), "nothing was half-written");
}

#[tokio::test]
async fn list_contacts_in_pages_has_each_contact_once() {
    let tenant = Tenant::new().await;
    let mut created = Vec::new();
    for _ in 0..7 {
        created.push(tenant.contact().await);
    }
    let mut listed = Vec::new();
    let mut path = format!("{PATH}?limit=3");
    loop {
        let page = tenant.viewer.get(&path).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        assert!(items.len() <= 3);
        listed.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{PATH}?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, created);
    let exactly = tenant.viewer.get(&format!("{PATH}?limit=7")).await.expect(200);
    assert_eq!(exactly.get("next_cursor"), None, "nothing follows");
}

#[tokio::test]
async fn list_contacts_with_a_wrong_page_is_refused() {
    let tenant = Tenant::new().await;
    for (query, field, code) in [
        ("limit=0", "limit", "out_of_range"),
        ("limit=101", "limit", "out_of_range"),
        ("limit=many", "limit", "invalid_type"),
        ("limit=9223372036854775807", "limit", "out_of_range"),
        ("cursor=x", "cursor", "invalid_value"),
        ("cursor=%00", "cursor", "invalid_value"),
        ("cursor=__________________________________", "cursor", "invalid_value"),
        ("page=2", "page", "unknown_parameter"),
        ("limit=1&limit=2", "limit", "duplicate_parameter"),
    ] {
        tenant.viewer.get(&format!("{PATH}?{query}")).await.invalid(field, code);
    }
}

#[tokio::test]
async fn contact_with_appointments_cannot_be_deleted() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    tenant.manager.delete(&format!("{PATH}/{}", furnished.contact)).await.refused(409, "contact_in_use");
}
