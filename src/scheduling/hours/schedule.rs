//! What a schedule is, as it is set and answered: working hours in wall time.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::working_hours::{Hours, Rule, Span, Travel};
use crate::http::{
    problem::FieldError,
    values::{Date, TimeOfDay, TimeZone},
};

/// More than a schedule needs, and few enough to look through for each request. The database has the same bounds.
const MOST_RULES: usize = 100;

const MOST_OVERRIDES: usize = 1000;

const MOST_TRAVELS: usize = 100;

/// Of one date.
const MOST_INTERVALS: usize = 24;

/// What stands for "from ever" and "for ever".
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

/// Hours of every week.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRule {
    /// The day on which they begin.
    pub weekday: Weekday,
    /// When they begin, `00:00` to `23:59`.
    pub from: TimeOfDay<false>,
    /// When they end; `24:00` is the end of the day. Not later than `from`: on the next day.
    pub to: TimeOfDay<true>,
    /// The first date on which they may begin; any where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if_is_none)]
    pub valid_from: Option<Date>,
    /// The last date on which they may begin; any where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if_is_none)]
    pub valid_until: Option<Date>,
}

/// Dates on which the provider is in another time zone.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTravel {
    /// The first date.
    pub starts_on: Date,
    /// The last date.
    pub ends_on: Date,
    /// The IANA time zone that hours which begin on these dates are in.
    pub time_zone: TimeZone,
}

/// Hours of one date.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleInterval {
    /// When they begin, `00:00` to `23:59`.
    pub from: TimeOfDay<false>,
    /// When they end; `24:00` is the end of the day. Not later than `from`: on the next day.
    pub to: TimeOfDay<true>,
}

/// A date with other hours than its weekday has.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleOverride {
    /// The date on which the replaced and the replacing hours begin.
    pub date: Date,
    /// The hours instead, at most 24 intervals. None: closed.
    #[oai(validator(max_items = 24))]
    pub intervals: Vec<ScheduleInterval>,
}

/// When a provider works.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Schedule {
    /// The IANA time zone all times of day are in.
    pub time_zone: TimeZone,
    /// The hours of every week; several on one day for breaks between them. At most 100.
    #[oai(validator(max_items = 100))]
    pub rules: Vec<ScheduleRule>,
    /// Dates with other hours, at most 1,000. Defaults to none.
    #[serde(default)]
    #[oai(default)]
    #[oai(validator(max_items = 1000))]
    pub overrides: Vec<ScheduleOverride>,
    /// Dates on which the hours are in another time zone, at most 100. Defaults to none.
    #[serde(default)]
    #[oai(default)]
    #[oai(validator(max_items = 100))]
    pub travels: Vec<ScheduleTravel>,
}

impl Example for Schedule {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "time_zone": "Europe/Berlin",
            "rules": [
                { "weekday": "monday", "from": "09:00", "to": "12:30" },
                { "weekday": "monday", "from": "13:30", "to": "18:00" },
                { "weekday": "friday", "from": "20:00", "to": "02:00" },
                { "weekday": "saturday", "from": "10:00", "to": "14:00", "valid_from": "2026-12-01", "valid_until": "2026-12-31" },
            ],
            "overrides": [
                { "date": "2026-12-24", "intervals": [{ "from": "09:00", "to": "12:00" }] },
                { "date": "2026-12-25", "intervals": [] },
            ],
            "travels": [{ "starts_on": "2027-02-01", "ends_on": "2027-02-12", "time_zone": "Asia/Tokyo" }],
        }))
        .expect("the example follows the rules it is an example of")
    }
}

impl Schedule {
    /// What is wrong with it as a whole. Its values are right by their types.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.rules.len() > MOST_RULES {
            errors.push(FieldError::new("rules", "too_many", format!("at most {MOST_RULES}")));
        }
        if self.overrides.len() > MOST_OVERRIDES {
            errors.push(FieldError::new("overrides", "too_many", format!("at most {MOST_OVERRIDES}")));
        }
        if self.travels.len() > MOST_TRAVELS {
            errors.push(FieldError::new("travels", "too_many", format!("at most {MOST_TRAVELS}")));
        }
        if !errors.is_empty() {
            return errors;
        }
        let mut others: Vec<Rule> = Vec::new();
        for (index, rule) in self.rules.iter().map(ScheduleRule::rule).enumerate() {
            if rule.valid_from > rule.valid_until {
                let field = format!("rules[{index}].valid_until");
                errors.push(FieldError::new(field, "invalid_value", "a date that is not before valid_from"));
            }
            if others.iter().any(|other| other.overlaps(&rule)) {
                let detail = "hours of one day must not overlap";
                errors.push(FieldError::new(format!("rules[{index}]"), "overlapping", detail));
            }
            others.push(rule);
        }
        for (index, travel) in self.travels.iter().enumerate() {
            if travel.starts_on.0 > travel.ends_on.0 {
                let field = format!("travels[{index}].ends_on");
                errors.push(FieldError::new(field, "invalid_value", "a date that is not before starts_on"));
            }
            let overlaps = |other: &ScheduleTravel| {
                other.starts_on.0 <= travel.ends_on.0 && travel.starts_on.0 <= other.ends_on.0
            };
            if self.travels[..index].iter().any(overlaps) {
                let detail = "nobody is in two time zones on one date";
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
                    "a date may be overridden once",
                ));
            }
            if date.intervals.len() > MOST_INTERVALS {
                errors.push(FieldError::new(
                    format!("{field}.intervals"),
                    "too_many",
                    format!("at most {MOST_INTERVALS}"),
                ));
                continue;
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
        errors.push(FieldError::new(field, "overlapping", "hours of one day must not overlap"));
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
    /// The same in the form that everything is computed from.
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
            travels: self
                .travels
                .iter()
                .map(|travel| Travel {
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
                .travels
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
