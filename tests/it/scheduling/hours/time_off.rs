//! Time off of providers.

use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{
    Tenant, outcomes,
    rules::{book, bookable, expect_listing_and_booking_to_agree, service_with_rules, slots},
    system,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_off_beyond_366_entries_a_year_is_refused() {
    let tenant = Tenant::new().await;
    let (provider, colleague) = (tenant.provider().await, tenant.provider().await);
    let id: Uuid = provider.parse().expect("an id");
    let insert = "insert into scheduling.time_off (tenant_id, id, provider_id, starts_at, ends_at)
        select $1, gen_random_uuid(), $2, '2031-06-01T00:00Z', '2031-06-01T00:30Z' from generate_series(1, 365)";
    system()
        .superuser()
        .await
        .execute(insert, &[&tenant.id, &id])
        .await
        .expect("as many as there may be but one");
    let post = async |provider: &str, starts_at: &str, ends_at: &str| {
        let path = format!("/api/v1/providers/{provider}/time-off");
        tenant.staff.post(&path, json!({ "starts_at": starts_at, "ends_at": ends_at })).await
    };
    let eight = (0..8).map(|_| post(&provider, "2031-12-31T23:00:00Z", "2032-01-02T00:00:00Z"));
    assert_eq!(outcomes(&join_all(eight).await, "too_much_time_off"), (1, 7));
    post(&provider, "2032-01-01T00:00:00Z", "2032-01-02T00:00:00Z").await.expect(201);
    post(&colleague, "2031-12-31T23:00:00Z", "2032-01-02T00:00:00Z").await.expect(201);
}

#[tokio::test]
async fn time_off_keeps_appointments_in_it_and_refuses_new_ones() {
    let tenant = Tenant::new().await;
    let (service, provider) = (service_with_rules(&tenant, json!({})).await, tenant.provider().await);
    let contact = tenant.contact().await;
    let kept = book(&tenant, &service, &contact, "2031-05-05T11:30:00Z").await.created();
    let away = json!({ "starts_at": "2031-05-05T11:00:00Z", "ends_at": "2031-05-05T13:00:00Z" });
    let path = format!("/api/v1/providers/{provider}/time-off");
    let entered = tenant.staff.post(&path, away).await.expect(201);
    assert_eq!(entered["appointment_ids"], json!([kept]));
    let listed = slots(&tenant, &service, "from=2031-05-05&to=2031-05-06&include=unavailable").await;
    let at_eleven = listed.iter().find(|slot| slot["starts_at"] == "2031-05-05T11:00:00Z").expect("a start");
    assert_eq!(at_eleven["reasons"], json!(["outside_hours"]));
    expect_listing_and_booking_to_agree(&tenant, &service, &contact, "2031-05-05", "2031-05-06").await;
    let id = entered["id"].as_str().expect("an id");
    tenant.staff.delete(&format!("/api/v1/time-off/{id}")).await.expect(204);
    let listed = slots(&tenant, &service, "from=2031-05-05&to=2031-05-06").await;
    assert!(bookable(&listed).contains(&"2031-05-05T11:00:00Z"));
}

#[tokio::test]
async fn time_off_is_changed_by_staff() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let time_off = format!("/api/v1/time-off/{}", furnished.time_off);
    let change = json!({ "ends_at": "2031-05-06T00:00:00Z" });
    let changed = tenant.staff.patch(&time_off, change).await.expect(200);
    assert_eq!(changed["ends_at"], "2031-05-06T00:00:00Z");
    assert_eq!(changed["appointment_ids"], json!([furnished.appointment]), "what stands in it is listed");
    let backwards = json!({ "ends_at": "2030-11-30T00:00:00Z" });
    tenant.staff.patch(&time_off, backwards).await.invalid("ends_at", "invalid_value");
    tenant.viewer.patch(&time_off, json!({})).await.refused(403, "role_too_low");
}
