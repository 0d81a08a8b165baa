//! How much there may be of what every listing of slots goes through, and that going through it takes steps as it has
//! entries, not as pairs of them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use appointd::{
    http::computing::Deadline,
    scheduling::{
        hours::working_hours::{Interval, Open},
        slots::{
            availability::{Availability, Provider},
            diary::{Diary, Taken},
            listing::{Effort, People, Stopped},
        },
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::oracle::rules;
use crate::harness::{Answer, Tenant, system};

fn outcomes(answers: &[Answer], refusal: &str) -> (usize, usize) {
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused =
        answers.iter().filter(|answer| answer.status == 409 && answer.body["code"] == refusal).count();
    (created, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closures_beyond_366_of_a_year_are_refused_also_when_entered_at_once() {
    let tenant = Tenant::new().await;
    let insert = "insert into scheduling.closures (tenant_id, id, starts_on, ends_on, name)
        select $1, gen_random_uuid(), '2031-06-01', '2031-06-01', 'Closed' from generate_series(1, 365)";
    system().superuser().await.execute(insert, &[&tenant.id]).await.expect("as many as there may be but one");
    let one = |day: &str| json!({ "starts_on": day, "ends_on": day, "name": "Closed" });
    let eight = (0..8).map(|_| tenant.manager.post("/api/v1/closures", one("2031-12-31")));
    assert_eq!(outcomes(&join_all(eight).await, "too_many_closures"), (1, 7));
    tenant.manager.post("/api/v1/closures", one("2032-01-01")).await.expect(201);
    // What another organization has does not count.
    let other = Tenant::new().await;
    other.manager.post("/api/v1/closures", one("2031-12-31")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_off_beyond_366_entries_of_a_year_is_refused_also_when_entered_at_once() {
    let tenant = Tenant::new().await;
    let (provider, colleague) = (tenant.provider().await, tenant.provider().await);
    let id: Uuid = provider.parse().expect("an id");
    let insert = "insert into scheduling.time_off (tenant_id, id, provider_id, starts_at, ends_at)
        select $1, gen_random_uuid(), $2, '2031-06-01T00:00Z', '2031-06-01T00:30Z' from generate_series(1, 365)";
    system()
        .superuser()
        .await
        .execute(insert, &[&tenant.id, &id])
        .await
        .expect("as many as there may be but one");
    let post = async |provider: &str, starts_at: &str, ends_at: &str| {
        let path = format!("/api/v1/providers/{provider}/time-off");
        tenant.staff.post(&path, json!({ "starts_at": starts_at, "ends_at": ends_at })).await
    };
    let eight = (0..8).map(|_| post(&provider, "2031-12-31T23:00:00Z", "2032-01-02T00:00:00Z"));
    assert_eq!(outcomes(&join_all(eight).await, "too_much_time_off"), (1, 7));
    post(&provider, "2032-01-01T00:00:00Z", "2032-01-02T00:00:00Z").await.expect(201);
    post(&colleague, "2031-12-31T23:00:00Z", "2032-01-02T00:00:00Z").await.expect(201);
}

#[tokio::test]
async fn schedule_of_more_than_can_be_gone_through_is_refused() {
    let tenant = Tenant::new().await;
    let provider = tenant.provider().await;
    let path = format!("/api/v1/providers/{provider}/schedule");
    let intervals = |count: i32| -> Vec<_> {
        let time = |minute: i32| format!("{:02}:{:02}", minute / 60, minute % 60);
        (0..count).map(|n| json!({ "from": time(n * 50), "to": time(n * 50 + 40) })).collect()
    };
    let body = |count| json!({ "time_zone": "UTC", "rules": [], "overrides": [{ "date": "2031-05-05", "intervals": intervals(count) }] });
    tenant.manager.put(&path, body(24)).await.expect(200);
    tenant.manager.put(&path, body(25)).await.invalid("overrides[0].intervals", "too_many");
    // Nor by statements that the server does not send.
    let superuser = system().superuser().await;
    let refusal = async |table: &str, columns: &str, values: &str| {
        let insert = format!(
            "insert into scheduling.{table} (tenant_id, provider_id, {columns}) select '{}', '{provider}', {values}",
            tenant.id
        );
        let error = superuser.execute(&insert, &[]).await.expect_err("a refusal");
        error.as_db_error().and_then(|error| error.constraint()).unwrap_or_default().to_owned()
    };
    let many = "array(select n::smallint from generate_series(1, 25) as n)";
    let dates = "date '2032-01-01' + n, '{}', '{}' from generate_series(1, 1001) as n";
    assert_eq!(
        refusal(
            "schedule_overrides",
            "date, from_minutes, to_minutes",
            &format!("'2031-05-06', {many}, {many}")
        )
        .await,
        "schedule_overrides_intervals"
    );
    assert_eq!(
        refusal("schedule_overrides", "date, from_minutes, to_minutes", dates).await,
        "schedule_overrides_too_many"
    );
    let rules = "1, n, n + 1 from generate_series(1, 101) as n";
    assert_eq!(
        refusal("schedule_rules", "weekday, from_minute, to_minute", rules).await,
        "schedule_rules_too_many"
    );
    let travels = "date '2032-01-01' + n, date '2032-01-01' + n, 'UTC' from generate_series(1, 101) as n";
    assert_eq!(
        refusal("schedule_travels", "starts_on, ends_on, time_zone", travels).await,
        "schedule_travels_too_many"
    );
}

fn minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 / 60 * 60 + minute * 60, 0).expect("an instant")
}

fn interval(from: i64, to: i64) -> Interval {
    Interval { starts_at: minute(from), ends_at: minute(to) }
}

/// How much longer 16 times as much takes: 16 where the steps are as the entries, 256 where they are as the pairs.
fn growth(work: impl Fn(i64) -> Box<dyn FnOnce()>) -> f64 {
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
fn open_hours_take_steps_as_there_are_intervals_and_absences() {
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

/// A day that is open all the time, and so many claims before it of the week that limits count.
fn limited(size: i64) -> Availability {
    let week = 7 * 1440;
    let spread = |n: i64| n * week * 60 / size;
    let start = |n: i64| minute(0) + TimeDelta::seconds(spread(n));
    let taken = (0..size).map(|n| Taken {
        during: Interval { starts_at: start(n), ends_at: start(n) + TimeDelta::seconds(30) },
        serves_at: Some(start(n)),
        serves_until: Some(start(n) + TimeDelta::seconds(30)),
        group_key: None,
        seat: 1,
    });
    Availability {
        services: vec![rules(&json!({
            "duration_minutes": 1, "slot_step_minutes": 1, "max_per_week": 1_000_000,
            "counted_starts": (0..size).map(start).collect::<Vec<_>>(),
        }))],
        providers: vec![Provider {
            id: Uuid::nil(),
            active: true,
            open: Open::new(vec![interval(0, week + size / 10)], Vec::new()),
            diary: Diary::new(taken.collect()),
            max_per_day: Some(1_000_000),
            max_per_week: Some(1_000_000),
        }],
        resources: BTreeMap::new(),
        contacts: BTreeMap::new(),
        zone: Tz::Europe__Berlin,
        now: minute(0),
    }
}

#[test]
fn limits_are_counted_in_steps_as_there_are_starts_and_claims() {
    // A tenth as many starts as claims: 1,600 × 16,000 pairs, or 17,600 steps.
    let growth = growth(|size| {
        let availability = limited(size);
        Box::new(move || {
            let (from, to) = (minute(7 * 1440), minute(7 * 1440 + size / 10));
            let slots = availability.slots(from, to, People::default(), Tz::UTC, false).expect("few enough");
            assert_eq!(slots.len(), usize::try_from(size / 10).expect("a size"));
        })
    });
    assert!(growth < 80.0, "{growth}");
}

#[test]
fn computing_slots_stops_where_there_is_no_time_or_too_much_to_look_at() {
    let availability = limited(2000);
    let stopped = |deadline: &Deadline, days: i64| {
        let (from, to) = (minute(0), minute(days * 1440));
        availability.slots_of(from, to, People::default(), Tz::UTC, true, &mut Effort::new(deadline)).err()
    };
    match stopped(&Deadline::after(Duration::ZERO), 1) {
        Some(Stopped::Late(problem)) => assert_eq!(problem.code, "computation_timeout"),
        _ => panic!("it goes on beyond its deadline"),
    }
    assert!(stopped(&Deadline::never(), 1).is_none());
}

/// What [`Open`] says, minute by minute.
fn open_minutes(intervals: &[(i64, i64)], away: &[(i64, i64)]) -> Vec<bool> {
    let within =
        |minute: i64, spans: &[(i64, i64)]| spans.iter().any(|(from, to)| (*from..*to).contains(&minute));
    (0..120).map(|minute| within(minute, intervals) && !within(minute, away)).collect()
}

proptest! {
    #[test]
    fn open_hours_are_the_minutes_of_intervals_without_those_of_absences(
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
