//! Calendars, read by a parser that is not ours.

use calcard::{
    Entry, Parser,
    icalendar::{ICalendar, ICalendarComponentType, ICalendarProperty, ICalendarValue},
};
use serde_json::json;

use crate::harness::{Actor, Tenant, booking::BookingFixture};

/// UID, SEQUENCE, STATUS, DTSTART, DTEND, SUMMARY of each event.
pub fn events(text: &str) -> Vec<[String; 6]> {
    let mut parser = Parser::new(text);
    let Entry::ICalendar(calendar) = parser.entry() else {
        panic!("no calendar: {text}");
    };
    read(&calendar)
}

fn read(calendar: &ICalendar) -> Vec<[String; 6]> {
    calendar
        .components
        .iter()
        .filter(|component| component.component_type == ICalendarComponentType::VEvent)
        .map(|event| {
            let value = |property: ICalendarProperty| {
                let entry = event.property(&property).expect("the property");
                match entry.values.first().expect("a value") {
                    ICalendarValue::Text(text) => text.clone(),
                    ICalendarValue::Integer(number) => number.to_string(),
                    ICalendarValue::PartialDateTime(time) => {
                        let instant = time.to_date_time().expect("an instant");
                        format!("{}{:?}", instant.date_time, instant.offset.map(|offset| offset.to_string()))
                    }
                    ICalendarValue::Status(status) => format!("{status:?}").to_uppercase(),
                    other => format!("{other:?}"),
                }
            };
            [
                value(ICalendarProperty::Uid),
                value(ICalendarProperty::Sequence),
                value(ICalendarProperty::Status),
                value(ICalendarProperty::Dtstart),
                value(ICalendarProperty::Dtend),
                value(ICalendarProperty::Summary),
            ]
        })
        .collect()
}

#[tokio::test]
async fn feed_shows_appointments_until_it_is_revoked() {
    let fixture = BookingFixture::new().await;
    let second = fixture.tenant.provider().await;
    // Within the 400 days a feed shows.
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(30)).date_naive();
    let at = |time: &str| format!("{day}T{time}Z");
    let id = fixture.book(&at("09:00:00")).await;
    let feed = async |body| {
        let made = fixture.tenant.staff.post("/api/v1/calendar-feeds", body).await.expect(201);
        (made["id"].as_str().expect("an id").to_owned(), made["path"].as_str().expect("a path").to_owned())
    };
    let booked = fixture.get(&id).await["provider_id"].as_str().expect("an id").to_owned();
    let other = if booked == second { fixture.provider.clone() } else { second };
    let (all_id, all) = feed(json!({ "name": "All; of, it" })).await;
    let (_, own) = feed(json!({ "name": "Own", "provider_id": booked })).await;
    let (_, empty) = feed(json!({ "name": "Empty", "provider_id": other })).await;
    let anonymous = Actor::anonymous();
    let answer = anonymous.get(&all).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/calendar; charset=utf-8"));
    assert!(
        answer.text.contains("\r\n") && answer.text.lines().all(|line| line.len() <= 75),
        "{}",
        answer.text
    );
    let [uid, sequence, status, start, end, summary] = events(&answer.text).pop().expect("an event");
    assert_eq!(
        (uid.as_str(), sequence.as_str(), status.as_str()),
        (format!("{id}@appointd").as_str(), "0", "CONFIRMED")
    );
    assert!(
        start.starts_with(&format!("{day} 09:00:00")) && end.starts_with(&format!("{day} 09:30:00")),
        "{start} {end}"
    );
    assert_eq!(summary, "Service: Grace Hopper");
    assert_eq!(events(&anonymous.get(&own).await.text).len(), 1);
    assert_eq!(events(&anonymous.get(&empty).await.text).len(), 0);

    // The same entry, with a number that rises.
    let moved = json!({ "starts_at": at("10:00:00") });
    fixture.act(&id, "reschedule", moved).await.expect(200);
    let [again, sequence, ..] = events(&anonymous.get(&all).await.text).pop().expect("an event");
    assert_eq!((again, sequence.as_str()), (uid.clone(), "1"));
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    let [again, sequence, status, ..] = events(&anonymous.get(&all).await.text).pop().expect("an event");
    assert_eq!((again, sequence.as_str(), status.as_str()), (uid, "2", "CANCELLED"));
    let file = fixture.tenant.viewer.get(&format!("/api/v1/appointments/{id}/calendar.ics")).await;
    assert_eq!(events(&file.text).len(), 1);

    let listed = fixture.tenant.staff.get("/api/v1/calendar-feeds").await;
    assert!(!listed.text.contains("appointd_calendar_"), "shown once");
    fixture.tenant.staff.delete(&format!("/api/v1/calendar-feeds/{all_id}")).await.expect(204);
    anonymous.get(&all).await.refused(404, "not_found");
    anonymous.get("/api/v1/calendar.ics?token=x").await.invalid("token", "invalid_value");
    let foreign = json!({ "name": "X", "provider_id": fixture.contact });
    fixture.tenant.staff.post("/api/v1/calendar-feeds", foreign).await.invalid("provider_id", "not_found");
}

#[tokio::test]
async fn feed_of_a_suspended_member_is_not_found() {
    let fixture = BookingFixture::new().await;
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "Mine" })).await.expect(201);
    let path = made["path"].as_str().expect("a path");
    assert_eq!(Actor::anonymous().get(path).await.status, 200);
    let suspend = format!("/api/v1/members/{}/suspend", fixture.tenant.staff.account);
    fixture.tenant.owner.post(&suspend, json!({})).await.expect(200);
    Actor::anonymous().get(path).await.refused(404, "not_found");
}

/// A property of the calendar itself or of its first event, as the parser understands it.
fn property(text: &str, of: &ICalendarComponentType, name: &str) -> String {
    let Entry::ICalendar(calendar) = Parser::new(text).entry() else {
        panic!("no calendar: {text}");
    };
    let component = calendar.components.iter().find(|component| component.component_type == *of);
    let entry = component.expect("a component").entries.iter().find(|entry| entry.name.as_str() == name);
    let values = &entry.unwrap_or_else(|| panic!("no {name}: {text}")).values;
    assert_eq!(values.len(), 1, "{name} is one value: {text}");
    match &values[0] {
        ICalendarValue::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn texts_of_a_feed_are_escaped() {
    let nasty = "Smith, Jones; \\ \"and\" : sons\\n";
    let fixture = BookingFixture::with(json!({ "name": nasty })).await;
    let path = format!("/api/v1/providers/{}", fixture.provider);
    fixture.tenant.admin.patch(&path, json!({ "name": nasty })).await.expect(200);
    let path = format!("/api/v1/contacts/{}", fixture.contact);
    let name = json!({ "first_name": nasty, "last_name": "O, X" });
    fixture.tenant.staff.patch(&path, name).await.expect(200);
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(30)).date_naive();
    let id = fixture.book(&format!("{day}T09:00:00Z")).await;
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": nasty })).await.expect(201);
    let text = Actor::anonymous().get(made["path"].as_str().expect("a path")).await.text;
    let (calendar, event) = (ICalendarComponentType::VCalendar, ICalendarComponentType::VEvent);
    assert_eq!(property(&text, &calendar, "NAME"), nasty);
    assert_eq!(property(&text, &calendar, "X-WR-CALNAME"), nasty);
    assert_eq!(property(&text, &event, "SUMMARY"), format!("{nasty}: {nasty} O, X"));
    assert_eq!(property(&text, &event, "DESCRIPTION"), format!("With {nasty}"));
    assert!(text.contains("\r\nREFRESH-INTERVAL;VALUE=DURATION:PT15M\r\n"), "{text}");
    assert!(text.contains("\r\nX-PUBLISHED-TTL:PT15M\r\n"), "{text}");
    // A cancelled entry is not shown as busy.
    assert!(text.contains("\r\nTRANSP:OPAQUE\r\n"), "{text}");
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    let text = Actor::anonymous().get(made["path"].as_str().expect("a path")).await.text;
    assert!(
        text.contains("\r\nTRANSP:TRANSPARENT\r\n") && text.contains("\r\nSTATUS:CANCELLED\r\n"),
        "{text}"
    );
}

/// LAST-MODIFIED and SEQUENCE of the only event.
fn age(text: &str) -> (String, u32) {
    let line = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.next().unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
    };
    assert_eq!(line("LAST-MODIFIED"), line("DTSTAMP"));
    (line("LAST-MODIFIED"), line("SEQUENCE").parse().expect("a number"))
}

#[tokio::test]
async fn changed_name_makes_its_entry_newer() {
    let fixture = BookingFixture::new().await;
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(30)).date_naive();
    let id = fixture.book(&format!("{day}T09:00:00Z")).await;
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let feed = made["path"].as_str().expect("a path").to_owned();
    let read = async || Actor::anonymous().get(&feed).await;
    let superuser = crate::harness::system().superuser().await;
    let tenant = fixture.tenant.id;
    for (path, change, sequence) in [
        (format!("/api/v1/contacts/{}", fixture.contact), json!({ "last_name": "Murray" }), 1),
        (format!("/api/v1/services/{}", fixture.service), json!({ "name": "Another" }), 1),
        (format!("/api/v1/providers/{}", fixture.provider), json!({ "name": "Another" }), 0),
    ] {
        // As if it were long ago: instants of entries have whole seconds.
        for sql in [
            "update scheduling.appointments set updated_at = now() - interval '1 hour' where tenant_id = $1",
            "update crm.contacts set renamed_at = now() - interval '1 hour' where tenant_id = $1 and renamed_at is not null",
            "update scheduling.services set renamed_at = now() - interval '1 hour' where tenant_id = $1 and renamed_at is not null",
        ] {
            superuser.execute(sql, &[&tenant]).await.expect("a change");
        }
        let actor = &fixture.tenant.admin;
        let before = read().await;
        // What is not shown changes nothing.
        if path.contains("services") {
            actor.patch(&path, json!({ "price_amount": 100, "price_currency": "EUR" })).await.expect(200);
            assert_eq!(read().await.text, before.text);
        }
        actor.patch(&path, change.clone()).await.expect(200);
        let after = read().await;
        let ((old, old_sequence), (new, new_sequence)) = (age(&before.text), age(&after.text));
        assert!(new > old, "{path}: {old} {new}");
        assert_eq!(new_sequence - old_sequence, sequence, "{path}");
        assert_ne!(after.header("etag"), before.header("etag"));
        // Saying the same again changes nothing.
        actor.patch(&path, change).await.expect(200);
        assert_eq!(read().await.text, after.text);
        let one = fixture.tenant.viewer.get(&format!("/api/v1/appointments/{id}/calendar.ics")).await;
        assert!(age(&one.text).0 >= old);
    }
}

#[tokio::test]
async fn unchanged_calendar_answers_304() {
    let fixture = BookingFixture::new().await;
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(30)).date_naive();
    let id = fixture.book(&format!("{day}T09:00:00Z")).await;
    let made =
        fixture.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "All" })).await.expect(201);
    let feed = made["path"].as_str().expect("a path").to_owned();
    let file = format!("/api/v1/appointments/{id}/calendar.ics");
    for (actor, path) in [(Actor::anonymous(), &feed), (fixture.tenant.viewer.clone(), &file)] {
        let read = async |name: &str, value: &str| {
            actor.send(actor.request(reqwest::Method::GET, path).header(name, value)).await
        };
        let first = actor.get(path).await;
        let (etag, date) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
        assert!(etag.starts_with('"') && date.ends_with(" GMT"), "{etag} {date}");
        let unchanged = read("if-none-match", &etag).await;
        assert_eq!(
            (unchanged.status, unchanged.text.as_str(), unchanged.header("etag")),
            (304, "", etag.as_str())
        );
        assert_eq!(unchanged.header("cache-control"), "private, no-cache");
        assert_eq!(read("if-none-match", "\"other\"").await.status, 200);
        // Just changed: another change of the same second may still be to come.
        assert_eq!(read("if-modified-since", &date).await.status, 200);
        fixture.act(&id, "reschedule", json!({ "starts_at": format!("{day}T10:00:00Z") })).await.expect(200);
        let changed = read("if-none-match", &etag).await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), etag);
        fixture.act(&id, "reschedule", json!({ "starts_at": format!("{day}T09:00:00Z") })).await.expect(200);
    }
}

#[tokio::test]
async fn feed_is_renamed_by_staff() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let feed = format!("/api/v1/calendar-feeds/{}", furnished.calendar_feed);
    let changed = tenant.staff.patch(&feed, json!({ "name": "Renamed" })).await.expect(200);
    assert_eq!(changed["name"], "Renamed");
    assert!(changed["path"].is_null(), "the secret is shown once");
    tenant.staff.patch(&feed, json!({ "name": null })).await.invalid("name", "invalid_type");
    tenant.viewer.patch(&feed, json!({})).await.refused(403, "role_too_low");
}
