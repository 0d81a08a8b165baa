//! Claims of the past are deleted, and nothing that looks back misses them.

use appointd::scheduling::booking::upkeep;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Tenant, booking::expect_sound_bookings, system};

async fn count(sql: &str, tenant: Uuid, appointment: &str) -> i64 {
    let id: Uuid = appointment.parse().expect("an id");
    system().superuser().await.query_one(sql, &[&tenant, &id]).await.expect("a count").get(0)
}

#[tokio::test]
async fn claims_of_the_past_are_deleted_and_their_appointment_can_be_moved() {
    let tenant = Tenant::new().await;
    let service = tenant
        .service_with(json!({ "name": "Service", "duration_minutes": 30, "slot_step_minutes": 15 }))
        .await;
    let (provider, contact) = (tenant.provider().await, tenant.contact().await);
    // Linked to a person, so that there are shared claims.
    let path = format!("/api/v1/providers/{provider}");
    tenant.admin.patch(&path, json!({ "account_id": tenant.staff.account })).await.expect(200);
    let accept = format!("/api/v1/auth/me/provider-links/{}/{provider}/accept", tenant.id);
    tenant.staff.send(tenant.staff.request(reqwest::Method::POST, &accept)).await.expect(200);
    let book = async |start: &str| {
        let body = json!({ "service_id": service, "contact_id": contact, "starts_at": start });
        tenant.staff.post("/api/v1/appointments", body).await.created()
    };
    let (old, recent) = (book("2031-05-05T09:00:00Z").await, book("2031-05-05T10:00:00Z").await);
    let claims = "select count(*) from scheduling.claims where tenant_id = $1 and appointment_id = $2";
    let shared = "select count(*) from scheduling.shared_claims s join scheduling.claims c
        on c.tenant_id = s.tenant_id and c.id = s.claim_id where s.tenant_id = $1 and c.appointment_id = $2";
    for appointment in [&old, &recent] {
        assert_eq!(count(claims, tenant.id, appointment).await, 2, "of the provider and of the contact");
        assert_eq!(count(shared, tenant.id, appointment).await, 1);
    }
    // As time goes by.
    let superuser = system().superuser().await;
    for (appointment, days) in [(&old, 36), (&recent, 30)] {
        superuser
            .batch_execute(&format!(
                "set session_replication_role = replica;
                 update scheduling.appointments set starts_at = now() - interval '{days} days', ends_at = now() - interval '{days} days' + interval '30 minutes'
                 where tenant_id = '{0}' and id = '{appointment}';
                 update scheduling.claims set starts_at = now() - interval '{days} days', ends_at = now() - interval '{days} days' + interval '30 minutes'
                 where tenant_id = '{0}' and appointment_id = '{appointment}';
                 update scheduling.shared_claims s set starts_at = c.starts_at, ends_at = c.ends_at
                 from scheduling.claims c where c.tenant_id = '{0}' and s.tenant_id = c.tenant_id and s.claim_id = c.id;
                 reset session_replication_role",
                tenant.id
            ))
            .await
            .expect("time");
    }
    upkeep::forget_past_claims(&system().worker(), tenant.id).await.expect("a sweep");
    assert_eq!((count(claims, tenant.id, &old).await, count(shared, tenant.id, &old).await), (0, 0));
    assert_eq!((count(claims, tenant.id, &recent).await, count(shared, tenant.id, &recent).await), (2, 1));
    expect_sound_bookings(&tenant).await;
    // The appointment has times of its own, and can be moved to a day to come, where it takes its time again.
    let path = format!("/api/v1/appointments/{old}");
    tenant.viewer.get(&path).await.expect(200);
    tenant
        .staff
        .post(&format!("{path}/reschedule"), json!({ "starts_at": "2031-05-06T09:00:00Z" }))
        .await
        .expect(200);
    assert_eq!((count(claims, tenant.id, &old).await, count(shared, tenant.id, &old).await), (2, 1));
    let body = json!({ "service_id": service, "contact_id": contact, "starts_at": "2031-05-06T09:00:00Z" });
    tenant.staff.post("/api/v1/appointments", body).await.refused(409, "slot_unavailable");
    expect_sound_bookings(&tenant).await;
}
