//! Calendars, read by a parser that is not ours.

use calcard::{
    Entry, Parser,
    icalendar::{ICalendar, ICalendarComponentType, ICalendarProperty, ICalendarValue},
};
use serde_json::json;

use super::lifecycle::Shop;
use crate::harness::Actor;

/// UID, SEQUENCE, STATUS, DTSTART, DTEND, SUMMARY of each event.
fn events(text: &str) -> Vec<[String; 6]> {
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
async fn a_feed_shows_what_is_booked_until_it_is_revoked() {
    let shop = Shop::new().await;
    let second = shop.tenant.provider().await;
    // Within the 400 days a feed shows.
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(30)).date_naive();
    let at = |time: &str| format!("{day}T{time}Z");
    let id = shop.book(&at("09:00:00")).await;
    let feed = async |body| {
        let made = shop.tenant.staff.post("/api/v1/calendar-feeds", body).await.expect(201);
        (made["id"].as_str().expect("an id").to_owned(), made["path"].as_str().expect("a path").to_owned())
    };
    let booked = shop.get(&id).await["provider_id"].as_str().expect("an id").to_owned();
    let other = if booked == second { shop.provider.clone() } else { second };
    let (all_id, all) = feed(json!({ "name": "All; of, it" })).await;
    let (_, own) = feed(json!({ "name": "Own", "provider_id": booked })).await;
    let (_, empty) = feed(json!({ "name": "Empty", "provider_id": other })).await;
    let nobody = Actor::nobody();
    let answer = nobody.get(&all).await;
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
    assert_eq!(events(&nobody.get(&own).await.text).len(), 1);
    assert_eq!(events(&nobody.get(&empty).await.text).len(), 0);

    // The same entry, with a number that rises.
    let moved = json!({ "starts_at": at("10:00:00") });
    shop.act(&id, "reschedule", moved).await.expect(200);
    let [again, sequence, ..] = events(&nobody.get(&all).await.text).pop().expect("an event");
    assert_eq!((again, sequence.as_str()), (uid.clone(), "1"));
    shop.act(&id, "cancel", json!({})).await.expect(200);
    let [again, sequence, status, ..] = events(&nobody.get(&all).await.text).pop().expect("an event");
    assert_eq!((again, sequence.as_str(), status.as_str()), (uid, "2", "CANCELLED"));
    let file = shop.tenant.viewer.get(&format!("/api/v1/appointments/{id}/calendar.ics")).await;
    assert_eq!(events(&file.text).len(), 1);

    let listed = shop.tenant.staff.get("/api/v1/calendar-feeds").await;
    assert!(!listed.text.contains("appointd_calendar_"), "shown once");
    shop.tenant.staff.delete(&format!("/api/v1/calendar-feeds/{all_id}")).await.expect(204);
    nobody.get(&all).await.refused(404, "not_found");
    nobody.get("/api/v1/calendar.ics?token=x").await.invalid("token", "invalid_value");
    let foreign = json!({ "name": "X", "provider_id": shop.contact });
    shop.tenant.staff.post("/api/v1/calendar-feeds", foreign).await.invalid("provider_id", "not_found");
}

#[tokio::test]
async fn a_feed_ends_with_whoever_made_it() {
    let shop = Shop::new().await;
    let made = shop.tenant.staff.post("/api/v1/calendar-feeds", json!({ "name": "Mine" })).await.expect(201);
    let path = made["path"].as_str().expect("a path");
    assert_eq!(Actor::nobody().get(path).await.status, 200);
    let suspend = format!("/api/v1/members/{}/suspend", shop.tenant.staff.account);
    shop.tenant.owner.post(&suspend, json!({})).await.expect(200);
    Actor::nobody().get(path).await.refused(404, "not_found");
}
