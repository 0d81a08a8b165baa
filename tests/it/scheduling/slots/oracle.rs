//! Slots against an oracle that knows nothing of intervals: it walks the minutes of a period one by one, looks at the
//! clock of the zone, and remembers which minutes are open.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use appointd::{
    http::computing::Deadline,
    scheduling::{
        hours::working_hours::{Hours, Interval, Open, Rule, Span, ZoneOverride},
        slots::{
            availability::{Availability, Enforcement, Provider, SlotError, StartRequest},
            days::SlotDay,
            diary::{Diary, Taken},
            listing::{Effort, People},
            period::Period,
        },
    },
};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::harness::rules::completed_rules;

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
    away: Vec<(i64, i64)>,
    duration: i64,
    step: i64,
    offset: i64,
    before: i64,
    after: i64,
    notice: i64,
    horizon: Option<i64>,
    max_per_day: Option<usize>,
    max_per_week: Option<usize>,
    /// In which days are counted.
    counted_in: Tz,
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

    fn interval(&self, (from, to): (i64, i64)) -> Interval {
        Interval { starts_at: self.minute(from), ends_at: self.minute(to) }
    }

    fn availability(&self) -> Availability {
        let (from, to) = (self.minute(-1440), self.minute(DAYS_WALKED * 1440 + 1440));
        let taken = self.busy.iter().map(|busy| Taken {
            during: self.interval(*busy),
            service_starts_at: Some(self.minute(busy.0)),
            service_ends_at: None,
            group_key: None,
            seat: 1,
        });
        let away = self.away.iter().map(|away| self.interval(*away)).collect();
        Availability {
            services: vec![completed_rules(&json!({
                "duration_minutes": self.duration,
                "slot_step_minutes": self.step,
                "slot_offset_minutes": self.offset,
                "buffer_before_minutes": self.before,
                "buffer_after_minutes": self.after,
                "min_notice_minutes": self.notice,
                "horizon_days": self.horizon,
            }))],
            providers: vec![Provider {
                id: Uuid::nil(),
                active: true,
                open: Open::new(self.hours.intervals(from, to), away),
                diary: Diary::new(taken.collect()),
                max_per_day: self.max_per_day,
                max_per_week: self.max_per_week,
            }],
            resources: BTreeMap::new(),
            contacts: BTreeMap::new(),
            zone: self.counted_in,
            now: self.minute(self.now),
        }
    }

    /// What the oracle says of every minute of the period: none where it can be booked.
    fn oracle(&self) -> Vec<(i64, Option<SlotError>)> {
        let minutes = usize::try_from(LAST - FIRST).expect("a period");
        let mut zones: Vec<Tz> = self.hours.zone_overrides.iter().map(|travel| travel.zone).collect();
        zones.push(self.hours.zone);
        let first = self.minute(FIRST).date_naive();
        let (mut open, mut on_grid) = (vec![false; minutes], vec![false; minutes]);
        for zone in zones {
            let walked = self.walk(zone);
            let first_at_or_after = |wall: NaiveDateTime| {
                walked.iter().position(|shown| *shown >= wall).map_or(i64::MAX, |at| at as i64 + FIRST)
            };
            for day in first.iter_days().take(14) {
                let travels = self
                    .hours
                    .zone_overrides
                    .iter()
                    .find(|travel| travel.starts_on <= day && day <= travel.ends_on);
                if travels.map_or(self.hours.zone, |travel| travel.zone) != zone {
                    continue;
                }
                let weekday = i16::from(day.weekday().number_from_monday() as u8);
                let spans: Vec<Span> = match self.hours.overrides.get(&day) {
                    Some(spans) => spans.clone(),
                    None => {
                        let of_day = |rule: &&Rule| {
                            rule.weekday == weekday && rule.valid_from <= day && day <= rule.valid_until
                        };
                        self.hours.rules.iter().filter(of_day).map(|rule| rule.span).collect()
                    }
                };
                for span in spans {
                    let midnight = day.and_time(chrono::NaiveTime::MIN);
                    let end = if span.to <= span.from { i64::from(span.to) + 1440 } else { span.to.into() };
                    let from = first_at_or_after(midnight + TimeDelta::minutes(span.from.into()));
                    let to = first_at_or_after(midnight + TimeDelta::minutes(end));
                    // An end beyond what was walked belongs to hours that are not looked at either.
                    for minute in from..to.min((DAYS_WALKED + 2) * 1440) {
                        open[at(minute)] = true;
                        if minute >= from + self.offset && (minute - from - self.offset) % self.step == 0 {
                            on_grid[at(minute)] = true;
                        }
                    }
                }
            }
        }
        for (from, to) in &self.away {
            (*from..*to).for_each(|minute| open[at(minute)] = false);
        }
        let mut taken = vec![false; minutes];
        for (from, to) in &self.busy {
            (*from..*to).for_each(|minute| taken[at(minute)] = true);
        }
        let counted: Vec<NaiveDate> = self.walk(self.counted_in).iter().map(NaiveDateTime::date).collect();
        let monday = |date: NaiveDate| date.week(chrono::Weekday::Mon).first_day();
        let all =
            |of: &[bool], from: i64, to: i64, is: bool| of[at(from)..at(to)].iter().all(|now| *now == is);
        let verdict = |minute: i64| {
            let date = counted[at(minute)];
            let full = || {
                let that_day = self.busy.iter().filter(|(from, _)| counted[at(*from)] == date).count();
                let that_week =
                    self.busy.iter().filter(|(from, _)| monday(counted[at(*from)]) == monday(date)).count();
                self.max_per_day.is_some_and(|most| that_day >= most)
                    || self.max_per_week.is_some_and(|most| that_week >= most)
            };
            let days_ahead = (date - counted[at(self.now)]).num_days();
            if minute < self.now {
                Some(SlotError::Past)
            } else if minute < self.now + self.notice {
                Some(SlotError::TooSoon)
            } else if self.horizon.is_some_and(|horizon| days_ahead > horizon) {
                Some(SlotError::TooFar)
            } else if !all(&open, minute, minute + self.duration, true) {
                Some(SlotError::OutsideHours)
            } else if !on_grid[at(minute)] {
                Some(SlotError::OffGrid)
            } else if full() {
                Some(SlotError::LimitReached)
            } else if !all(&taken, minute, minute + self.duration, false) {
                Some(SlotError::Busy)
            } else if !all(&taken, minute - self.before, minute + self.duration + self.after, false) {
                Some(SlotError::Buffer)
            } else {
                None
            }
        };
        (0..DAYS_WALKED * 1440).map(|minute| (minute, verdict(minute))).collect()
    }

    /// What the clock of a zone shows at each minute that is walked. There are few zones and days, so it is kept.
    fn walk(&self, zone: Tz) -> Arc<Vec<NaiveDateTime>> {
        type Walks = Mutex<BTreeMap<(NaiveDate, &'static str), Arc<Vec<NaiveDateTime>>>>;
        static WALKS: Walks = Mutex::new(BTreeMap::new());
        let show = |minute| self.minute(minute).with_timezone(&zone).naive_local();
        let mut walks = WALKS.lock().expect("no panic");
        walks
            .entry((self.day, zone.name()))
            .or_insert_with(|| Arc::new((FIRST..LAST).map(show).collect()))
            .clone()
    }
}

/// Three days around the period are walked as well: hours may begin before it, and appointments end after it.
const FIRST: i64 = -3 * 1440;

const LAST: i64 = (DAYS_WALKED + 3) * 1440;

/// The index of a minute.
fn at(minute: i64) -> usize {
    usize::try_from(minute - FIRST).expect("a minute that is walked")
}

/// What can be booked in a period.
fn starts(availability: &Availability, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let slots = availability.slots(from, to, People::default(), Tz::UTC, false).expect("few enough");
    slots.into_iter().map(|slot| slot.starts_at).collect()
}

fn refusal(availability: &Availability, start: DateTime<Utc>) -> Option<SlotError> {
    let request = StartRequest { start, with: None, contact: None, policy: Enforcement::Full, seat_seed: 0 };
    availability.plan(&availability.providers[0], request).err()
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
    let season = prop_oneof![2 => Just((-30i64, 30i64)), 1 => (-3i64..4, 0i64..5).prop_map(|(from, days)| (from, from + days))];
    let rules = prop::collection::vec((1i16..=7, round_spans(), season), 0..8);
    let overrides = prop::collection::vec((-3i64..4, round_spans()), 0..3);
    let travel = prop::option::weighted(0.3, (-3i64..3, 0i64..3, prop::sample::select(&ZONES[..])));
    let hours = (prop::sample::select(&ZONES[..]), prop::sample::select(&DAYS[..]), rules, overrides, travel);
    let busy = prop::collection::btree_map(0i64..DAYS_WALKED * 144, 1i64..40, 0..10);
    let away = prop::collection::vec((0i64..DAYS_WALKED * 24, 1i64..40), 0..3);
    let grid = (1i64..=240, 1i64..=90, prop_oneof![2 => Just(0i64), 1 => 0i64..=60]);
    let buffers = (prop_oneof![Just(0i64), 0i64..=45], prop_oneof![Just(0i64), 0i64..=45]);
    let clock = (prop_oneof![Just(0), 0..DAYS_WALKED * 1440], prop_oneof![2 => Just(0i64), 1 => 0i64..=4000]);
    let limits = (
        prop::option::weighted(0.3, 0i64..5),
        prop::option::weighted(0.3, 1usize..4),
        prop::option::weighted(0.2, 1usize..8),
        prop::sample::select(&ZONES[..]),
    );
    (hours, busy, away, grid, buffers, clock, limits).prop_map(
        |(hours, busy, away, (duration, step, offset), (before, after), (now, notice), limits)| {
            let (zone, day, rules, overrides, travel) = hours;
            let (horizon, max_per_day, max_per_week, counted_in) = limits;
            let day: NaiveDate = day.parse().expect("a date");
            let hours = Hours {
                zone,
                rules: rules
                    .into_iter()
                    .flat_map(|(weekday, spans, (from, until))| {
                        spans.into_iter().map(move |span| Rule {
                            weekday,
                            span,
                            valid_from: day + TimeDelta::days(from),
                            valid_until: day + TimeDelta::days(until),
                        })
                    })
                    .collect(),
                overrides: overrides
                    .into_iter()
                    .map(|(offset, spans)| (day + TimeDelta::days(offset), spans))
                    .collect(),
                zone_overrides: travel
                    .into_iter()
                    .map(|(from, days, zone)| ZoneOverride {
                        starts_on: day + TimeDelta::days(from),
                        ends_on: day + TimeDelta::days(from + days),
                        zone,
                    })
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
            let away = away.into_iter().map(|(from, length)| (from * 60, from * 60 + length * 30)).collect();
            Case {
                hours,
                busy,
                away,
                duration,
                step,
                offset,
                before,
                after,
                notice,
                horizon,
                max_per_day,
                max_per_week,
                counted_in,
                day,
                now,
            }
        },
    )
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn expect_listed_starts_of_the_oracle(case: &Case) -> Result<(), TestCaseError> {
    let listed = starts(&case.availability(), case.minute(0), case.minute(DAYS_WALKED * 1440));
    let oracle = case.oracle().into_iter().filter(|(_, refusal)| refusal.is_none());
    let expected: Vec<_> = oracle.map(|(minute, _)| case.minute(minute)).collect();
    prop_assert_eq!(listed, expected);
    Ok(())
}

fn expect_refusals_of_the_oracle(case: &Case) -> Result<(), TestCaseError> {
    let availability = case.availability();
    for (minute, reason) in case.oracle() {
        prop_assert_eq!(refusal(&availability, case.minute(minute)), reason, "minute {}", minute);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(30))]

    #[test]
    fn listed_starts_equal_those_of_the_oracle(case in cases()) {
        expect_listed_starts_of_the_oracle(&case)?;
    }

    #[test]
    fn refusal_of_every_minute_equals_that_of_the_oracle(case in cases()) {
        expect_refusals_of_the_oracle(&case)?;
    }

    #[test]
    fn period_listed_in_two_parts_equals_the_whole(case in cases(), cut in 0..DAYS_WALKED * 1440) {
        let availability = case.availability();
        let (beginning, middle, end) = (case.minute(0), case.minute(cut), case.minute(DAYS_WALKED * 1440));
        let mut halves = starts(&availability, beginning, middle);
        halves.extend(starts(&availability, middle, end));
        prop_assert_eq!(halves, starts(&availability, beginning, end));
    }

    #[test]
    fn days_are_the_slots_grouped_by_date(case in cases(), zone in prop::sample::select(&ZONES[..])) {
        let mut availability = case.availability();
        // Somebody else, with the same hours and nothing to do.
        availability.providers.push(Provider {
            id: Uuid::max(),
            open: Open::new(case.hours.intervals(case.minute(-1440), case.minute(DAYS_WALKED * 1440 + 1440)), Vec::new()),
            diary: Diary::default(),
            ..availability.providers[0].clone()
        });
        let (from, to) = (case.minute(0), case.minute(DAYS_WALKED * 1440));
        let mut expected: Vec<SlotDay> = Vec::new();
        for start in starts(&availability, from, to) {
            let date = start.with_timezone(&zone).date_naive();
            match expected.iter_mut().find(|day| day.date == date) {
                Some(day) => day.count += 1,
                None => expected.push(SlotDay { date, count: 1, first_starts_at: start }),
            }
        }
        let deadline = Deadline::never();
        let days = availability.days(Period { from, to, zone }, People::default(), &mut Effort::new(&deadline));
        prop_assert_eq!(days.expect("few enough"), expected);
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    #[ignore = "walks the minutes of 500 calendars"]
    fn listed_starts_of_many_calendars_equal_those_of_the_oracle(case in cases()) {
        expect_listed_starts_of_the_oracle(&case)?;
    }

    #[test]
    #[ignore = "walks the minutes of 500 calendars"]
    fn refusals_of_many_calendars_equal_those_of_the_oracle(case in cases()) {
        expect_refusals_of_the_oracle(&case)?;
    }
}

#[test]
fn start_between_two_minutes_is_off_the_grid() {
    let nine: DateTime<Utc> = "2026-06-10T09:00:00Z".parse().expect("an instant");
    let open = Interval { starts_at: nine, ends_at: nine + TimeDelta::hours(8) };
    let availability = Availability {
        services: vec![completed_rules(&json!({}))],
        providers: vec![Provider {
            id: Uuid::nil(),
            active: true,
            open: Open::new(vec![open], Vec::new()),
            diary: Diary::default(),
            max_per_day: None,
            max_per_week: None,
        }],
        resources: BTreeMap::new(),
        contacts: BTreeMap::new(),
        zone: Tz::UTC,
        now: nine,
    };
    assert_eq!(refusal(&availability, nine), None);
    assert_eq!(refusal(&availability, nine + TimeDelta::microseconds(1)), Some(SlotError::OffGrid));
}
