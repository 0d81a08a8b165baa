//! Requests that are sent again with the same `Idempotency-Key`. `http::creating` tries every operation that creates.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::booking::{APPOINTMENTS, BookingFixture};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn booking_repeated_with_one_key_is_made_once() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let ask = async |path: &str, key: &str, body: &Value| {
        fixture.tenant.staff.post_with(path, body, &[("idempotency-key", key)]).await
    };
    let body = fixture.body("2031-05-05T09:00:00Z");
    // All at once.
    let answers = join_all((0..6).map(|_| ask(APPOINTMENTS, "one", &body))).await;
    let first = answers[0].body.clone();
    for answer in answers {
        assert_eq!((answer.status, &answer.body), (201, &first), "{}", answer.text);
    }
    // Another body; then a refused request, whose key can be used again.
    ask(APPOINTMENTS, "one", &fixture.body("2031-05-05T10:00:00Z"))
        .await
        .invalid("Idempotency-Key", "used_before");
    ask(APPOINTMENTS, "two", &body).await.refused(409, "slot_unavailable");
    let id = first["id"].as_str().expect("an id");
    fixture.act(id, "cancel", json!({})).await.expect(200);
    let second = ask(APPOINTMENTS, "two", &body).await.expect(201);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(ask(APPOINTMENTS, "two", &body).await.expect(201), second);
    // Each account and operation has keys of its own.
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T12:00:00Z" });
    let held = ask("/api/v1/holds", "two", &hold).await.expect(201);
    assert_eq!(ask("/api/v1/holds", "two", &hold).await.expect(201), held);
    let theirs = fixture.body("2031-05-05T14:00:00Z");
    let theirs = fixture
        .tenant
        .admin
        .post_with(APPOINTMENTS, &theirs, &[("idempotency-key", "two")])
        .await
        .expect(201);
    assert_ne!(theirs["id"], second["id"]);
    ask(APPOINTMENTS, &"x".repeat(256), &body).await.invalid("Idempotency-Key", "invalid_value");
}
