//! Messages that are planned: reminders of appointments and thanks after them; and time that passes until they are due.

use chrono::{DateTime, TimeDelta, Utc};
use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::{Tenant, address, booking::BookingFixture, mail_server::MailServer, system};

pub const SETTINGS: &str = "/api/v1/organizations/me/settings";

/// A fixture whose contact has an address, with these settings for notifications.
pub async fn fixture(notifications: Value) -> (BookingFixture, String) {
    let (fixture, email) = (BookingFixture::new().await, address());
    let contact = format!("/api/v1/contacts/{}", fixture.contact);
    fixture.tenant.staff.patch(&contact, json!({ "email": email })).await.expect(200);
    let settings = json!({ "notifications": notifications });
    fixture.tenant.admin.patch(SETTINGS, settings).await.expect(200);
    (fixture, email)
}

/// The planned messages about an appointment, in the order in which they are due: what it is, when it is due, its
/// state and reason.
pub async fn planned(tenant: &Tenant, appointment: &str) -> Vec<[Value; 4]> {
    let page = tenant.staff.get(&format!("/api/v1/messages?subject_id={appointment}")).await.expect(200);
    let mut items = page["items"].as_array().expect("items").clone();
    items.retain(|item| item.get("due_at").is_some());
    items.sort_by_key(|item| (item["due_at"].to_string(), item["created_at"].to_string()));
    items.iter().map(|item| ["event", "due_at", "state", "reason"].map(|field| item[field].clone())).collect()
}

/// The states and reasons alone.
pub async fn states(tenant: &Tenant, appointment: &str) -> Vec<[Value; 2]> {
    planned(tenant, appointment).await.into_iter().map(|[_, _, state, reason]| [state, reason]).collect()
}

pub fn state(state: &str, reason: Option<&str>) -> [Value; 2] {
    [json!(state), json!(reason)]
}

/// Lets time pass until so many minutes before the start of an appointment: it comes nearer, with all that is planned.
pub async fn until(fixture: &BookingFixture, appointment: &str, minutes: i64) {
    let tenant = fixture.tenant.id;
    system().publish(tenant).await;
    let starts_at = fixture.get(appointment).await["starts_at"].as_str().map(str::parse::<DateTime<Utc>>);
    let starts_at = starts_at.expect("a start").expect("a time");
    let now: DateTime<Utc> = system()
        .superuser()
        .await
        .query_one("select date_trunc('second', now())", &[])
        .await
        .expect("a time")
        .get(0);
    let passed = starts_at - TimeDelta::minutes(minutes) - now;
    fixture.shift(appointment, starts_at - passed).await;
    let seconds = passed.num_seconds();
    let sql = format!(
        "update messaging.messages
         set
             about_at = about_at - interval '{seconds} seconds', due_at = due_at - interval '{seconds} seconds',
             occurred_at = occurred_at - interval '{seconds} seconds'
         where tenant_id = '{tenant}' and due_at is not null;
         update messaging.jobs set run_at = run_at - interval '{seconds} seconds' where tenant_id = '{tenant}';
         update messaging.jobs set state = 'ready'
         where tenant_id = '{tenant}' and state = 'scheduled' and run_at <= now();
         -- That the appointment came nearer is no event.
         delete from messaging.outbox where tenant_id = '{tenant}';"
    );
    system().superuser().await.batch_execute(&sql).await.expect("another time");
}

/// The subjects of the mails that a server has taken.
pub fn subjects(server: &MailServer) -> Vec<String> {
    let subject = |text: &String| {
        let mail = MessageParser::default().parse(text.as_bytes()).expect("a mail");
        mail.subject().expect("a subject").to_owned()
    };
    server.texts().iter().map(subject).collect()
}
