//! A provider's schedule as the API reads and writes it: working hours in wall time.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::working_hours::{Hours, Rule, Span, ZoneOverride};
use crate::http::{
    json::or_default,
    problem::FieldError,
    values::{Date, List, TimeOfDay, TimeZone},
};

/// The dates that mean "no first date" and "no last date".
const FIRST_DATE: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

const LAST_DATE: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Weekday {
    Monday = 1,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    fn from_iso(number: i16) -> Self {
        let index = usize::try_from(number - 1).unwrap_or_default();
        Self::ALL[index.min(6)]
    }
}

/// Weekly working hours.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRule {
    /// The weekday on which the hours begin.
    pub weekday: Weekday,
    /// The local time at which the hours begin, `00:00` to `23:59`.
    pub from: TimeOfDay<false>,
    /// The local time at which the hours end, up to `24:00`. If not later than `from`, they end on the next day.
    pub to: TimeOfDay<true>,
    /// The first date on which the rule applies. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if_is_none)]
    pub valid_from: Option<Date>,
    /// The last date on which the rule applies. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if_is_none)]
    pub valid_until: Option<Date>,
}

/// A time-zone override: dates on which the provider's hours are in another time zone.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTravel {
    /// The first date.
    pub starts_on: Date,
    /// The last date.
    pub ends_on: Date,
    /// The IANA time zone of hours that begin on these dates.
    pub time_zone: TimeZone,
}

/// Working hours on one date.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleInterval {
    /// The local time at which the hours begin, `00:00` to `23:59`.
    pub from: TimeOfDay<false>,
    /// The local time at which the hours end, up to `24:00`. If not later than `from`, they end on the next day.
    pub to: TimeOfDay<true>,
}

/// Working hours that replace the weekly hours on one date.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleOverride {
    /// The date whose hours are replaced.
    pub date: Date,
    /// The hours on that date, at most 24 intervals. Empty: the provider does not work.
    pub intervals: List<ScheduleInterval, 0, 24>,
}

/// The working hours of a provider.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
// No real schedule reaches the limits of these lists, which keep computing slots fast. The database enforces the same.
pub struct Schedule {
    /// The IANA time zone of the hours.
    pub time_zone: TimeZone,
    /// The weekly hours, at most 100 rules. Several rules on one weekday allow for breaks.
    pub rules: List<ScheduleRule, 0, 100>,
    /// Dates with other hours, at most 1,000. Defaults to none.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub overrides: List<ScheduleOverride, 0, 1000>,
    /// Time-zone overrides: dates on which the hours are in another time zone, at most 100. Defaults to none.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub travels: List<ScheduleTravel, 0, 100>,
}

impl Example for Schedule {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "time_zone": "America/New_York",
            "rules": [
                { "weekday": "monday", "from": "09:00", "to": "12:30" },
                { "weekday": "monday", "from": "13:30", "to": "18:00" },
                { "weekday": "friday", "from": "20:00", "to": "02:00" },
                { "weekday": "saturday", "from": "10:00", "to": "14:00", "valid_from": "2031-06-01", "valid_until": "2031-06-30" },
            ],
            "overrides": [
                { "date": "2031-06-19", "intervals": [{ "from": "09:00", "to": "12:00" }] },
                { "date": "2031-06-20", "intervals": [] },
            ],
            "travels": [{ "starts_on": "2031-07-07", "ends_on": "2031-07-18", "time_zone": "Asia/Tokyo" }],
        }))
        .expect("the example follows the rules it is an example of")
    }
}

impl Schedule {
    /// The errors that concern several fields. Single values are validated by their types.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut others: Vec<Rule> = Vec::new();
        for (index, rule) in self.rules.iter().map(ScheduleRule::rule).enumerate() {
            if rule.valid_from > rule.valid_until {
                let field = format!("rules[{index}].valid_until");
                errors.push(FieldError::new(
                    field,
                    "invalid_value",
                    "expected a date that is not before valid_from",
                ));
            }
            if others.iter().any(|other| other.overlaps(&rule)) {
                let detail = "expected hours that do not overlap other hours of the same day";
                errors.push(FieldError::new(format!("rules[{index}]"), "overlapping", detail));
            }
            others.push(rule);
        }
        for (index, travel) in self.travels.iter().enumerate() {
            if travel.starts_on.0 > travel.ends_on.0 {
                let field = format!("travels[{index}].ends_on");
                errors.push(FieldError::new(
                    field,
                    "invalid_value",
                    "expected a date that is not before starts_on",
                ));
            }
            let overlaps = |other: &ScheduleTravel| {
                other.starts_on.0 <= travel.ends_on.0 && travel.starts_on.0 <= other.ends_on.0
            };
            if self.travels[..index].iter().any(overlaps) {
                let detail = "expected at most one time zone for each date";
                errors.push(FieldError::new(format!("travels[{index}]"), "overlapping", detail));
            }
        }
        let mut dates = BTreeSet::new();
        for (index, date) in self.overrides.iter().enumerate() {
            let field = format!("overrides[{index}]");
            if !dates.insert(date.date.0) {
                errors.push(FieldError::new(
                    format!("{field}.date"),
                    "duplicate",
                    "expected each date at most once",
                ));
            }
            let mut others = Vec::new();
            for (index, interval) in date.intervals.iter().enumerate() {
                let field = format!("{field}.intervals[{index}]");
                check_span(&mut errors, &field, interval.from, interval.to, &mut others);
            }
        }
        errors
    }
}

fn check_span(
    errors: &mut Vec<FieldError>,
    field: &str,
    from: TimeOfDay<false>,
    to: TimeOfDay<true>,
    others: &mut Vec<Span>,
) {
    let span = Span { from: from.minute, to: to.minute };
    if others.iter().any(|other| other.overlaps(span)) {
        errors.push(FieldError::new(
            field,
            "overlapping",
            "expected hours that do not overlap other hours of the same day",
        ));
    }
    others.push(span);
}

impl ScheduleRule {
    pub fn rule(&self) -> Rule {
        Rule {
            weekday: self.weekday as i16,
            span: Span { from: self.from.minute, to: self.to.minute },
            valid_from: self.valid_from.map_or(FIRST_DATE, |date| date.0),
            valid_until: self.valid_until.map_or(LAST_DATE, |date| date.0),
        }
    }
}

impl Schedule {
    /// The schedule in the form that slots are computed from.
    pub fn hours(&self) -> Hours {
        let mut rules: Vec<_> = self.rules.iter().map(ScheduleRule::rule).collect();
        rules.sort_by_key(|rule| (rule.weekday, rule.span.from));
        Hours {
            zone: self.time_zone.0,
            rules,
            overrides: self
                .overrides
                .iter()
                .map(|date| {
                    let mut spans: Vec<_> = date
                        .intervals
                        .iter()
                        .map(|interval| Span { from: interval.from.minute, to: interval.to.minute })
                        .collect();
                    spans.sort_by_key(|span| span.from);
                    (date.date.0, spans)
                })
                .collect(),
            zone_overrides: self
                .travels
                .iter()
                .map(|travel| ZoneOverride {
                    starts_on: travel.starts_on.0,
                    ends_on: travel.ends_on.0,
                    zone: travel.time_zone.0,
                })
                .collect(),
        }
    }
}

impl From<Hours> for Schedule {
    fn from(hours: Hours) -> Self {
        Self {
            time_zone: TimeZone(hours.zone),
            rules: hours
                .rules
                .into_iter()
                .map(|rule| ScheduleRule {
                    weekday: Weekday::from_iso(rule.weekday),
                    from: TimeOfDay { minute: rule.span.from },
                    to: TimeOfDay { minute: rule.span.to },
                    valid_from: (rule.valid_from != FIRST_DATE).then_some(Date(rule.valid_from)),
                    valid_until: (rule.valid_until != LAST_DATE).then_some(Date(rule.valid_until)),
                })
                .collect(),
            overrides: hours
                .overrides
                .into_iter()
                .map(|(date, spans)| ScheduleOverride {
                    date: Date(date),
                    intervals: spans
                        .into_iter()
                        .map(|span| ScheduleInterval {
                            from: TimeOfDay { minute: span.from },
                            to: TimeOfDay { minute: span.to },
                        })
                        .collect(),
                })
                .collect(),
            travels: hours
                .zone_overrides
                .into_iter()
                .map(|travel| ScheduleTravel {
                    starts_on: Date(travel.starts_on),
                    ends_on: Date(travel.ends_on),
                    time_zone: TimeZone(travel.zone),
                })
                .collect(),
        }
    }
}
