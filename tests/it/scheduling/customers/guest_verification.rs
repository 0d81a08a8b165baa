//! Services that want to know that a guest can be reached.

use serde_json::json;
use uuid::Uuid;

use crate::harness::{
    Actor, address,
    booking::{BookingFixture, expect_sound_bookings},
    guests::{link_to_verify, manage},
    system,
};

#[tokio::test]
async fn guest_booking_is_made_when_the_mailed_link_is_opened() {
    let fixture = BookingFixture::with(json!({ "guest_verification": "email" })).await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let path = format!("/api/v1/guest/appointments?organization_slug={slug}");
    guest
        .post(&path, fixture.guest_body("2031-05-05T09:00:00Z", None))
        .await
        .invalid("contact.email", "required");
    let email = address();
    let held = guest.post(&path, fixture.guest_body("2031-05-05T09:00:00Z", Some(&email))).await.expect(202);
    assert_eq!((held.get("manage_token"), &held["starts_at"]), (None, &json!("2031-05-05T09:00:00Z")));
    // Held, and no appointment yet.
    let listed = fixture.tenant.viewer.get("/api/v1/appointments").await.expect(200);
    assert_eq!(listed["items"], json!([]));
    let other = fixture.guest_body("2031-05-05T09:00:00Z", Some("other@example.com"));
    guest.post(&path, other).await.refused(409, "slot_unavailable");
    let mail = system().mail_to(&email).await;
    for said in ["is held for you", "Service with Ada, Monday 2031-05-05 09:00 (UTC)", "open this link until"]
    {
        assert!(mail.contains(said), "{said}: {mail}");
    }
    let token = mail.split("verify-booking#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let link = json!({ "token": token.expect("a link") });
    let booked = guest.post("/api/v1/guest/appointment/verify", link.clone()).await.expect(200);
    assert_eq!(booked["status"], "confirmed");
    // Opened again, it shows the same.
    let again = guest.post("/api/v1/guest/appointment/verify", link).await.expect(200);
    assert_eq!(again["id"], booked["id"]);
    let seen = fixture.get(booked["id"].as_str().expect("an id")).await;
    let contact = format!("/api/v1/contacts/{}", seen["contact_id"].as_str().expect("an id"));
    assert_eq!(fixture.tenant.viewer.get(&contact).await.expect(200)["email"], json!(email));
    // No other way past the link.
    let hold = format!("/api/v1/guest/holds?organization_slug={slug}");
    let wanted = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T11:00:00Z" });
    guest.post(&hold, wanted).await.refused(409, "verification_required");
    let wait = json!({
        "service_id": fixture.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        "contact": { "first_name": "Guest", "last_name": "One", "email": email },
    });
    let waitlist = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    guest.post(&waitlist, wait).await.refused(409, "verification_required");
    let mut visit = fixture.guest_body("2031-05-05T14:00:00Z", Some(&email));
    visit["and_then"] = json!([fixture.service]);
    guest.post(&path, visit).await.invalid("and_then", "not_supported");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_is_matched_by_verified_email_if_the_setting_says_so() {
    let fixture = BookingFixture::with(json!({ "guest_verification": "email" })).await;
    let guest = Actor::anonymous();
    let path = fixture.guest_path("appointments").await;
    let email = address();
    let known = json!({ "first_name": "Known", "last_name": "Before", "email": email });
    let known = fixture.tenant.staff.post("/api/v1/contacts", known).await.created();
    let before = fixture.tenant.viewer.get(&format!("/api/v1/contacts/{known}")).await.expect(200);
    let mut mails = 0;
    let mut book = async |start: &str| {
        guest.post(&path, fixture.guest_body(start, Some(&email))).await.expect(202);
        // The link, and what was booked with it.
        let mail = system().mails_to(&email, mails + 1).await.pop().expect("a mail");
        let token =
            mail.split("verify-booking#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let link = json!({ "token": token.expect("a link") });
        let booked = guest.post("/api/v1/guest/appointment/verify", link).await;
        if booked.status == 200 {
            system().tell(fixture.tenant.id).await;
            system().mails_to(&email, mails + 2).await;
            mails += 2;
            fixture.get(booked.body["id"].as_str().expect("an id")).await["contact_id"].clone()
        } else {
            mails += 1;
            json!(booked.body["code"])
        }
    };
    assert_ne!(book("2031-05-05T09:00:00Z").await, json!(known), "not unless it is wanted");
    let wanted = json!({ "guests": { "match_by_verified_email": true, "bookings_per_email": 100 } });
    fixture.tenant.admin.patch("/api/v1/organizations/me/settings", wanted).await.expect(200);
    // Two contacts have the address now: neither is taken for the other.
    assert_ne!(book("2031-05-05T10:00:00Z").await, json!(known));
    let superuser = system().superuser().await;
    superuser
        .execute(
            "update crm.contacts set email = null where tenant_id = $1 and id <> $2",
            &[&fixture.tenant.id, &known.parse::<Uuid>().expect("an id")],
        )
        .await
        .expect("no other");
    // As if it were tomorrow: so many mails get to one address in an hour, and no more.
    superuser
        .execute("delete from messaging.mail_budgets where subject = sha256($1::text::bytea)", &[&email])
        .await
        .expect("a budget");
    assert_eq!(book("2031-05-05T11:00:00Z").await, json!(known));
    // So that one person is in one place at a time.
    fixture.tenant.provider().await;
    assert_eq!(book("2031-05-05T11:15:00Z").await, json!("contact_busy"));
    let after = fixture.tenant.viewer.get(&format!("/api/v1/contacts/{known}")).await.expect(200);
    assert_eq!(after, before, "nothing of it is overwritten");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_matched_by_email_takes_one_seat() {
    let group = json!({ "capacity": 3, "contact_may_overlap": true, "guest_verification": "email" });
    let fixture = BookingFixture::with(group).await;
    let settings = json!({ "guests": { "match_by_verified_email": true } });
    fixture.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let email = address();
    let known = json!({ "first_name": "Known", "last_name": "One", "email": email });
    fixture.tenant.staff.post("/api/v1/contacts", known).await.expect(201);
    let mut outcomes = Vec::new();
    for mails in [1, 3] {
        fixture
            .as_guest("appointments", fixture.guest_body("2031-05-05T09:00:00Z", Some(&email)))
            .await
            .expect(202);
        let token = link_to_verify(&email, mails).await;
        outcomes.push(manage("appointment/verify", &token).await);
        system().tell(fixture.tenant.id).await;
    }
    let second = outcomes.pop().expect("an answer");
    outcomes.pop().expect("an answer").expect(200);
    second.refused(409, "already_booked");
}

#[tokio::test]
async fn booking_verified_many_times_at_once_is_mailed_once() {
    let fixture = BookingFixture::with(json!({ "guest_verification": "email" })).await;
    let hold = json!({ "service_id": fixture.service, "starts_at": "2031-05-05T11:00:00Z" });
    fixture.as_guest("holds", hold).await.refused(409, "verification_required");
    let email = address();
    fixture
        .as_guest("appointments", fixture.guest_body("2031-05-05T09:00:00Z", Some(&email)))
        .await
        .expect(202);
    let token = link_to_verify(&email, 1).await;
    let answers = futures_util::future::join_all((0..6).map(|_| manage("appointment/verify", &token))).await;
    for answer in answers {
        answer.expect(200);
    }
    system().tell(fixture.tenant.id).await;
    let mails = system().mails_to(&email, 2).await;
    assert_eq!(mails.len(), 2, "one to verify the address, one about the appointment");
}
