//! Customers with an account hold time.

use serde_json::json;

use crate::harness::booking::{BookingFixture, expect_sound_bookings};

#[tokio::test]
async fn customer_holds_confirms_and_releases() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let hold = customer.post("/api/v1/my/holds", fixture.own_body("2031-05-05T09:00:00Z")).await.created();
    let path = format!("/api/v1/my/holds/{hold}");
    fixture.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    let booked = customer.post(&format!("{path}/confirm"), json!({ "note": "Second floor." })).await;
    assert_eq!(booked.created(), hold, "one id for both");
    let seen = fixture.get(&hold).await;
    assert_eq!(
        (&seen["contact_id"], &seen["status"], &seen["note"]),
        (&json!(fixture.contact), &json!("confirmed"), &json!("Second floor."))
    );
    let again = customer.post(&format!("{path}/confirm"), json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.created(), hold);
    let mut holds = Vec::new();
    for hour in 10..13 {
        let start = format!("2031-05-05T{hour}:00:00Z");
        holds.push(customer.post("/api/v1/my/holds", fixture.own_body(&start)).await.created());
    }
    let fourth = fixture.own_body("2031-05-05T14:00:00Z");
    customer.post("/api/v1/my/holds", fourth.clone()).await.refused(409, "too_many_holds");
    customer.delete(&format!("/api/v1/my/holds/{}", holds[0])).await.expect(204);
    customer.post("/api/v1/my/holds", fourth).await.expect(201);
    // Those of others are not theirs.
    let foreign = fixture.hold("2031-05-05T15:00:00Z").await.created();
    customer.post(&format!("/api/v1/my/holds/{foreign}/confirm"), json!({})).await.refused(404, "not_found");
    customer.delete(&format!("/api/v1/my/holds/{foreign}")).await.refused(404, "not_found");
    fixture.expire(&holds[1]).await;
    let late = customer.post(&format!("/api/v1/my/holds/{}/confirm", holds[1]), json!({})).await;
    assert!(matches!(late.status, 404 | 409), "{}", late.text);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn customer_lists_their_holds() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let mut own = Vec::new();
    for start in ["2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z"] {
        own.push(customer.post("/api/v1/my/holds", fixture.own_body(start)).await.created());
    }
    fixture.hold("2031-05-05T11:00:00Z").await.created();
    let listed_at = async |path: &str| -> Vec<String> {
        let listed = customer.get(path).await.expect(200);
        let items = listed["items"].as_array().expect("items").iter();
        items.map(|hold| hold["id"].as_str().expect("an id").to_owned()).collect()
    };
    let listed = async || listed_at("/api/v1/my/holds").await;
    assert_eq!(listed().await, own);
    let path = format!("/api/v1/my/holds?ids={}&ids={}", own[1], uuid::Uuid::now_v7());
    assert_eq!(listed_at(&path).await, own[1..]);
    fixture.expire(&own[0]).await;
    assert_eq!(listed().await, own[1..]);
}
