//! Hours: over midnight, by season, on travels; and that working with them takes steps as there are intervals.

use std::time::Instant;

use appointd::scheduling::hours::working_hours::{Interval, Open};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use crate::harness::{
    Tenant, merged,
    rules::{book, bookable, service_with_rules, slots},
};

#[tokio::test]
async fn hours_over_midnight_reach_into_a_closed_day() {
    let tenant = Tenant::new().await;
    let service =
        tenant.service_with(json!({ "name": "Call", "duration_minutes": 60, "slot_step_minutes": 60 })).await;
    tenant
        .provider_with(json!({
            "time_zone": "Europe/Berlin",
            "rules": [
                { "weekday": "friday", "from": "22:00", "to": "02:00" },
                { "weekday": "saturday", "from": "22:00", "to": "24:00" },
                { "weekday": "sunday", "from": "00:00", "to": "01:00" },
            ],
            "overrides": [{ "date": "2031-05-10", "intervals": [] }],
        }))
        .await;
    // Friday the 2nd, Saturday the 3rd: the second hour of a start at 23:30 would be Sunday's.
    let listed = slots(&tenant, &service, "from=2031-05-02&to=2031-05-05&time_zone=Europe/Berlin").await;
    assert_eq!(
        bookable(&listed),
        [
            "2031-05-02T20:00:00Z",
            "2031-05-02T21:00:00Z",
            "2031-05-02T22:00:00Z",
            "2031-05-02T23:00:00Z",
            "2031-05-03T20:00:00Z",
            "2031-05-03T21:00:00Z",
            "2031-05-03T22:00:00Z",
        ]
    );
    // Closed on Saturday the 10th: Friday's hours, which reach into it, stay.
    let closed = slots(&tenant, &service, "from=2031-05-10&to=2031-05-11&time_zone=Europe/Berlin").await;
    assert_eq!(bookable(&closed), ["2031-05-09T22:00:00Z", "2031-05-09T23:00:00Z"]);
}

#[tokio::test]
async fn hours_follow_seasons_and_travels() {
    let tenant = Tenant::new().await;
    let provider = tenant
        .provider_with(json!({
            "time_zone": "Europe/Berlin",
            "rules": [
                { "weekday": "monday", "from": "09:00", "to": "10:00", "valid_until": "2031-05-11" },
                { "weekday": "monday", "from": "14:00", "to": "15:00", "valid_from": "2031-05-12" },
            ],
            "travels": [{ "starts_on": "2031-05-19", "ends_on": "2031-05-25", "time_zone": "Asia/Tokyo" }],
        }))
        .await;
    let contact = tenant.contact().await;
    let any = service_with_rules(&tenant, json!({ "slot_step_minutes": 60, "duration_minutes": 60 })).await;
    let listed = slots(&tenant, &any, "from=2031-05-05&to=2031-05-28&time_zone=Europe/Berlin").await;
    assert_eq!(
        bookable(&listed),
        ["2031-05-05T07:00:00Z", "2031-05-12T12:00:00Z", "2031-05-19T05:00:00Z", "2031-05-26T12:00:00Z"]
    );
    assert_eq!(listed[0]["local_starts_at"], "2031-05-05T09:00:00+02:00");
    book(&tenant, &any, &contact, "2031-05-19T05:00:00Z").await.expect(201);
    let path = format!("/api/v1/providers/{provider}/schedule");
    for (wrong, field, code) in [
        (
            json!({ "travels": [{ "starts_on": "2031-05-02", "ends_on": "2031-05-01", "time_zone": "UTC" }] }),
            "travels[0].ends_on",
            "invalid_value",
        ),
        (
            json!({ "travels": [{ "starts_on": "2031-05-02", "ends_on": "2031-05-03", "time_zone": "Mars/Olympus" }] }),
            "travels[0].time_zone",
            "unknown_time_zone",
        ),
        (
            json!({ "travels": [
                { "starts_on": "2031-05-02", "ends_on": "2031-05-03", "time_zone": "UTC" },
                { "starts_on": "2031-05-03", "ends_on": "2031-05-04", "time_zone": "UTC" },
            ] }),
            "travels[1]",
            "overlapping",
        ),
        (
            json!({ "rules": [{ "weekday": "monday", "from": "09:00", "to": "10:00", "valid_from": "2031-05-02", "valid_until": "2031-05-01" }] }),
            "rules[0].valid_until",
            "invalid_value",
        ),
    ] {
        let body = merged(json!({ "time_zone": "UTC", "rules": [] }), &wrong);
        tenant.manager.put(&path, body).await.invalid(field, code);
    }
}

pub fn minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 / 60 * 60 + minute * 60, 0).expect("an instant")
}

pub fn interval(from: i64, to: i64) -> Interval {
    Interval { starts_at: minute(from), ends_at: minute(to) }
}

/// How much longer 16 times as much takes: 16 where the steps are as the entries, 256 where they are as the pairs.
pub fn growth(work: impl Fn(i64) -> Box<dyn FnOnce()>) -> f64 {
    let time = |size: i64| -> f64 {
        // The shortest of several is the one that others got in the way of least.
        let times = (0..5).map(|_| {
            let work = work(size);
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        });
        times.fold(f64::INFINITY, f64::min)
    };
    time(16_000) / time(1000)
}

#[test]
fn open_hours_are_computed_in_linear_steps() {
    let growth = growth(|size| {
        let intervals: Vec<_> = (0..size).map(|n| interval(n * 4, n * 4 + 3)).collect();
        let away: Vec<_> = (0..size).map(|n| interval(n * 4 + 1, n * 4 + 2)).collect();
        Box::new(move || {
            let open = Open::new(intervals, away);
            assert!(open.fits(minute(0), minute(1)) && !open.fits(minute(1), minute(2)));
        })
    });
    assert!(growth < 80.0, "{growth}");
}

/// What [`Open`] says, minute by minute.
fn open_minutes(intervals: &[(i64, i64)], away: &[(i64, i64)]) -> Vec<bool> {
    let within =
        |minute: i64, spans: &[(i64, i64)]| spans.iter().any(|(from, to)| (*from..*to).contains(&minute));
    (0..120).map(|minute| within(minute, intervals) && !within(minute, away)).collect()
}

proptest! {
    #[test]
    fn open_hours_are_intervals_without_absences(
        mut intervals in prop::collection::vec((0i64..100, 1i64..20), 0..12),
        away in prop::collection::vec((0i64..100, 1i64..20), 0..12),
    ) {
        intervals.sort_unstable();
        let spans = |spans: &[(i64, i64)]| spans.iter().map(|(from, length)| (*from, from + length)).collect::<Vec<_>>();
        let (intervals, away) = (spans(&intervals), spans(&away));
        let expected = open_minutes(&intervals, &away);
        let of = |spans: &[(i64, i64)]| spans.iter().map(|(from, to)| interval(*from, *to)).collect::<Vec<_>>();
        let mut in_order = of(&intervals);
        in_order.sort();
        let open = Open::new(in_order.clone(), of(&away));
        for from in 0..119 {
            for to in from + 1..120 {
                let fits = expected[from as usize..to as usize].iter().all(|open| *open);
                prop_assert_eq!(open.fits(minute(from), minute(to)), fits, "{} to {}", from, to);
            }
            let mut around: Vec<_> = open.around(minute(from)).collect();
            around.sort();
            let contains = |interval: &&Interval| interval.starts_at <= minute(from) && minute(from) < interval.ends_at;
            prop_assert_eq!(around, in_order.iter().filter(contains).copied().collect::<Vec<_>>());
            let reaching: Vec<_> = open.reaching(minute(from), minute(from + 7)).collect();
            let reaches = |interval: &&Interval| interval.starts_at < minute(from + 7) && minute(from) < interval.ends_at;
            prop_assert_eq!(reaching, in_order.iter().filter(reaches).copied().collect::<Vec<_>>());
        }
    }
}
