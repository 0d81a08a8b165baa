//! Reminders of appointments: when they are planned, when they are sent, and how often.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::{Value, json};

use crate::harness::{
    Tenant, address,
    booking::APPOINTMENTS,
    eventually,
    mail_server::{Behaviour, MailServer},
    planned::{SETTINGS, fixture, planned, state, states, subjects, until},
    system,
};

const START: &str = "2031-05-05T09:00:00Z";

/// How many of the mails that a server has taken are reminders.
fn reminders(server: &MailServer) -> usize {
    subjects(server).iter().filter(|subject| subject.starts_with("Reminder: ")).count()
}

#[tokio::test]
async fn reminders_are_sent_at_their_times_once_and_are_counted_once() {
    let (fixture, email) = fixture(json!({ "reminder_minutes": [120, 1440] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    let id = fixture.book(START).await;
    tell().await;
    let reminder = |due_at| [json!("appointment.reminder"), json!(due_at), json!("queued"), json!(null)];
    assert_eq!(
        planned(tenant, &id).await,
        [reminder("2031-05-04T09:00:00Z"), reminder("2031-05-05T07:00:00Z")]
    );
    let jobs = tenant.admin.get("/api/v1/jobs?kind=messaging.send&state=scheduled").await.expect(200);
    let due: BTreeSet<_> = jobs["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|job| &job["run_at"])
        .map(Value::to_string)
        .collect();
    assert_eq!(due, ["\"2031-05-04T09:00:00Z\"", "\"2031-05-05T07:00:00Z\""].map(str::to_owned).into());

    for (minutes, sent) in [(1441, 0), (1439, 1), (121, 1), (119, 2), (1, 2)] {
        until(&fixture, &id, minutes).await;
        tell().await;
        assert_eq!(reminders(&server), sent, "{minutes} minutes before");
    }
    // Also not if a job comes early, or again.
    let again = "insert into messaging.jobs (tenant_id, kind, payload)
                 select tenant_id, 'messaging.send', jsonb_build_object('message_id', id)
                 from messaging.messages where tenant_id = $1";
    system().superuser().await.execute(again, &[&tenant.id]).await.expect("jobs");
    tell().await;
    assert_eq!(server.texts().len(), 3, "the booking and two reminders");
    assert_eq!(states(tenant, &id).await, [state("sent", None), state("sent", None)]);

    let text = server.texts().pop().expect("a mail");
    let mail = MessageParser::default().parse(text.as_bytes()).expect("a mail");
    assert_eq!(mail.to().and_then(|to| to.first()).and_then(|to| to.address()), Some(email.as_str()));
    let (plain, html) = (mail.body_text(0).expect("a text"), mail.body_html(0).expect("a page"));
    assert!(plain.contains("Service with Ada, "), "{plain}");
    assert!(plain.contains("https://pages.example.com/manage-appointment#token="), "{plain}");
    assert!(html.contains("View the appointment"), "{html}");
    let is_calendar = |kind: &mail_parser::ContentType<'_>| kind.subtype() == Some("calendar");
    assert!(!mail.parts.iter().any(|part| part.content_type().is_some_and(is_calendar)), "{text}");
    let counted = "select coalesce(sum(emails), 0)::bigint from tenancy.usage_days where tenant_id = $1";
    let counted = system().superuser().await.query_one(counted, &[&tenant.id]).await.expect("a sum");
    assert_eq!(counted.get::<_, i64>(0), 3);
}

#[tokio::test]
async fn job_that_comes_early_waits() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let id = fixture.book(START).await;
    let server = MailServer::start([]).await;
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    let early = "update messaging.jobs set state = 'ready', run_at = now() where tenant_id = $1";
    system().superuser().await.execute(early, &[&fixture.tenant.id]).await.expect("jobs");
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    assert_eq!(states(&fixture.tenant, &id).await, [state("queued", None)]);
    assert_eq!(reminders(&server), 0);
}

#[tokio::test]
async fn moved_appointment_is_reminded_at_its_new_time_alone() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [1440] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    let id = fixture.book(START).await;
    // Away, back, and away again: each time is planned once.
    for start in ["2031-05-06T09:00:00Z", START, "2031-05-06T09:00:00Z"] {
        tell().await;
        fixture.act(&id, "reschedule", json!({ "starts_at": start })).await.expect(200);
    }
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("queued", None), state("queued", None)]);
    // A day before the old time, then before the new one.
    until(&fixture, &id, 2 * 1440 - 1).await;
    tell().await;
    assert_eq!(
        (reminders(&server), states(tenant, &id).await),
        (0, vec![state("skipped", Some("stale")), state("queued", None)])
    );
    until(&fixture, &id, 1430).await;
    tell().await;
    assert_eq!(
        (reminders(&server), states(tenant, &id).await),
        (1, vec![state("skipped", Some("stale")), state("sent", None)])
    );
}

#[tokio::test]
async fn cancelled_requested_and_begun_appointments_are_not_reminded() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    let cancelled = fixture.book(START).await;
    tell().await;
    fixture.act(&cancelled, "cancel", json!({})).await.expect(200);
    tell().await;
    until(&fixture, &cancelled, 59).await;
    tell().await;
    assert_eq!(states(tenant, &cancelled).await, [state("skipped", Some("stale"))]);

    let begun = fixture.book("2031-05-05T10:00:00Z").await;
    tell().await;
    until(&fixture, &begun, -1).await;
    tell().await;
    assert_eq!(states(tenant, &begun).await, [state("skipped", Some("past"))]);

    let service = format!("/api/v1/services/{}", fixture.service);
    tenant.manager.patch(&service, json!({ "requires_approval": true })).await.expect(200);
    let requested = fixture.book("2031-05-05T11:00:00Z").await;
    tell().await;
    assert_eq!(states(tenant, &requested).await, Vec::<[Value; 2]>::new());
    fixture.act(&requested, "confirm", json!({})).await.expect(200);
    tell().await;
    assert_eq!(states(tenant, &requested).await, [state("queued", None)]);
    assert_eq!(reminders(&server), 0);
}

#[tokio::test]
async fn what_is_booked_later_than_a_reminder_would_be_sent_is_not_reminded_so_early() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [120, 30] })).await;
    let id = fixture.book(START).await;
    let later = "update messaging.outbox set occurred_at = '2031-05-05T07:30:00Z' where tenant_id = $1";
    system().superuser().await.execute(later, &[&fixture.tenant.id]).await.expect("events");
    system().publish(fixture.tenant.id).await;
    let due: Vec<_> = planned(&fixture.tenant, &id).await.into_iter().map(|[_, due_at, ..]| due_at).collect();
    assert_eq!(due, ["2031-05-05T08:30:00Z"]);
}

#[tokio::test]
async fn after_a_standstill_the_latest_reminder_is_sent_alone() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [1440, 120, 30] })).await;
    let server = MailServer::start([]).await;
    let id = fixture.book(START).await;
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    until(&fixture, &id, 60).await;
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    let expected = [state("skipped", Some("stale")), state("sent", None), state("queued", None)];
    assert_eq!((reminders(&server), states(&fixture.tenant, &id).await), (1, expected.into()));
}

#[tokio::test]
async fn workers_side_by_side_send_each_reminder_once() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [1440] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let mut ids = Vec::new();
    for hour in 9..12 {
        ids.push(fixture.book(&format!("2031-05-05T{hour:02}:00:00Z")).await);
    }
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    tokio::join!(tell(), tell());
    for (id, minutes) in ids.iter().zip([1439, 1400, 1360]) {
        until(&fixture, id, minutes).await;
    }
    // Each `until` moves all that is planned. Let all of it be due.
    let due = "with planned as (
                   update messaging.messages as m set about_at = a.starts_at, due_at = now()
                   from scheduling.appointments as a
                   where m.tenant_id = $1 and m.due_at is not null and a.tenant_id = $1 and a.id = m.subject_id
               )
               update messaging.jobs set state = 'ready', run_at = now() where tenant_id = $1";
    system().superuser().await.execute(due, &[&tenant.id]).await.expect("jobs");
    tokio::join!(tell(), tell(), tell());
    // A job that a busy machine has put off is done in a later round.
    for id in &ids {
        eventually(async || {
            tell().await;
            (states(tenant, id).await == [state("sent", None)]).then_some(())
        })
        .await;
    }
    assert_eq!((reminders(&server), server.texts().len()), (3, 6));

    // What decides is a constraint.
    let again = "insert into messaging.messages (
                     tenant_id, event_id, event, subject_id, sequence, recipient, recipient_id, channel, about_at,
                     ahead_minutes, due_at, occurred_at
                 )
                 select
                     tenant_id, gen_random_uuid(), event, subject_id, sequence, recipient, recipient_id, channel,
                     about_at, ahead_minutes, due_at, occurred_at
                 from messaging.messages where tenant_id = $1 and due_at is not null";
    let refused = system().superuser().await.execute(again, &[&tenant.id]).await.expect_err("a second one");
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("messages_timed_once"));
}

#[tokio::test]
async fn reminder_that_may_have_been_sent_is_not_sent_again() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let quiet = MailServer::start([]).await;
    let id = fixture.book(START).await;
    system().tell_by(fixture.tenant.id, &quiet.mailer).await;
    until(&fixture, &id, 59).await;
    let server = MailServer::start([Behaviour::CloseAfterText]).await;
    for _ in 0..3 {
        system().tell_by(fixture.tenant.id, &server.mailer).await;
        let wake = "update messaging.jobs set state = 'ready', run_at = now() where tenant_id = $1";
        system().superuser().await.execute(wake, &[&fixture.tenant.id]).await.expect("jobs");
    }
    assert_eq!((server.texts().len(), states(&fixture.tenant, &id).await), (1, vec![state("unknown", None)]));
}

#[tokio::test]
async fn service_says_otherwise_and_what_is_switched_off_or_cannot_be_sent_is_skipped() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    let service = format!("/api/v1/services/{}", fixture.service);
    let contact = format!("/api/v1/contacts/{}", fixture.contact);
    let change = async |minutes: Value| {
        tenant.manager.patch(&service, json!({ "reminder_minutes": minutes })).await.expect(200)
    };
    assert_eq!(change(json!([90, 10])).await["reminder_minutes"], json!([90, 10]));
    let id = fixture.book(START).await;
    tell().await;
    assert_eq!(states(tenant, &id).await.len(), 2);
    assert_eq!(change(json!([10])).await["reminder_minutes"], json!([10]));
    until(&fixture, &id, 89).await;
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("skipped", Some("switched_off")), state("queued", None)]);
    tenant.staff.patch(&contact, json!({ "email": null })).await.expect(200);
    until(&fixture, &id, 9).await;
    tell().await;
    assert_eq!(states(tenant, &id).await[1], state("skipped", Some("no_address")));
    tenant.staff.patch(&contact, json!({ "email": address() })).await.expect(200);

    // Never, as the organization says, and not at all.
    change(json!([])).await;
    let never = fixture.book("2031-05-05T10:00:00Z").await;
    tell().await;
    assert_eq!(states(tenant, &never).await, Vec::<[Value; 2]>::new());
    assert_eq!(change(json!(null)).await.get("reminder_minutes"), None);
    let default = fixture.book("2031-05-05T11:00:00Z").await;
    tell().await;
    assert_eq!(states(tenant, &default).await, [state("queued", None)]);
    tenant.admin.patch(SETTINGS, json!({ "notifications": { "email": false } })).await.expect(200);
    until(&fixture, &default, 59).await;
    tell().await;
    assert_eq!(states(tenant, &default).await, [state("skipped", Some("switched_off"))]);
    let off = fixture.book("2031-05-05T12:00:00Z").await;
    tell().await;
    assert_eq!(states(tenant, &off).await, Vec::<[Value; 2]>::new());
    assert_eq!(reminders(&server), 0);
}

#[tokio::test]
async fn another_contact_is_reminded_instead() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let id = fixture.book(START).await;
    system().tell_by(tenant.id, &server.mailer).await;
    let (other, email) = (tenant.contact().await, address());
    tenant.staff.patch(&format!("/api/v1/contacts/{other}"), json!({ "email": email })).await.expect(200);
    let changes = json!({ "contact_id": other });
    tenant.staff.patch(&format!("{APPOINTMENTS}/{id}"), changes).await.expect(200);
    system().tell_by(tenant.id, &server.mailer).await;
    until(&fixture, &id, 59).await;
    system().tell_by(tenant.id, &server.mailer).await;
    let mut found = states(tenant, &id).await;
    found.sort_by_key(|[state, _]| state.to_string());
    assert_eq!(found, [state("sent", None), state("skipped", Some("stale"))]);
    let last = server.texts().pop().expect("a mail");
    assert!(last.contains(&email), "{last}");
}

#[tokio::test]
async fn times_of_reminders_have_bounds_and_are_set_by_those_who_may() {
    let tenant = Tenant::new().await;
    let settings = tenant.viewer.get(SETTINGS).await.expect(200);
    assert_eq!(settings["notifications"]["reminder_minutes"], json!([]));
    assert_eq!(settings["notifications"].get("thanks_after_minutes"), None);
    for (notifications, field, code) in [
        (json!({ "reminder_minutes": [4] }), "notifications.reminder_minutes[0]", "out_of_range"),
        (json!({ "reminder_minutes": [60, 43_201] }), "notifications.reminder_minutes[1]", "out_of_range"),
        (json!({ "reminder_minutes": [5, 6, 7, 8, 9, 10] }), "notifications.reminder_minutes", "too_many"),
        (json!({ "reminder_minutes": ["60"] }), "notifications.reminder_minutes[0]", "invalid_type"),
        (json!({ "thanks_after_minutes": -1 }), "notifications.thanks_after_minutes", "out_of_range"),
        (json!({ "thanks_after_minutes": 43_201 }), "notifications.thanks_after_minutes", "out_of_range"),
        (json!({ "review_url": "http://reviews.example.com" }), "notifications.review_url", "invalid_value"),
        (json!({ "review_url": "javascript:alert(1)" }), "notifications.review_url", "invalid_value"),
    ] {
        tenant.admin.patch(SETTINGS, json!({ "notifications": notifications })).await.invalid(field, code);
    }
    let all = json!({
        "reminder_minutes": [43_200, 5], "thanks_after_minutes": 0, "review_url": "https://reviews.example.com/",
    });
    let set = tenant.admin.patch(SETTINGS, json!({ "notifications": all })).await.expect(200);
    for field in ["reminder_minutes", "thanks_after_minutes", "review_url"] {
        assert_eq!(set["notifications"][field], all[field]);
    }
    let none = json!({ "thanks_after_minutes": null, "review_url": null });
    let set = tenant.admin.patch(SETTINGS, json!({ "notifications": none })).await.expect(200);
    assert_eq!(set["notifications"].as_object().expect("an object").len(), 4, "{set}");
    tenant.manager.patch(SETTINGS, json!({ "notifications": none })).await.refused(403, "role_too_low");
    let unverify = "update identity.accounts set email_verified_at = null where id = $1";
    system().superuser().await.execute(unverify, &[&tenant.admin.account]).await.expect("an account");
    tenant.admin.patch(SETTINGS, json!({ "notifications": none })).await.expect(200);
    tenant.admin.patch(SETTINGS, json!({ "notifications": all })).await.refused(403, "email_not_verified");

    let service = tenant
        .service_with(json!({ "name": "Service", "duration_minutes": 30, "reminder_minutes": [10] }))
        .await;
    let service = format!("/api/v1/services/{service}");
    assert_eq!(tenant.viewer.get(&service).await.expect(200)["reminder_minutes"], json!([10]));
    for (minutes, field, code) in [
        (json!([4]), "reminder_minutes[0]", "out_of_range"),
        (json!([10, 43_201]), "reminder_minutes[1]", "out_of_range"),
        (json!([5, 6, 7, 8, 9, 10]), "reminder_minutes", "too_many"),
    ] {
        let changes = json!({ "reminder_minutes": minutes });
        tenant.manager.patch(&service, changes.clone()).await.invalid(field, code);
        let new = json!({ "name": "Service", "duration_minutes": 30, "reminder_minutes": minutes });
        tenant.manager.post("/api/v1/services", new).await.invalid(field, code);
    }
    tenant.staff.patch(&service, json!({ "reminder_minutes": [] })).await.refused(403, "role_too_low");
    Tenant::new()
        .await
        .manager
        .patch(&service, json!({ "reminder_minutes": [] }))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn planned_messages_are_kept_until_they_are_due() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [60] })).await;
    let tenant = &fixture.tenant;
    let id = fixture.book(START).await;
    system().tell(tenant.id).await;
    let before = Utc::now() + TimeDelta::days(1);
    appointd::messaging::messages::forget(&system().worker(), tenant.id, before).await.expect("a deletion");
    let page = tenant.staff.get(&format!("/api/v1/messages?subject_id={id}")).await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(states(tenant, &id).await, [state("queued", None)]);
    let other = Tenant::new().await;
    let page = other.owner.get(&format!("/api/v1/messages?subject_id={id}")).await.expect(200);
    assert_eq!(page["items"], json!([]));
}
