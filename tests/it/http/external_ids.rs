//! What other systems know an object by: `external_id` and `metadata`, for services, providers, contacts and
//! appointments.

use serde_json::{Value, json};

use crate::harness::{Tenant, merged, system};

struct Kind {
    path: &'static str,
    table: &'static str,
    new: Value,
}

/// Bodies that create each kind of object, one after the other.
fn kinds(service: &str, contact: &str) -> Vec<Kind> {
    let appointment = json!({ "service_id": service, "contact_id": contact, "override_rules": true });
    vec![
        Kind {
            path: "/api/v1/services",
            table: "scheduling.services",
            new: json!({ "name": "S", "duration_minutes": 30 }),
        },
        Kind { path: "/api/v1/providers", table: "scheduling.providers", new: json!({ "name": "P" }) },
        Kind {
            path: "/api/v1/contacts",
            table: "crm.contacts",
            new: json!({ "first_name": "A", "last_name": "B" }),
        },
        Kind { path: "/api/v1/appointments", table: "scheduling.appointments", new: appointment },
    ]
}

/// The n-th object of a kind.
fn body(kind: &Kind, n: usize, fields: &Value) -> Value {
    let mut body = merged(kind.new.clone(), fields);
    if body.get("service_id").is_some() {
        body["starts_at"] = json!(format!("2031-05-07T{:02}:00:00Z", 9 + n));
    }
    body
}

#[tokio::test]
async fn objects_are_found_by_the_id_of_another_system() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (furnished, theirs) = (tenant.furnished().await, other.furnished().await);
    let foreign = kinds(&theirs.service, &theirs.contact);
    for (kind, foreign) in kinds(&furnished.service, &furnished.contact).iter().zip(&foreign) {
        let path = kind.path;
        let labels = json!({ "external_id": "A 1", "metadata": { "ledger": "x\ny", "empty": "" } });
        let created = tenant.owner.post(path, body(kind, 0, &labels)).await.expect(201);
        assert_eq!(
            (&created["external_id"], &created["metadata"]),
            (&labels["external_id"], &labels["metadata"])
        );
        let one = format!("{path}/{}", created["id"].as_str().expect("an id"));
        assert_eq!(tenant.viewer.get(&one).await.expect(200), created);
        // Elsewhere it is another object.
        other.owner.post(path, body(foreign, 0, &labels)).await.expect(201);
        let taken = tenant.owner.post(path, body(kind, 1, &json!({ "external_id": "A 1" }))).await;
        taken.refused(409, "external_id_taken");
        let plain = tenant.owner.post(path, body(kind, 1, &json!({ "external_id": null }))).await.expect(201);
        assert_eq!((plain.get("external_id"), plain.get("metadata")), (None, None), "{path}");
        let two = format!("{path}/{}", plain["id"].as_str().expect("an id"));
        let taken = tenant.owner.patch(&two, json!({ "external_id": "A 1" })).await;
        taken.refused(409, "external_id_taken");

        let found = async |id: &str| {
            let page = tenant.viewer.get(&format!("{path}?external_id={id}")).await.expect(200);
            page["items"].as_array().expect("items").clone()
        };
        assert_eq!(found("A%201").await, [created]);
        assert_eq!(found("A").await, Vec::<Value>::new());
        let changes = json!({ "external_id": "B", "metadata": { "other": "1" } });
        let changed = tenant.owner.patch(&one, changes.clone()).await.expect(200);
        assert_eq!((&changed["external_id"], &changed["metadata"]), (&json!("B"), &changes["metadata"]));
        assert_eq!(found("B").await.len(), 1);
        let kept = tenant.owner.patch(&one, json!({})).await.expect(200);
        assert_eq!((&kept["external_id"], &kept["metadata"]), (&json!("B"), &changes["metadata"]));
        tenant.owner.patch(&two, json!({ "external_id": "A 1" })).await.expect(200);
        let none = json!({ "external_id": null, "metadata": null });
        let removed = tenant.owner.patch(&one, none).await.expect(200);
        assert_eq!((removed.get("external_id"), removed.get("metadata")), (None, None), "{path}");
    }
}

#[tokio::test]
async fn metadata_has_bounds_in_requests_and_in_tables() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let many =
        |count: usize| (0..count).map(|n| (format!("k{n}"), json!(""))).collect::<serde_json::Map<_, _>>();
    let long_key = "k".repeat(41);
    for kind in kinds(&furnished.service, &furnished.contact) {
        for (metadata, field, code) in [
            (json!({ "a": 1 }), "metadata.a", "invalid_type"),
            (json!({ "a": null }), "metadata.a", "invalid_type"),
            (json!({ "a": { "b": "c" } }), "metadata.a", "invalid_type"),
            (json!({ "a": ["b"] }), "metadata.a", "invalid_type"),
            (json!([]), "metadata", "invalid_type"),
            (json!("x"), "metadata", "invalid_type"),
            (json!({ "": "x" }), "metadata", "invalid_value"),
            (json!({ "a b": "x" }), "metadata", "invalid_value"),
            (json!({ "ä": "x" }), "metadata", "invalid_value"),
            (json!({ &long_key: "x" }), "metadata", "invalid_value"),
            (json!({ "a": "ä".repeat(501) }), "metadata", "too_long"),
            (Value::Object(many(21)), "metadata", "too_many"),
        ] {
            let answer = tenant.owner.post(kind.path, body(&kind, 0, &json!({ "metadata": metadata }))).await;
            assert_eq!(answer.status, 422, "{} {metadata}: {}", kind.path, answer.text);
            answer.invalid(field, code);
            // Nor by statements that the server does not send.
            let update = format!("update {} set metadata = $1 where tenant_id = $2", kind.table);
            let refused = system().superuser().await.execute(&update, &[&metadata, &tenant.id]).await;
            let refused = refused
                .expect_err("a refusal")
                .as_db_error()
                .and_then(|error| error.constraint().map(ToOwned::to_owned));
            let constraint = format!("{}_metadata", kind.table.split('.').next_back().unwrap_or_default());
            assert_eq!(refused, Some(constraint), "{} {metadata}", kind.table);
        }
        let most = json!({ "metadata": many(20) });
        tenant.owner.post(kind.path, body(&kind, 0, &most)).await.expect(201);
        let longest =
            json!({ "metadata": { "k".repeat(40): "ä".repeat(500) }, "external_id": "x".repeat(200) });
        tenant.owner.post(kind.path, body(&kind, 1, &longest)).await.expect(201);
        let long =
            tenant.owner.post(kind.path, body(&kind, 2, &json!({ "external_id": "x".repeat(201) }))).await;
        long.invalid("external_id", "too_long");
        tenant
            .owner
            .post(kind.path, body(&kind, 2, &json!({ "external_id": "" })))
            .await
            .invalid("external_id", "too_short");
        let nul = json!({ "metadata": { "a": "\u{0}" } });
        tenant.owner.post(kind.path, body(&kind, 2, &nul)).await.refused(400, "invalid_text");
    }
}

#[tokio::test]
async fn guests_and_customers_neither_see_nor_say_what_other_systems_note() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let labels = json!({ "external_id": "secret-id", "metadata": { "rating": "secret-note" } });
    for path in [
        format!("/api/v1/services/{}", furnished.service),
        format!("/api/v1/providers/{}", furnished.provider),
        format!("/api/v1/contacts/{}", furnished.contact),
        format!("/api/v1/appointments/{}", furnished.appointment),
    ] {
        tenant.owner.patch(&path, labels.clone()).await.expect(200);
    }
    for path in ["/api/v1/my/services", "/api/v1/my/providers"] {
        let answer = tenant.customer.get(path).await;
        assert!(answer.status == 200 && !answer.text.contains("secret"), "{}", answer.text);
    }
    let document: Value = serde_json::from_str(appointd::http::description::COMMITTED).expect("JSON");
    for schema in
        ["NewContact", "MyBooking", "GuestBooking", "OnlineService", "OnlineProvider", "MyAppointment"]
    {
        let properties = &document["components"]["schemas"][schema]["properties"];
        assert!(properties.is_object(), "{schema}");
        assert!(properties.get("metadata").is_none() && properties.get("external_id").is_none(), "{schema}");
    }
}
