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

#[tokio::test]
async fn contacts_are_found_by_name_address_and_number() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let add = async |tenant: &Tenant, first: &str, last: &str, email: Option<&str>, phone: Option<&str>| {
        let body = json!({ "first_name": first, "last_name": last, "email": email, "phone": phone });
        tenant.staff.post("/api/v1/contacts", body).await.created()
    };
    let grace = add(&tenant, "Grace", "Hopper", Some("grace@example.com"), Some("+1 (555) 0100")).await;
    let ozge = add(&tenant, "Özge", "Öztürk", Some("oz@bücher.example"), Some("555-01009")).await;
    let alan = add(&tenant, "Alan", "Graceland", None, None).await;
    add(&other, "Grace", "Hopper", Some("grace@example.com"), Some("+1 (555) 0100")).await;
    let found = async |query: &str| {
        let page = tenant.viewer.get(&format!("/api/v1/contacts?{query}")).await.expect(200);
        let ids = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["id"].as_str().expect("an id").to_owned());
        ids.collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("search=gra", vec![&grace, &alan]),
        ("search=GRACE%20hop", vec![&grace]),
        ("search=hopp", vec![&grace]),
        ("search=opper", vec![]),
        ("search=grace@", vec![&grace]),
        ("search=%C3%B6zt", vec![&ozge]),
        ("search=%C3%96ZGE", vec![&ozge]),
        ("search=15550", vec![&grace]),
        ("search=%2B1%20555", vec![&grace]),
        ("search=0100", vec![]),
        ("search=%25", vec![]),
        ("email=Grace@Example.com", vec![&grace]),
        ("email=oz@b%C3%BCcher.example", vec![&ozge]),
        ("email=grace@example.co", vec![]),
        ("phone=1-555-0100", vec![&grace]),
        ("phone=5550100", vec![]),
        ("phone=55501009", vec![&ozge]),
        ("search=gra&email=grace@example.com&phone=15550100", vec![&grace]),
        ("search=alan&email=grace@example.com", vec![]),
        (&format!("search=gra&ids={alan}"), vec![&alan]),
    ] {
        assert_eq!(found(query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let page = tenant.viewer.get("/api/v1/contacts?search=gra&limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("another page");
    assert_eq!(found(&format!("search=gra&limit=1&cursor={cursor}")).await, [alan]);
    tenant.viewer.get("/api/v1/contacts?search=").await.invalid("search", "too_short");
    tenant.viewer.get("/api/v1/contacts?email=grace").await.invalid("email", "invalid_value");
    tenant.viewer.get("/api/v1/contacts?phone=none").await.invalid("phone", "invalid_value");
    // A new name is found at once, and the change log does not repeat it.
    tenant
        .staff
        .patch(&format!("/api/v1/contacts/{grace}"), json!({ "last_name": "Murray" }))
        .await
        .expect(200);
    assert_eq!(found("search=murr").await, std::slice::from_ref(&grace));
    let log = tenant.owner.get(&format!("/api/v1/audit-events?row_id={grace}")).await.expect(200);
    assert!(!log.to_string().contains("name_key") && !log.to_string().contains("phone_digits"), "{log}");
}
