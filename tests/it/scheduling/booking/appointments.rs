use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Tenant, booking::APPOINTMENTS};

#[tokio::test]
async fn appointment_is_booked_and_cancelled() {
    let tenant = Tenant::new().await;
    let (service, provider) = (tenant.service().await, tenant.provider().await);
    let body = json!({
        "service_id": service,
        "starts_at": "2031-05-05T11:00:00+02:00",
        "contact": { "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" },
        "note": "First visit.",
    });
    let id = tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
    let path = format!("{APPOINTMENTS}/{id}");
    let appointment = tenant.viewer.get(&path).await.expect(200);
    assert_eq!(appointment["provider_id"], provider, "the free one");
    assert_eq!(appointment["starts_at"], "2031-05-05T09:00:00Z");
    assert_eq!(appointment["ends_at"], "2031-05-05T09:30:00Z");
    assert_eq!(appointment["status"], "confirmed");
    assert_eq!(appointment["created_by"], json!(tenant.staff.account));
    let contact = appointment["contact_id"].as_str().expect("an id");
    let contact = tenant.viewer.get(&format!("/api/v1/contacts/{contact}")).await.expect(200);
    assert_eq!(contact["last_name"], "Hopper");

    tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "slot_unavailable");
    let contacts = tenant.viewer.get("/api/v1/contacts").await.expect(200);
    assert_eq!(
        contacts["items"].as_array().map(Vec::len),
        Some(1),
        "a refused booking leaves no contact behind"
    );

    let cancelled =
        tenant.staff.post(&format!("{path}/cancel"), json!({ "reason": "Ill." })).await.expect(200);
    assert_eq!(
        (&cancelled["status"], &cancelled["cancellation_reason"]),
        (&json!("cancelled"), &json!("Ill."))
    );
    assert_eq!(cancelled["cancelled_by"], json!(tenant.staff.account));
    assert_eq!(tenant.viewer.get(&path).await.expect(200), cancelled);
    tenant.staff.post(&format!("{path}/cancel"), json!({})).await.refused(409, "transition_not_allowed");
    tenant.staff.post(APPOINTMENTS, body).await.expect(201);
}

#[tokio::test]
async fn appointments_are_filtered_and_paged() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let (grace, alan) = (tenant.contact().await, tenant.contact().await);
    let mut ids = Vec::new();
    // Not in the order of their starts.
    for (day, provider, contact) in
        [(7, &ada, &grace), (5, &ada, &alan), (6, &bea, &grace), (5, &bea, &alan), (8, &ada, &grace)]
    {
        let body = json!({
            "service_id": service,
            "provider_id": provider,
            "contact_id": contact,
            "starts_at": format!("2031-05-{day:02}T09:00:00Z"),
        });
        ids.push((day, tenant.staff.post(APPOINTMENTS, body).await.created()));
    }
    tenant.staff.post(&format!("{APPOINTMENTS}/{}/cancel", ids[4].1), json!({})).await.expect(200);
    ids.sort();
    let all: Vec<_> = ids.iter().map(|(_, id)| id.as_str()).collect();

    let listed = async |query: String| {
        let page = tenant.viewer.get(&format!("{APPOINTMENTS}?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        let ids = items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>();
        (ids, page["next_cursor"].as_str().map(ToOwned::to_owned))
    };
    assert_eq!(listed(String::new()).await.0, all);
    assert_eq!(listed("starts_from=2031-05-06T09:00:00Z".into()).await.0, all[2..]);
    assert_eq!(listed("starts_to=2031-05-06T09:00:00Z".into()).await.0, all[..2]);
    assert_eq!(listed("status=cancelled".into()).await.0, all[4..]);
    assert_eq!(listed(format!("provider_id={bea}")).await.0.len(), 2);
    assert_eq!(listed(format!("contact_id={grace}")).await.0, all[2..]);
    assert_eq!(listed(format!("contact_id={grace}&provider_id={bea}")).await.0, all[2..3]);
    assert_eq!(listed(format!("contact_id={grace}&status=confirmed")).await.0, all[2..4]);
    assert_eq!(listed(format!("provider_id={}", Uuid::now_v7())).await.0.len(), 0);

    for filter in ["", "&status=confirmed", &format!("&provider_id={ada}"), &format!("&contact_id={grace}")] {
        let (whole, _) = listed(format!("limit=100{filter}")).await;
        let (mut pieces, mut cursor) = listed(format!("limit=1{filter}")).await;
        while let Some(next) = cursor {
            let (piece, then) = listed(format!("limit=1{filter}&cursor={next}")).await;
            assert_eq!(piece.len(), 1);
            pieces.extend(piece);
            cursor = then;
        }
        assert_eq!(pieces, whole, "{filter}");
    }
    tenant.viewer.get(&format!("{APPOINTMENTS}?status=held")).await.invalid("status", "invalid_value");
    tenant
        .viewer
        .get(&format!("{APPOINTMENTS}?starts_from=2031"))
        .await
        .invalid("starts_from", "invalid_value");
}

#[tokio::test]
async fn cancel_appointment_needs_no_body() {
    let tenant = Tenant::new().await;
    let path = format!("{APPOINTMENTS}/{}/cancel", tenant.furnished().await.appointment);
    let with = |body: &'static str| tenant.staff.request(Method::POST, &path).body(body);
    tenant.staff.send(with("reason=ill")).await.refused(415, "unsupported_media_type");
    tenant
        .staff
        .send(with("{").header("content-type", "application/json"))
        .await
        .refused(400, "malformed_json");
    let cancelled = tenant.staff.send(tenant.staff.request(Method::POST, &path)).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled.get("cancellation_reason"), None);
    let empty = with("").header("content-type", "application/json");
    tenant.staff.send(empty).await.refused(409, "transition_not_allowed");
}

#[tokio::test]
async fn cancel_appointment_with_a_wrong_field_is_refused() {
    let tenant = Tenant::new().await;
    let path = format!("{APPOINTMENTS}/{}/cancel", tenant.furnished().await.appointment);
    tenant.staff.post(&path, json!({ "reason": "" })).await.invalid("reason", "too_short");
    tenant.staff.post(&path, json!({ "reason": "x".repeat(501) })).await.invalid("reason", "too_long");
    tenant
        .staff
        .post(&format!("{APPOINTMENTS}/{}/cancel", Uuid::now_v7()), json!({}))
        .await
        .refused(404, "not_found");
    tenant.staff.post(&path, json!({})).await.expect(200);
}
