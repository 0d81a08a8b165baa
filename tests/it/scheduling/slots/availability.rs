//! Computing slots takes steps as there are starts and claims, and stops at its deadline.

use std::{collections::BTreeMap, time::Duration};

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
use chrono::TimeDelta;
use chrono_tz::Tz;
use serde_json::json;
use uuid::Uuid;

use crate::harness::rules::completed_rules;
use crate::scheduling::hours::working_hours::{growth, interval, minute};

/// A day that is open all the time, and so many claims before it of the week that limits count.
fn limited(size: i64) -> Availability {
    let week = 7 * 1440;
    let spread = |n: i64| n * week * 60 / size;
    let start = |n: i64| minute(0) + TimeDelta::seconds(spread(n));
    let taken = (0..size).map(|n| Taken {
        during: Interval { starts_at: start(n), ends_at: start(n) + TimeDelta::seconds(30) },
        service_starts_at: Some(start(n)),
        service_ends_at: Some(start(n) + TimeDelta::seconds(30)),
        group_key: None,
        seat: 1,
    });
    Availability {
        services: vec![completed_rules(&json!({
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
fn limits_are_counted_in_linear_steps() {
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
fn computing_slots_stops_at_its_deadline() {
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
