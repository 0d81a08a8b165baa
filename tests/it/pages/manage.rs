//! The pages behind the links of guests.

use serde_json::json;

use crate::harness::{
    address,
    booking::BookingFixture,
    guests::contact,
    people::{Visitor, page_server},
};

/// Books as a guest by the API: the token of the link.
async fn booked(fixture: &BookingFixture, start: &str) -> String {
    let body = fixture.guest_body(start, Some(&address()));
    let booked = fixture.as_guest("appointments", body).await.expect(201);
    booked["manage_token"].as_str().expect("a token").to_owned()
}

/// A start some days from now.
fn soon(hour: u32) -> String {
    let day = chrono::Utc::now().date_naive() + chrono::Days::new(3);
    format!("{day}T{hour:02}:00:00Z")
}

#[tokio::test]
async fn guest_opens_the_link_moves_and_cancels() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let token = booked(&fixture, &soon(9)).await;
    let visitor = Visitor::at(&server, "localhost");
    visitor.get("/manage-appointment").await.expect(200).says("Open your link");
    let opened = visitor.post("/manage-appointment/open", &[("token", &token)]).await;
    assert_eq!(opened.location(), "/manage-appointment");
    let cookie = opened.headers["set-cookie"].to_str().expect("text").to_owned();
    for part in ["__Host-appointd-guest=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let shown = visitor.get("/manage-appointment").await.expect(200);
    shown.says("Confirmed");
    assert!(!shown.html.contains(&token), "the secret is in no page");
    let calendar = visitor.get(&shown.link("calendar.ics")).await.expect(200);
    assert!(calendar.html.contains("BEGIN:VEVENT"), "{}", calendar.html);

    let day = &soon(9)[..10];
    let times = format!("/manage-appointment/move?month={}&day={day}", &day[..7]);
    let starts = visitor.get(&times).await.expect(200).values("starts_at");
    assert!(starts.iter().any(|start| start.contains("T09:00")), "its own time counts as free: {starts:?}");
    let other = starts.iter().find(|start| start.contains("T15:00")).expect("three o'clock");
    let (to, moved) = visitor.follow("/manage-appointment/move", &[("starts_at", other)]).await;
    assert_eq!(to, "/manage-appointment?done=moved");
    moved.says("Your appointment has been moved.");
    moved.says("15:00");

    let taken = fixture.book(&soon(11)).await;
    assert!(!taken.is_empty());
    let refused = visitor.post("/manage-appointment/move", &[("starts_at", &soon(11))]).await.expect(409);
    refused.says("This time has just been taken.");

    visitor.get("/manage-appointment/cancel").await.expect(200).says("Cancel this appointment?");
    visitor.get("/manage-appointment").await.says("Confirmed");
    let (_, cancelled) = visitor.follow("/manage-appointment/cancel", &[("reason", "ill")]).await;
    cancelled.says("Your appointment has been cancelled.");
    let refused = visitor.post("/manage-appointment/cancel", &[]).await.expect(409);
    refused.says("can no longer be changed");
}

#[tokio::test]
async fn change_that_is_too_late_is_refused_with_a_page() {
    let server = page_server().await;
    let fixture = BookingFixture::with(json!({ "cancellation_notice_minutes": 10_000 })).await;
    let token = booked(&fixture, &soon(9)).await;
    let visitor = Visitor::at(&server, "localhost");
    let (_, shown) = visitor.follow("/manage-appointment/open", &[("token", &token)]).await;
    shown.says("It can no longer be changed here.");
    assert!(!shown.html.contains("/manage-appointment/cancel"), "{}", shown.html);
    visitor.get("/manage-appointment/cancel").await.expect(409).says("too late");
    visitor.post("/manage-appointment/cancel", &[]).await.expect(409).says("too late");
}

#[tokio::test]
async fn guest_joins_the_waitlist_and_takes_what_is_offered() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let taken = fixture.book(&soon(9)).await;
    let waiting = json!({
        "service_id": fixture.service, "from": soon(9), "to": soon(9).replace("T09:00", "T09:15"),
        "contact": contact(&address()),
    });
    let entry = fixture.as_guest("waitlist", waiting).await.expect(201);
    let token = entry["manage_token"].as_str().expect("a token");
    let visitor = Visitor::at(&server, "localhost");
    let (_, shown) = visitor.follow("/waitlist-entry/open", &[("token", token)]).await;
    shown.says("You are on the waitlist");
    fixture.act(&taken, "cancel", json!({})).await.expect(200);
    let offered = visitor.get("/waitlist-entry").await.expect(200);
    offered.says("A time has opened for you");
    // Opening the page changes nothing, however often.
    visitor.get("/waitlist-entry/accept").await.location();
    visitor.get("/waitlist-entry").await.says("A time has opened for you");
    let (to, booked) = visitor.follow("/waitlist-entry/accept", &[]).await;
    assert_eq!(to, "/manage-appointment");
    booked.says("Confirmed");
    visitor.get("/waitlist-entry").await.expect(200).says("You have taken a time.");

    // Where times are free, nothing is to wait for.
    let slug = fixture.tenant.slug().await;
    let path = format!("/o/{slug}/book/{}/waitlist", fixture.service);
    visitor.get(&path).await.expect(200).says("Join the waitlist");
    let form = [("first_name", "Grace"), ("last_name", "Hopper"), ("email", "grace@example.com")];
    visitor.post(&path, &form).await.expect(409).says("A time is free.");
    visitor.post(&path, &form[..2]).await.expect(422).says("id=\"email-error\"");
}

#[tokio::test]
async fn link_that_is_no_link_is_asked_for_again() {
    let server = page_server().await;
    let visitor = Visitor::at(&server, "localhost");
    for token in ["", "x", "https://pages.example.com/manage-appointment#token=abc.def.ghi"] {
        let refused = visitor.post("/manage-appointment/open", &[("token", token)]).await.expect(401);
        refused.says("The link is incomplete, or it has expired.");
    }
    assert_eq!(visitor.get("/manage-appointment/open").await.location(), "/manage-appointment");
    assert_eq!(visitor.get("/manage-appointment/move").await.location(), "/manage-appointment");
    // The pages of guests do not take other tokens.
    let tenant = BookingFixture::new().await.tenant;
    let token = tenant.owner.token.clone().expect("a token");
    visitor.post("/manage-appointment/open", &[("token", &token)]).await.expect(401);
}
