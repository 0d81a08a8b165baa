//! Closures of an organization.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Tenant, outcomes,
    rules::{book, service_with_rules, slots},
    system,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closures_beyond_366_a_year_are_refused() {
    let tenant = Tenant::new().await;
    let insert = "insert into scheduling.closures (tenant_id, id, starts_on, ends_on, name)
        select $1, gen_random_uuid(), '2031-06-01', '2031-06-01', 'Closed' from generate_series(1, 365)";
    system().superuser().await.execute(insert, &[&tenant.id]).await.expect("as many as there may be but one");
    let one = |day: &str| json!({ "starts_on": day, "ends_on": day, "name": "Closed" });
    let eight = (0..8).map(|_| tenant.manager.post("/api/v1/closures", one("2031-12-31")));
    assert_eq!(outcomes(&join_all(eight).await, "too_many_closures"), (1, 7));
    tenant.manager.post("/api/v1/closures", one("2032-01-01")).await.expect(201);
    // What another organization has does not count.
    let other = Tenant::new().await;
    other.manager.post("/api/v1/closures", one("2031-12-31")).await.expect(201);
}

#[tokio::test]
async fn closure_closes_the_day_of_every_provider() {
    let tenant = Tenant::new().await;
    let service = service_with_rules(&tenant, json!({})).await;
    tenant.provider().await;
    let contact = tenant.contact().await;
    let closed = json!({ "starts_on": "2031-05-06", "ends_on": "2031-05-07", "name": "Holiday" });
    let closure = tenant.manager.post("/api/v1/closures", closed).await.created();
    assert_eq!(slots(&tenant, &service, "from=2031-05-06&to=2031-05-08").await, Vec::<Value>::new());
    book(&tenant, &service, &contact, "2031-05-06T09:00:00Z").await.invalid("starts_at", "outside_hours");
    tenant.manager.delete(&format!("/api/v1/closures/{closure}")).await.expect(204);
    book(&tenant, &service, &contact, "2031-05-06T09:00:00Z").await.expect(201);
    let reversed = json!({ "starts_on": "2031-05-08", "ends_on": "2031-05-07", "name": "Holiday" });
    tenant.manager.post("/api/v1/closures", reversed).await.invalid("ends_on", "invalid_value");
}

#[tokio::test]
async fn closure_is_changed_by_managers() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let closure = format!("/api/v1/closures/{}", furnished.closure);
    let changed = tenant.manager.patch(&closure, json!({ "ends_on": "2030-12-26" })).await.expect(200);
    assert_eq!((&changed["starts_on"], &changed["ends_on"]), (&json!("2030-12-24"), &json!("2030-12-26")));
    assert_eq!(tenant.viewer.get(&closure).await.expect(200), changed);
    tenant
        .manager
        .patch(&closure, json!({ "ends_on": "2030-12-23" }))
        .await
        .invalid("ends_on", "invalid_value");
    tenant.staff.patch(&closure, json!({})).await.refused(403, "role_too_low");
}
