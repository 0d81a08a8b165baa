//! How many mails may be sent: to one address, by one inviter, by one organization.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Tenant, address, booking::BookingFixture, system};

const INVITATIONS: &str = "/api/v1/invitations";

async fn invite(giver: &Actor, email: &str) -> Answer {
    giver.post(INVITATIONS, json!({ "email": email, "role": "viewer" })).await
}

async fn take_back(giver: &Actor, invitation: &Value) {
    let id = invitation["id"].as_str().expect("an id");
    giver.delete(&format!("{INVITATIONS}/{id}")).await.expect(204);
}

/// How many mails were sent to an address, once nothing more is under way.
async fn mails_to(email: &str) -> usize {
    system().mails_to(email, 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    system().mails_to(email, 1).await.len()
}

#[tokio::test]
async fn repeated_invitations_send_six_mails_an_hour() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let stranger = address();
    let mut sent = 0;
    for _ in 0..30 {
        let answer = invite(&tenant.admin, &stranger).await;
        if answer.status == 201 {
            sent += 1;
            take_back(&tenant.admin, &answer.body).await;
            continue;
        }
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=3600).contains(&wait), "{wait}");
        answer.refused(429, "mail_limit");
    }
    assert_eq!(sent, 6);
    invite(&other.admin, &stranger).await.refused(429, "mail_limit");
    assert_eq!(other.admin.get(INVITATIONS).await.expect(200)["items"], json!([]), "nothing is made");
    assert_eq!(mails_to(&stranger).await, 6);
    // Others get theirs.
    invite(&tenant.admin, &address()).await.expect(201);
    // In another spelling it is the same mailbox.
    invite(&other.admin, &stranger.to_uppercase()).await.refused(429, "mail_limit");
}

#[tokio::test]
async fn inviter_and_organization_have_separate_budgets() {
    let tenant = Tenant::new().await;
    let mut statuses = Vec::new();
    for _ in 0..70 {
        statuses.push(invite(&tenant.admin, &address()).await.status);
    }
    let sent = statuses.iter().filter(|status| **status == 201).count();
    assert!((60..=62).contains(&sent), "{sent}");
    assert_eq!(statuses.last(), Some(&429));
    invite(&tenant.owner, &address()).await.expect(201);

    let superuser = system().superuser().await;
    superuser
        .execute(
            "update messaging.mail_budgets set spent = 1000000
             where bucket = 'organization_hour' and subject = sha256(convert_to($1::text, 'UTF8'))",
            &[&tenant.id.to_string()],
        )
        .await
        .expect("a budget");
    invite(&tenant.owner, &address()).await.refused(429, "mail_limit");
}

#[tokio::test]
async fn repeated_guest_bookings_send_six_mails_an_hour() {
    let fixture = BookingFixture::new().await;
    let settings = json!({ "guests": { "bookings_per_email": 100 } });
    fixture.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let path = fixture.guest_path("appointments").await;
    let email = address();
    for _ in 0..12 {
        let body = fixture.guest_body("2031-05-05T09:00:00Z", Some(&email));
        let booked = Actor::anonymous().post(&path, body).await.expect(201);
        let cancel = json!({ "token": booked["manage_token"] });
        Actor::anonymous().post("/api/v1/guest/appointment/cancel", cancel).await.expect(200);
    }
    system().tell(fixture.tenant.id).await;
    assert_eq!(mails_to(&email).await, 6);
    // A mail about one's own account is none of those.
    let tenant = Tenant::new().await;
    let registered = json!({ "email": email });
    system()
        .superuser()
        .await
        .execute("update identity.accounts set email = $2 where id = $1", &[&tenant.staff.account, &email])
        .await
        .expect("an address");
    Actor::anonymous().post("/api/v1/auth/password/forgot", registered).await.expect(204);
    assert_eq!(system().mails_to(&email, 7).await.len(), 7);
}

#[tokio::test]
async fn organization_without_a_verified_owner_sends_no_mail() {
    let fixture = BookingFixture::new().await;
    system()
        .superuser()
        .await
        .execute(
            "update identity.accounts set email_verified_at = null where id = $1",
            &[&fixture.tenant.owner.account],
        )
        .await
        .expect("an unverified address");
    let path = fixture.guest_path("appointments").await;
    let email = address();
    let booking = fixture.guest_body("2031-05-05T09:00:00Z", Some(&email));
    Actor::anonymous().post(&path, booking).await.expect(201);
    system().tell(fixture.tenant.id).await;
    let any = std::fs::read_dir(&system().mails).expect("a folder").any(|entry| {
        std::fs::read_to_string(entry.expect("an entry").path()).is_ok_and(|text| text.contains(&email))
    });
    assert!(!any, "no mail");
}

#[tokio::test]
async fn names_with_links_or_invisible_text_are_refused() {
    let tenant = Tenant::new().await;
    for (name, code) in [
        ("Win at http://evil.example", "invalid_value"),
        ("HTTPS://evil.example/x", "invalid_value"),
        ("See www.evil.example", "invalid_value"),
        ("evil.com free money", "invalid_value"),
        ("Mail me@evil.net", "invalid_value"),
        ("evil.xyz/win", "invalid_value"),
        ("\u{3164}", "invalid_value"),
        ("\u{2060}\u{00ad}", "invalid_value"),
        ("\u{200d}\u{200c}", "invalid_value"),
        ("\u{2800} \u{fe0f}", "invalid_value"),
    ] {
        let answer = tenant.admin.patch("/api/v1/organizations/me", json!({ "name": name })).await;
        answer.invalid("name", code);
        tenant.staff.patch("/api/v1/auth/me", json!({ "full_name": name })).await.invalid("full_name", code);
        let contact = json!({ "first_name": name, "last_name": "Hopper" });
        tenant.staff.post("/api/v1/contacts", contact).await.invalid("first_name", code);
        let provider = json!({ "name": name });
        tenant.admin.post("/api/v1/providers", provider).await.invalid("name", code);
        let branding = json!({ "display_name": name });
        tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.invalid("display_name", code);
    }
    for name in [
        "St. Pauli Salon",
        "Dr.Smith & Sons",
        "J.Lo",
        "3.5 Minutes",
        "Müller GmbH & Co. KG",
        "می‌خواهم",
        "A/B Studio",
    ] {
        let body = json!({ "name": name });
        let changed = tenant.admin.patch("/api/v1/organizations/me", body).await.expect(200);
        assert_eq!(changed["name"], name);
    }
}
