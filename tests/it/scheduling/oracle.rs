//! Slots against an oracle that knows nothing of intervals: it walks the minutes of a period one by one, looks at the
//! clock of the zone, and remembers which minutes are open.

use std::collections::{BTreeMap, BTreeSet};

use appointd::scheduling::{
    hours::{Hours, Interval, Span},
    slots::{Calendar, Grid, Refusal},
};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kolkata,
    Tz::Africa__Cairo,
    Tz::Pacific__Apia,
];

/// Days in whose neighbourhood clocks change somewhere, and one where none do.
const DAYS: [&str; 8] = [
    "2026-03-08",
    "2026-03-29",
    "2026-04-05",
    "2026-04-24",
    "2026-06-10",
    "2026-10-04",
    "2026-10-25",
    "2026-11-01",
];

const DAYS_WALKED: i64 = 6;

#[derive(Clone, Debug)]
struct Case {
    hours: Hours,
    /// Minutes after the beginning of the period: from, to.
    busy: Vec<(i64, i64)>,
    duration: i64,
    step: i64,
    day: NaiveDate,
    /// Minutes after the beginning of the period.
    now: i64,
}

impl Case {
    fn beginning(&self) -> DateTime<Utc> {
        self.day.and_time(chrono::NaiveTime::MIN).and_utc() - TimeDelta::days(3)
    }

    fn minute(&self, minute: i64) -> DateTime<Utc> {
        self.beginning() + TimeDelta::minutes(minute)
    }

    fn calendar(&self) -> Calendar {
        let (from, to) = (self.minute(0), self.minute(DAYS_WALKED * 1440 + 1440));
        let busy = self
            .busy
            .iter()
            .map(|(from, to)| Interval { starts_at: self.minute(*from), ends_at: self.minute(*to) })
            .collect();
        let grid = Grid { duration: TimeDelta::minutes(self.duration), step: TimeDelta::minutes(self.step) };
        Calendar::new(grid, self.minute(self.now), self.hours.intervals(from, to), busy)
    }

    /// What the oracle says of every minute of the period: none where it can be booked.
    fn oracle(&self) -> BTreeMap<i64, Option<Refusal>> {
        // Two days around the period: hours may begin before it, and appointments end after it.
        let walked: Vec<(i64, NaiveDateTime)> = (-2 * 1440..(DAYS_WALKED + 2) * 1440)
            .map(|minute| (minute, self.minute(minute).with_timezone(&self.hours.zone).naive_local()))
            .collect();
        let mut days: BTreeSet<NaiveDate> = walked.iter().map(|(_, wall)| wall.date()).collect();
        // A date the zone skips is a date all the same.
        days.extend(days.clone().into_iter().filter_map(|day| day.succ_opt()));
        let first_at_or_after = |wall: NaiveDateTime| {
            walked.iter().find(|(_, shown)| *shown >= wall).map_or(i64::MAX, |(minute, _)| *minute)
        };
        let mut open: BTreeSet<i64> = BTreeSet::new();
        let mut on_grid: BTreeSet<i64> = BTreeSet::new();
        for day in days {
            let weekday = i16::from(day.weekday().number_from_monday() as u8);
            let spans: Vec<Span> = match self.hours.overrides.get(&day) {
                Some(spans) => spans.clone(),
                None => {
                    self.hours.rules.iter().filter(|(on, _)| *on == weekday).map(|(_, span)| *span).collect()
                }
            };
            for span in spans {
                let midnight = day.and_time(chrono::NaiveTime::MIN);
                let end = if span.to <= span.from { i64::from(span.to) + 1440 } else { span.to.into() };
                let from = first_at_or_after(midnight + TimeDelta::minutes(span.from.into()));
                let to = first_at_or_after(midnight + TimeDelta::minutes(end));
                // An end beyond what was walked belongs to hours that are not looked at either.
                for minute in from..to.min((DAYS_WALKED + 2) * 1440) {
                    open.insert(minute);
                    if (minute - from) % self.step == 0 {
                        on_grid.insert(minute);
                    }
                }
            }
        }
        let taken: BTreeSet<i64> = self.busy.iter().flat_map(|(from, to)| *from..*to).collect();
        (0..DAYS_WALKED * 1440)
            .map(|minute| {
                let mut needed = minute..minute + self.duration;
                let verdict = if minute < self.now {
                    Some(Refusal::Past)
                } else if !needed.clone().all(|minute| open.contains(&minute)) {
                    Some(Refusal::OutsideHours)
                } else if !on_grid.contains(&minute) {
                    Some(Refusal::OffGrid)
                } else if needed.any(|minute| taken.contains(&minute)) {
                    Some(Refusal::Busy)
                } else {
                    None
                };
                (minute, verdict)
            })
            .collect()
    }
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let span = (0i16..1440, 0i16..=1440).prop_map(|(from, to)| Span { from, to });
    prop::collection::vec(span, 0..3)
}

/// Round times more often than odd ones: edges that touch are where mistakes are.
fn round_spans() -> impl Strategy<Value = Vec<Span>> {
    let span = (0i16..24, 0i16..=24).prop_map(|(from, to)| Span { from: from * 60, to: to * 60 });
    prop_oneof![prop::collection::vec(span, 0..3), spans()]
}

fn cases() -> impl Strategy<Value = Case> {
    let rules = prop::collection::vec((1i16..=7, round_spans()), 0..8);
    let overrides = prop::collection::vec((-3i64..4, round_spans()), 0..3);
    let busy = prop::collection::btree_map(0i64..DAYS_WALKED * 144, 1i64..40, 0..10);
    (
        prop::sample::select(&ZONES[..]),
        prop::sample::select(&DAYS[..]),
        rules,
        overrides,
        busy,
        1i64..=240,
        1i64..=90,
        prop_oneof![Just(0), 0..DAYS_WALKED * 1440],
    )
        .prop_map(|(zone, day, rules, overrides, busy, duration, step, now)| {
            let day: NaiveDate = day.parse().expect("a date");
            let hours = Hours {
                zone,
                rules: rules
                    .into_iter()
                    .flat_map(|(weekday, spans)| spans.into_iter().map(move |span| (weekday, span)))
                    .collect(),
                overrides: overrides
                    .into_iter()
                    .map(|(offset, spans)| (day + TimeDelta::days(offset), spans))
                    .collect(),
            };
            // Claims of one resource never overlap.
            let mut free_from = 0;
            let busy = busy
                .into_iter()
                .map(|(from, length)| (from * 10, from * 10 + length * 10))
                .filter(|(from, to)| {
                    let free = *from >= free_from;
                    if free {
                        free_from = *to;
                    }
                    free
                })
                .collect();
            Case { hours, busy, duration, step, day, now }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn listed_are_the_starts_that_can_be_booked_and_no_others(case in cases()) {
        let (calendar, oracle) = (case.calendar(), case.oracle());
        let listed = calendar.starts(case.minute(0), case.minute(DAYS_WALKED * 1440));
        let expected: Vec<_> = oracle
            .iter()
            .filter(|(_, refusal)| refusal.is_none())
            .map(|(minute, _)| case.minute(*minute))
            .collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn every_minute_is_refused_for_the_reason_the_oracle_gives(case in cases()) {
        let calendar = case.calendar();
        for (minute, refusal) in case.oracle() {
            prop_assert_eq!(calendar.refusal(case.minute(minute)), refusal, "minute {}", minute);
        }
    }

    #[test]
    fn what_is_listed_depends_on_the_period_only_by_lying_in_it(case in cases(), cut in 0..DAYS_WALKED * 1440) {
        let calendar = case.calendar();
        let (beginning, middle, end) = (case.minute(0), case.minute(cut), case.minute(DAYS_WALKED * 1440));
        let mut halves = calendar.starts(beginning, middle);
        halves.extend(calendar.starts(middle, end));
        prop_assert_eq!(halves, calendar.starts(beginning, end));
    }
}

#[test]
fn a_start_between_two_minutes_is_off_the_grid() {
    let hours = Hours {
        zone: Tz::UTC,
        rules: (1..=7).map(|weekday| (weekday, Span { from: 540, to: 1020 })).collect(),
        overrides: BTreeMap::new(),
    };
    let nine: DateTime<Utc> = "2026-06-10T09:00:00Z".parse().expect("an instant");
    let grid = Grid { duration: TimeDelta::minutes(30), step: TimeDelta::minutes(15) };
    let intervals = hours.intervals(nine, nine + TimeDelta::days(1));
    let calendar = Calendar::new(grid, nine, intervals, Vec::new());
    assert_eq!(calendar.refusal(nine), None);
    assert_eq!(calendar.refusal(nine + TimeDelta::microseconds(1)), Some(Refusal::OffGrid));
}
