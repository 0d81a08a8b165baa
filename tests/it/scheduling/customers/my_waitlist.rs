//! Customers with an account wait for time.

use serde_json::json;

use crate::harness::booking::{BookingFixture, expect_sound_bookings};

const PATH: &str = "/api/v1/my/appointments";

#[tokio::test]
async fn customer_waits_accepts_declines_and_leaves() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let path = "/api/v1/my/waitlist";
    // The first start of the day, which is taken.
    let day = |day: u8| {
        json!({
            "service_id": fixture.service,
            "from": format!("2031-05-{day:02}T09:00:00Z"),
            "to": format!("2031-05-{day:02}T09:15:00Z"),
        })
    };
    let stranger = fixture.tenant.contact().await;
    let book = async |day: u8| {
        let mut body = fixture.body(&format!("2031-05-{day:02}T09:00:00Z"));
        body["contact_id"] = json!(stranger);
        fixture.tenant.staff.post("/api/v1/appointments", body).await.created()
    };
    let (first, second) = (book(5).await, book(6).await);
    book(8).await;
    book(9).await;
    let mine = customer.post(path, day(5)).await.created();
    let other = customer.post(path, day(6)).await.created();
    let third = customer.post(path, day(8)).await.created();
    customer.post(&format!("{path}/{mine}/accept"), json!({})).await.refused(409, "nothing_offered");
    fixture.act(&first, "cancel", json!({})).await.expect(200);
    let offered = customer.get(&format!("{path}/{mine}")).await.expect(200);
    assert_eq!(
        (&offered["status"], &offered["offer"]["starts_at"]),
        (&json!("offered"), &json!("2031-05-05T09:00:00Z"))
    );
    let listed = customer.get(path).await.expect(200);
    let ids: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(json!(ids), json!([mine, other, third]));
    assert_eq!(listed["items"][0]["offer"], offered["offer"]);
    let booked = customer.post(&format!("{path}/{mine}/accept"), json!({})).await.created();
    assert_eq!(booked, mine, "one id for both");
    assert_eq!(customer.get(&format!("{PATH}/{booked}")).await.expect(200)["status"], "confirmed");
    fixture.act(&second, "cancel", json!({})).await.expect(200);
    let declined = customer.post(&format!("{path}/{other}/decline"), json!({})).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let left = customer.post(&format!("{path}/{third}/withdraw"), json!({})).await.expect(200);
    assert_eq!(left["status"], "withdrawn");
    customer.post(&format!("{path}/{third}/withdraw"), json!({})).await.refused(409, "not_waiting");
    // Entries of others are not found.
    let mut entry = day(9);
    entry["contact_id"] = json!(stranger);
    let foreign = fixture.tenant.staff.post("/api/v1/waitlist", entry).await.created();
    customer.get(&format!("{path}/{foreign}")).await.refused(404, "not_found");
    for verb in ["accept", "decline", "withdraw"] {
        customer.post(&format!("{path}/{foreign}/{verb}"), json!({})).await.refused(404, "not_found");
    }
    let mut wrong = day(9);
    wrong["to"] = json!("2031-05-01T00:00:00Z");
    customer.post(path, wrong).await.invalid("to", "invalid_value");
    expect_sound_bookings(&fixture.tenant).await;
}
