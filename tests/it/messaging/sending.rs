//! Messages about appointments, by a mail server of the test: who is told what, in which form, and how often.

use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Tenant, address,
    booking::BookingFixture,
    mail_server::{Behaviour, MailServer},
    metrics, system,
};

/// The metric of e-mails.
const MAILS: &str = "appointd_mails_total";

/// A fixture whose contact has an address.
async fn fixture(rules: Value) -> (BookingFixture, String) {
    let (fixture, email) = (BookingFixture::with(rules).await, address());
    let contact = format!("/api/v1/contacts/{}", fixture.contact);
    fixture.tenant.staff.patch(&contact, json!({ "email": email })).await.expect(200);
    (fixture, email)
}

/// The messages about an object, the oldest first: event, recipient, state and reason.
async fn told(tenant: &Tenant, subject: &str) -> Vec<[Value; 4]> {
    let path = format!("/api/v1/messages?subject_id={subject}");
    let page = tenant.staff.get(&path).await.expect(200);
    let mut items = page["items"].as_array().expect("items").clone();
    items.sort_by_key(|item| (item["occurred_at"].to_string(), item["recipient"].to_string()));
    items
        .iter()
        .map(|item| ["event", "recipient", "state", "reason"].map(|field| item[field].clone()))
        .collect()
}

fn message(event: &str, recipient: &str, state: &str, reason: Option<&str>) -> [Value; 4] {
    [json!(format!("appointment.{event}")), json!(recipient), json!(state), json!(reason)]
}

/// Lets what waits be tried again.
async fn wake(tenant: &Tenant) {
    let sql = "update messaging.jobs set state = 'ready', run_at = now() where tenant_id = $1 and state = 'scheduled'";
    system().superuser().await.execute(sql, &[&tenant.id]).await.expect("jobs");
}

/// The values of a property in a calendar entry, unfolded.
fn property<'a>(calendar: &'a str, name: &str) -> Vec<&'a str> {
    let begins = |line: &&str| line.starts_with(name) && line[name.len()..].starts_with([':', ';']);
    calendar.lines().filter(begins).collect()
}

#[tokio::test]
async fn booking_moving_and_cancelling_are_one_entry_of_a_calendar() {
    let (fixture, email) = fixture(json!({})).await;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(fixture.tenant.id, &server.mailer).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    tell().await;
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    tell().await;
    fixture.act(&id, "cancel", json!({ "reason": "We are closed." })).await.expect(200);
    tell().await;
    let file = format!("/api/v1/appointments/{id}/calendar.ics");
    let file = fixture.tenant.viewer.get(&file).await.text;

    let texts = server.texts();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let mut ids = Vec::new();
    for (nth, (text, method)) in texts.iter().zip(["REQUEST", "REQUEST", "CANCEL"]).enumerate() {
        let mail = MessageParser::default().parse(text.as_bytes()).expect("a mail");
        let to = mail.to().and_then(|to| to.first()).expect("a recipient");
        assert_eq!((to.name(), to.address()), (Some("Grace Hopper"), Some(email.as_str())));
        ids.push(mail.message_id().expect("an id").to_owned());
        assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        let (plain, html) = (mail.body_text(0).expect("a text"), mail.body_html(0).expect("a page"));
        assert!(plain.contains("Service with Ada, Monday 2031-05-05 "), "{plain}");
        assert!(html.contains("Service with Ada, Monday 2031-05-05 "), "{html}");
        assert_eq!(plain.contains("We are closed."), nth == 2);
        assert_eq!(plain.contains("https://pages.example.com/manage-appointment#token="), nth != 2);
        let calendars: Vec<_> = mail
            .parts
            .iter()
            .filter(|part| {
                part.content_type()
                    .is_some_and(|kind| kind.ctype() == "text" && kind.subtype() == Some("calendar"))
            })
            .collect();
        assert_eq!(calendars.len(), 2, "among the alternatives, and attached");
        for part in calendars {
            let kind = part.content_type().expect("a kind");
            assert_eq!(kind.attribute("method"), Some(method));
            let calendar = part.text_contents().expect("a text").replace("\r\n ", "").replace("\n ", "");
            assert_eq!(property(&calendar, "METHOD"), [format!("METHOD:{method}")]);
            assert_eq!(property(&calendar, "UID"), [format!("UID:{id}@appointd")]);
            assert_eq!(property(&calendar, "SEQUENCE"), [format!("SEQUENCE:{nth}")]);
            assert!(property(&calendar, "ORGANIZER")[0].ends_with(":mailto:noreply@appointd.example"));
            assert!(property(&calendar, "ATTENDEE")[0].ends_with(&format!(":mailto:{email}")));
            let status = if nth == 2 { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" };
            assert_eq!(property(&calendar, "STATUS"), [status]);
            assert_eq!(property(&calendar, "SUMMARY"), ["SUMMARY:Service"]);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each has an id of its own");
    // It is the entry of calendar files and feeds.
    let file = file.replace("\r\n ", "");
    assert_eq!(property(&file, "UID"), [format!("UID:{id}@appointd")]);
    assert_eq!(property(&file, "SEQUENCE"), ["SEQUENCE:2"]);
    let expected =
        ["created", "rescheduled", "cancelled"].map(|event| message(event, "contact", "sent", None));
    assert_eq!(told(&fixture.tenant, &id).await, expected);
}

#[tokio::test]
async fn request_is_confirmed_or_declined() {
    let (fixture, _) = fixture(json!({ "requires_approval": true })).await;
    let (one, other) =
        (fixture.book("2031-05-05T09:00:00Z").await, fixture.book("2031-05-05T10:00:00Z").await);
    system().tell(fixture.tenant.id).await;
    fixture.act(&one, "confirm", json!({})).await.expect(200);
    fixture.act(&other, "decline", json!({ "reason": "Ill." })).await.expect(200);
    system().tell(fixture.tenant.id).await;
    for (id, last) in [(one, "confirmed"), (other, "declined")] {
        let expected = ["requested", last].map(|event| message(event, "contact", "sent", None));
        assert_eq!(told(&fixture.tenant, &id).await, expected);
    }
}

#[tokio::test]
async fn what_has_changed_meanwhile_or_has_no_address_is_skipped() {
    let (fixture, _) = fixture(json!({})).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    system().tell(fixture.tenant.id).await;
    assert_eq!(
        told(&fixture.tenant, &id).await,
        [
            message("created", "contact", "skipped", Some("stale")),
            message("cancelled", "contact", "sent", None)
        ]
    );
    let contact = format!("/api/v1/contacts/{}", fixture.contact);
    fixture.tenant.staff.patch(&contact, json!({ "email": null })).await.expect(200);
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    system().tell(fixture.tenant.id).await;
    assert_eq!(
        told(&fixture.tenant, &id).await,
        [message("created", "contact", "skipped", Some("no_address"))]
    );
}

#[tokio::test]
async fn provider_is_told_what_others_did_and_customers_only_if_the_organization_notifies() {
    let (fixture, email) = fixture(json!({})).await;
    let tenant = &fixture.tenant;
    let provider: Uuid = fixture.provider.parse().expect("an id");
    let link = "update scheduling.providers set account_id = $1 where id = $2";
    let superuser = system().superuser().await;
    superuser.execute(link, &[&tenant.manager.account, &provider]).await.expect("a provider");
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    system().tell(tenant.id).await;
    assert_eq!(
        told(tenant, &id).await,
        [message("created", "contact", "sent", None), message("created", "member", "sent", None)]
    );
    let mail = system().mail_to(&tenant.manager.email).await;
    assert!(mail.contains("Subject: New: Service for Grace Hopper"), "{mail}");
    assert!(!mail.contains("manage-appointment"), "the link is the customer's: {mail}");
    // Not what they did themselves.
    let path = format!("/api/v1/appointments/{id}/cancel");
    tenant.manager.post(&path, json!({})).await.expect(200);
    system().tell(tenant.id).await;
    assert_eq!(told(tenant, &id).await[2..], [message("cancelled", "contact", "sent", None)]);
    let settings = json!({ "notifications": { "email": false } });
    tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    system().tell(tenant.id).await;
    assert_eq!(told(tenant, &id).await, [message("created", "member", "sent", None)]);
    assert_eq!(system().mails_to(&email, 2).await.len(), 2);
    // Who has left is not told.
    tenant.admin.delete(&format!("/api/v1/members/{}", tenant.manager.account)).await.expect(204);
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    system().tell(tenant.id).await;
    assert_eq!(told(tenant, &id).await.len(), 1);
}

#[tokio::test]
async fn provider_who_loses_an_appointment_is_told_and_loses_its_entry() {
    let (fixture, _) = fixture(json!({})).await;
    let tenant = &fixture.tenant;
    let provider: Uuid = fixture.provider.parse().expect("an id");
    let other = tenant.provider().await;
    let superuser = system().superuser().await;
    let link = "update scheduling.providers set account_id = $1 where id = $2";
    superuser.execute(link, &[&tenant.manager.account, &provider]).await.expect("a provider");
    let mut body = fixture.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(fixture.provider);
    let id = tenant.staff.post("/api/v1/appointments", body).await.created();
    system().tell(tenant.id).await;
    let elsewhere = json!({ "starts_at": "2031-05-05T09:00:00Z", "provider_id": other });
    fixture.act(&id, "reschedule", elsewhere).await.expect(200);
    system().tell(tenant.id).await;
    let mail = system().mails_to(&tenant.manager.email, 2).await.pop().expect("a mail");
    assert!(mail.contains("is no longer yours") && mail.contains("METHOD:CANCEL"), "{mail}");
}

#[tokio::test]
async fn series_is_told_once() {
    let (fixture, _) = fixture(json!({})).await;
    let series = json!({
        "service_id": fixture.service, "contact_id": fixture.contact, "starts_at": "2031-05-05T12:00:00Z",
        "frequency": "weekly", "count": 3,
    });
    fixture.tenant.staff.post("/api/v1/appointment-series", series).await.created();
    system().tell(fixture.tenant.id).await;
    let sent = fixture.tenant.staff.get("/api/v1/messages").await.expect(200);
    assert_eq!(sent["items"].as_array().map(Vec::len), Some(1), "{sent}");
}

#[tokio::test]
async fn message_that_may_have_been_sent_is_sent_once_more_under_the_same_id_and_never_again() {
    let (fixture, _) = fixture(json!({})).await;
    let server = MailServer::start([Behaviour::CloseAfterText, Behaviour::CloseAfterText]).await;
    let [retried, unknown] = metrics::counted(MAILS, ["retried", "unknown"]);
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    for _ in 0..4 {
        system().tell_by(fixture.tenant.id, &server.mailer).await;
        wake(&fixture.tenant).await;
    }
    assert_eq!(told(&fixture.tenant, &id).await, [message("created", "contact", "unknown", None)]);
    let ids: Vec<_> = server
        .texts()
        .iter()
        .map(|text| {
            let mail = MessageParser::default().parse(text.as_bytes()).expect("a mail").into_owned();
            mail.message_id().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1]);
    let [retried_since, unknown_since] = metrics::counted(MAILS, ["retried", "unknown"]);
    assert!(retried_since > retried && unknown_since > unknown, "{retried_since} {unknown_since}");
}

#[tokio::test]
async fn message_that_was_not_taken_is_tried_again_and_a_refused_one_is_not() {
    let (fixture, _) = fixture(json!({})).await;
    let [retried, sent, failed] = metrics::counted(MAILS, ["retried", "sent", "failed"]);
    let later = MailServer::start([Behaviour::CloseEarly, Behaviour::AnswerText("451 later")]).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    for _ in 0..4 {
        system().tell_by(fixture.tenant.id, &later.mailer).await;
        wake(&fixture.tenant).await;
    }
    assert_eq!(told(&fixture.tenant, &id).await, [message("created", "contact", "sent", None)]);
    assert_eq!(later.texts().len(), 2, "one that was not taken, and one that was");
    let refusing = MailServer::start([Behaviour::AnswerRecipient("550 5.1.1 no such user")]).await;
    let id = fixture.book("2031-05-05T10:00:00Z").await;
    for _ in 0..2 {
        system().tell_by(fixture.tenant.id, &refusing.mailer).await;
        wake(&fixture.tenant).await;
    }
    assert_eq!(told(&fixture.tenant, &id).await, [message("created", "contact", "failed", Some("refused"))]);
    assert_eq!(refusing.texts().len(), 0);
    let counted = "select emails, emails_failed from tenancy.usage_days where tenant_id = $1";
    let counted = system().superuser().await.query_one(counted, &[&fixture.tenant.id]).await.expect("a day");
    let emails: (i64, i64) = (counted.get(0), counted.get(1));
    assert_eq!(emails, (2, 1), "each message counts once, and one of them failed");
    let since = metrics::counted(MAILS, ["retried", "sent", "failed"]);
    assert!(since[0] >= retried + 2.0 && since[1] > sent && since[2] > failed, "{since:?}");
}

#[tokio::test]
async fn message_whose_worker_vanished_while_it_was_sent_is_sent_once_more() {
    let (fixture, _) = fixture(json!({})).await;
    let server = MailServer::start([]).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    system().publish(fixture.tenant.id).await;
    let superuser = system().superuser().await;
    let vanish = async |doubts: i16| {
        let sql = "update messaging.messages set state = 'sending', attempts = attempts + 1, doubts = $2, sent_at = null
                   where tenant_id = $1";
        superuser.execute(sql, &[&fixture.tenant.id, &doubts]).await.expect("a message");
        let sql = "insert into messaging.jobs (tenant_id, kind, payload)
                   select tenant_id, 'messaging.send', jsonb_build_object('message_id', id)
                   from messaging.messages where tenant_id = $1";
        superuser.execute(sql, &[&fixture.tenant.id]).await.expect("a job");
        system().tell_by(fixture.tenant.id, &server.mailer).await;
    };
    vanish(0).await;
    assert_eq!(told(&fixture.tenant, &id).await, [message("created", "contact", "sent", None)]);
    assert_eq!(server.texts().len(), 1);
    vanish(1).await;
    assert_eq!(told(&fixture.tenant, &id).await, [message("created", "contact", "unknown", None)]);
    assert_eq!(server.texts().len(), 1);
}

#[tokio::test]
async fn messages_are_read_by_staff_of_the_organization_and_deleted_when_they_are_old() {
    let (fixture, email) = fixture(json!({})).await;
    let tenant = &fixture.tenant;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    system().tell(tenant.id).await;
    let page = tenant.staff.get("/api/v1/messages?state=sent").await.expect(200);
    let sent = &page["items"][0];
    assert_eq!(
        (&sent["subject_id"], &sent["recipient_id"], &sent["address"], &sent["attempts"]),
        (&json!(id), &json!(fixture.contact), &json!(email), &json!(1))
    );
    let path = format!("/api/v1/messages/{}", sent["id"].as_str().expect("an id"));
    assert_eq!(&tenant.staff.get(&path).await.expect(200), sent);
    tenant.viewer.get(&path).await.refused(403, "role_too_low");
    tenant.viewer.get("/api/v1/messages").await.refused(403, "role_too_low");
    let other = Tenant::new().await;
    other.owner.get(&path).await.refused(404, "not_found");
    let elsewhere = other.owner.get(&format!("/api/v1/messages?subject_id={id}")).await.expect(200);
    assert_eq!(elsewhere["items"], json!([]));
    tenant.staff.get("/api/v1/messages?state=lost").await.invalid("state", "invalid_value");

    let worker = appointd::db::WorkerDb::new(&system().worker_url(), 1);
    let age = "update messaging.messages set created_at = now() - interval '31 days' where tenant_id = $1";
    system().superuser().await.execute(age, &[&tenant.id]).await.expect("a message");
    let kept = appointd::tenancy::settings::retention(&worker, tenant.id).await.expect("a setting");
    assert_eq!(kept.num_days(), 730);
    for (days, left) in [(40, 1), (30, 0)] {
        let settings = json!({ "privacy": { "data_retention_days": days } });
        tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
        let kept = appointd::tenancy::settings::retention(&worker, tenant.id).await.expect("a setting");
        let before = chrono::Utc::now() - kept;
        appointd::messaging::messages::forget(&worker, tenant.id, before).await.expect("a deletion");
        let page = tenant.staff.get("/api/v1/messages").await.expect(200);
        assert_eq!(page["items"].as_array().map(Vec::len), Some(left));
    }
}
