//! Guests wait for time.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, address,
    booking::{BookingFixture, expect_sound_bookings},
    guests::{contact, manage},
    system,
};

#[tokio::test]
async fn guest_waits_accepts_declines_and_leaves_with_one_link() {
    let fixture = BookingFixture::new().await;
    let slug = fixture.tenant.slug().await;
    let guest = Actor::anonymous();
    let path = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    let join = async |name: &str| {
        let wanted = json!({
            "service_id": fixture.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
            "contact": {
                "first_name": "Guest",
                "last_name": name,
                "email": address(),
            },
        });
        let joined = guest.post(&path, wanted).await.expect(201);
        assert_eq!(joined["status"], "waiting");
        json!({ "token": joined["manage_token"] })
    };
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let (one, two, three) = (join("One").await, join("Two").await, join("Three").await);
    let entry = "/api/v1/guest/waitlist-entry";
    guest.post(&format!("{entry}/accept"), one.clone()).await.refused(409, "nothing_offered");
    guest.post(&format!("{entry}/decline"), one.clone()).await.refused(409, "nothing_offered");
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    assert_eq!(
        guest.post(entry, one.clone()).await.expect(200)["offer"]["starts_at"],
        "2031-05-05T09:00:00Z"
    );
    assert_eq!(guest.post(entry, two.clone()).await.expect(200)["status"], "waiting");
    guest.post(&format!("{entry}/accept"), two.clone()).await.refused(409, "nothing_offered");
    let declined = guest.post(&format!("{entry}/decline"), one.clone()).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let booked = guest.post(&format!("{entry}/accept"), two.clone()).await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["status"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("confirmed"))
    );
    // The link of the entry manages what came of it.
    let viewed = guest.post("/api/v1/guest/appointment", two.clone()).await.expect(200);
    assert_eq!(viewed["id"], booked["id"]);
    guest.post("/api/v1/guest/appointment/cancel", two).await.expect(200);
    assert_eq!(guest.post(entry, three.clone()).await.expect(200)["status"], "offered");
    let left = guest.post(&format!("{entry}/withdraw"), three.clone()).await.expect(200);
    assert_eq!(left["status"], "withdrawn");
    guest.post(&format!("{entry}/withdraw"), three).await.refused(409, "not_waiting");
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn guest_without_address_or_for_a_hidden_service_cannot_wait() {
    let fixture = BookingFixture::new().await;
    let waiting = |service: &str, contact: Value| {
        json!({
            "service_id": service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": contact,
        })
    };
    let nameless = json!({ "first_name": "Z", "last_name": "Z" });
    fixture
        .as_guest("waitlist", waiting(&fixture.service, nameless))
        .await
        .invalid("contact.email", "required");
    let hidden = json!({ "name": "Hidden", "duration_minutes": 30, "bookable_online": false });
    let hidden = fixture.tenant.service_with(hidden).await;
    fixture
        .as_guest("waitlist", waiting(&hidden, contact(&address())))
        .await
        .invalid("service_id", "not_found");
    let customer = fixture.customer().await;
    let body = json!({
        "service_id": hidden, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
    });
    customer.post("/api/v1/my/waitlist", body.clone()).await.invalid("service_id", "not_found");
    // Staff may put contacts on the list of it, as long as it is given at all.
    let mut body = body;
    body["contact_id"] = json!(fixture.contact);
    body["override_rules"] = json!(true);
    fixture.tenant.staff.post("/api/v1/waitlist", body.clone()).await.expect(201);
    let path = format!("/api/v1/services/{hidden}");
    fixture.tenant.manager.patch(&path, json!({ "active": false })).await.expect(200);
    body["from"] = json!("2031-05-07T00:00:00Z");
    body["to"] = json!("2031-05-08T00:00:00Z");
    fixture.tenant.staff.post("/api/v1/waitlist", body).await.invalid("service_id", "not_found");
}

#[tokio::test]
async fn guest_with_a_seat_cannot_accept_another() {
    let fixture = BookingFixture::with(json!({ "capacity": 2 })).await;
    let email = address();
    let start = "2031-05-05T09:00:00Z";
    fixture.as_guest("appointments", fixture.guest_body(start, Some(&email))).await.expect(201);
    let entry = fixture.offered_to_guest(&email).await;
    manage("waitlist-entry/accept", &entry["manage_token"]).await.refused(409, "already_booked");
}

#[tokio::test]
async fn offer_accepted_twice_answers_the_same_appointment() {
    let fixture = BookingFixture::new().await;
    let entry = fixture.offered_to_guest(&address()).await;
    let first = manage("waitlist-entry/accept", &entry["manage_token"]).await.expect(201);
    let again = manage("waitlist-entry/accept", &entry["manage_token"]).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn waitlist_entry_shows_names_also_of_its_offer() {
    let fixture = BookingFixture::new().await;
    let taken = fixture.book("2031-05-05T09:00:00Z").await;
    let body = json!({
        "service_id": fixture.service, "provider_id": fixture.provider, "from": "2031-05-05T09:00:00Z",
        "to": "2031-05-05T09:15:00Z", "contact": contact(&address()),
    });
    let entry = fixture.as_guest("waitlist", body).await.expect(201);
    assert_eq!((&entry["service_name"], &entry["provider_name"]), (&json!("Service"), &json!("Ada")));
    fixture.act(&taken, "cancel", json!({})).await.expect(200);
    let hide = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&hide, json!({ "bookable_online": false })).await.expect(200);
    let seen = Actor::with_token(entry["manage_token"].as_str().expect("a token"))
        .get("/api/v1/guest/waitlist-entry")
        .await
        .expect(200);
    assert_eq!(
        (&seen["service_name"], &seen["offer"]["provider_name"], &seen["time_zone"]),
        (&json!("Service"), &json!("Ada"), &json!("UTC"))
    );
}

#[tokio::test]
async fn guest_who_joins_the_waitlist_is_mailed_a_link_to_leave_it() {
    let fixture = BookingFixture::new().await;
    fixture.book("2031-05-05T09:00:00Z").await;
    let email = address();
    let url = fixture.guest_path("waitlist").await;
    let body = json!({
        "service_id": fixture.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        "contact": contact(&email),
    });
    let join = async || {
        let guest = Actor::anonymous();
        let request = guest.request(reqwest::Method::POST, &url).header("idempotency-key", "one");
        guest.send(request.header("content-type", "application/json").body(body.to_string())).await
    };
    join().await.expect(201);
    let again = join().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mails = system().mails_to(&email, 1).await;
    let between = "between Monday 2031-05-05 09:00 (UTC) and Monday 2031-05-05 09:15 (UTC)";
    assert!(mails[0].contains("You are on the waitlist of") && mails[0].contains(between), "{}", mails[0]);
    let token =
        mails[0].split("waitlist-entry#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let leave = json!({ "token": token.expect("a link") });
    let path = "/api/v1/guest/waitlist-entry/withdraw";
    assert_eq!(Actor::anonymous().post(path, leave).await.expect(200)["status"], "withdrawn");
    assert_eq!(system().mails_to(&email, 1).await.len(), 1, "told once");
}

#[tokio::test]
async fn link_of_a_past_waitlist_entry_is_refused() {
    let fixture = BookingFixture::new().await;
    fixture.book("2031-05-05T09:00:00Z").await;
    let body = json!({
        "service_id": fixture.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
        "contact": contact(&address()),
    });
    let entry = fixture.as_guest("waitlist", body).await.expect(201);
    let id: Uuid = entry["id"].as_str().expect("an id").parse().expect("an id");
    let sql = "update scheduling.waitlist_entries
        set from_instant = now() - interval '32 days', to_instant = now() - interval '31 days' where id = $1";
    system().superuser().await.execute(sql, &[&id]).await.expect("another period");
    let link = json!({ "token": entry["manage_token"] });
    for what in ["/withdraw", "/decline", ""] {
        let path = format!("/api/v1/guest/waitlist-entry{what}");
        Actor::anonymous().post(&path, link.clone()).await.refused(401, "token_expired");
    }
    let seen = fixture.tenant.viewer.get(&format!("/api/v1/waitlist/{id}")).await.expect(200);
    assert_eq!(seen["status"], "waiting");
}

#[tokio::test]
async fn waitlist_with_free_slots_is_refused_with_alternatives() {
    let fixture = BookingFixture::new().await;
    let customer = fixture.customer().await;
    let other = fixture.tenant.contact().await;
    let wish = |from: &str, to: &str| {
        json!({
            "service_id": fixture.service, "from": format!("2031-05-05T{from}:00Z"),
            "to": format!("2031-05-05T{to}:00Z"),
        })
    };
    let with = |body: &Value, name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        body
    };
    let (free, full) = (wish("09:00", "17:00"), wish("17:00", "23:00"));
    let guests = with(&free, "contact", contact(&address()));
    let staffs = with(&free, "contact_id", json!(other));
    for answer in [
        fixture.as_guest("waitlist", guests).await,
        customer.post("/api/v1/my/waitlist", free.clone()).await,
        fixture.tenant.staff.post("/api/v1/waitlist", staffs.clone()).await,
    ] {
        let refused = answer.refused(409, "slots_available");
        let starts: Vec<_> = refused["alternatives"]
            .as_array()
            .expect("alternatives")
            .iter()
            .map(|slot| slot["starts_at"].as_str().expect("a start"))
            .collect();
        assert_eq!(starts, ["2031-05-05T09:00:00Z", "2031-05-05T09:15:00Z", "2031-05-05T09:30:00Z"]);
    }
    // Who works there may know better.
    let anyway = with(&staffs, "override_rules", json!(true));
    fixture.tenant.staff.post("/api/v1/waitlist", anyway).await.expect(201);
    fixture.as_guest("waitlist", with(&full, "contact", contact(&address()))).await.expect(201);
    customer.post("/api/v1/my/waitlist", full.clone()).await.expect(201);
    // Free is what this contact can book: they have something else then, with another provider.
    let second = fixture.tenant.provider().await;
    let mut busy = fixture.body("2031-05-05T12:00:00Z");
    busy["provider_id"] = json!(second);
    fixture.tenant.staff.post("/api/v1/appointments", busy).await.expect(201);
    customer.post("/api/v1/my/waitlist", wish("12:00", "12:15")).await.expect(201);
    // And what this provider is free for.
    let mut taken = fixture.body("2031-05-05T14:00:00Z");
    (taken["provider_id"], taken["contact_id"]) = (json!(second), json!(other));
    fixture.tenant.staff.post("/api/v1/appointments", taken).await.expect(201);
    let named = with(&wish("14:00", "14:15"), "contact", contact(&address()));
    fixture.as_guest("waitlist", named.clone()).await.refused(409, "slots_available");
    fixture.as_guest("waitlist", with(&named, "provider_id", json!(second))).await.expect(201);
}
