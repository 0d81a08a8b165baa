//! Cancelling all appointments of a provider in a period.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Tenant, booking::APPOINTMENTS, system};

#[tokio::test]
async fn appointments_of_a_provider_are_cancelled_in_a_period() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let service = tenant.service().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let mut ids = Vec::new();
    for (provider, start) in [
        (&ada, "2031-05-05T09:00:00Z"),
        (&ada, "2031-05-05T11:00:00Z"),
        (&bea, "2031-05-05T09:00:00Z"),
        (&ada, "2031-05-06T09:00:00Z"),
    ] {
        let body = json!({
            "service_id": service, "provider_id": provider, "contact_id": tenant.contact().await, "starts_at": start,
        });
        ids.push(tenant.staff.post(APPOINTMENTS, body).await.created());
    }
    // One has begun.
    system()
        .superuser()
        .await
        .execute(
            "update scheduling.appointments set status = 'in_progress' where id = $1::text::uuid",
            &[&ids[1]],
        )
        .await
        .expect("an appointment");
    let path = format!("/api/v1/providers/{ada}/appointments/cancel");
    let day = json!({ "from": "2031-05-05", "to": "2031-05-06", "reason": "Ill." });
    let send = async |body: &Value, key: &str| {
        let request = tenant.staff.request(Method::POST, &path).header("idempotency-key", key);
        tenant.staff.send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    let key = Uuid::now_v7().to_string();
    let done = send(&day, &key).await.expect(200);
    let cancelled: Vec<_> =
        done["cancelled"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    assert_eq!(cancelled, [&json!(ids[0])]);
    assert_eq!(done["cancelled"][0]["cancellation_reason"], "Ill.");
    let kept = json!([{
        "appointment_id": ids[1], "status": "in_progress", "code": "transition_not_allowed",
        "detail": "The status of the appointment is in_progress, which does not allow the action cancel.",
    }]);
    assert_eq!(done["kept"], kept);
    for id in &ids[2..] {
        assert_eq!(
            tenant.viewer.get(&format!("{APPOINTMENTS}/{id}")).await.expect(200)["status"],
            "confirmed"
        );
    }
    let again = send(&day, &key).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(200), done);
    let none = send(&day, &Uuid::now_v7().to_string()).await.expect(200);
    assert_eq!((&none["cancelled"], &none["kept"]), (&json!([]), &kept));

    let backwards = json!({ "from": "2031-05-06", "to": "2031-05-06" });
    tenant.staff.post(&path, backwards).await.invalid("to", "invalid_value");
    let foreign = format!("/api/v1/providers/{}/appointments/cancel", other.provider().await);
    tenant.staff.post(&foreign, day.clone()).await.refused(404, "not_found");
    tenant.viewer.post(&path, day.clone()).await.refused(403, "role_too_low");
    // More than one answer can name.
    system()
        .superuser()
        .await
        .execute(
            "insert into scheduling.appointments (tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at)
             select a.tenant_id, gen_random_uuid(), a.service_id, a.provider_id, a.contact_id,
                    '2031-07-01'::timestamptz + n * interval '1 minute', '2031-07-02'
             from scheduling.appointments as a, generate_series(1, 201) as n where a.id = $1::text::uuid",
            &[&ids[0]],
        )
        .await
        .expect("appointments");
    let many = json!({ "from": "2031-07-01", "to": "2031-07-02" });
    tenant.staff.post(&path, many).await.invalid("to", "too_many");
    let fewer = json!({ "from": "2031-07-01T00:02:00Z", "to": "2031-07-02" });
    let done = tenant.staff.post(&path, fewer).await.expect(200);
    assert_eq!(done["cancelled"].as_array().map(Vec::len), Some(200));
}
