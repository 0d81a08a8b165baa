//! Choosing a time: a month with the days that have free times, and the times of one day.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, Timelike as _, Utc};
use uuid::Uuid;

use super::{
    formats::{Formats, Shown},
    shell::Place,
    site::Site,
    visit::Visit,
};
use crate::{
    db::Context,
    http::{problem::Problem, values::InstantOrDate},
    scheduling::slots::{
        days::{self, SlotDay},
        listing::{self, LONGEST_PERIOD, Slot, SlotQuery},
        period::RequestedPeriod,
    },
    tenancy::settings::DateFormat,
};

/// A day with so many free times or fewer is shown as one with few.
const FEW: usize = 2;
/// How many months ahead the pages go.
const MONTHS: u32 = 24;

/// What times are looked for.
#[derive(Clone, Copy)]
pub struct Wish {
    pub context: Context,
    pub service: Uuid,
    pub with: Option<Uuid>,
    /// The appointment that is moved.
    pub moved: Option<Uuid>,
}

/// A link with its text.
pub struct Link {
    pub href: String,
    pub text: String,
}

/// The name of a day of the week.
pub struct Weekday {
    pub text: String,
    pub short: String,
}

/// A day of the month.
pub struct Day {
    pub number: u32,
    /// `None` if it has no free time.
    pub href: Option<String>,
    pub text: String,
    pub few: bool,
    pub current: bool,
}

/// The free times of one day.
pub struct Times {
    pub heading: String,
    pub free: String,
    pub groups: Vec<Group>,
}

/// Morning, afternoon or evening.
pub struct Group {
    pub name: String,
    pub starts: Vec<Shown>,
}

/// All of it.
pub struct Month {
    pub name: String,
    pub earlier: Option<Link>,
    pub later: Option<Link>,
    pub weekdays: Vec<Weekday>,
    pub weeks: Vec<Vec<Option<Day>>>,
    pub times: Option<Times>,
    pub nothing: String,
    pub next_free: Option<Link>,
}

impl Month {
    /// The month that the address names, or the one of the first free day. `address` is that of the page.
    pub async fn of(
        site: &Arc<Site>,
        visit: &Visit,
        place: &Place,
        wish: Wish,
        address: impl Fn(&[(&str, &str)]) -> String,
    ) -> Result<Self, Problem> {
        let now = Utc::now();
        let formats = place.formats;
        let today = formats.date_of(now);
        let asked =
            visit.query.get("month").and_then(|month| format!("{month}-01").parse::<NaiveDate>().ok());
        let day: Option<NaiveDate> = visit.query.get("day").and_then(|day| day.parse().ok());
        let latest = beginning(today) + Months::new(MONTHS);
        let asked = asked.or(day).map(|asked| beginning(asked).clamp(beginning(today), latest));

        let longest = Days::new(LONGEST_PERIOD.unsigned_abs());
        let (month, days) = match asked {
            Some(month) => {
                (month, free_days(site, wish, month.max(today), month + Months::new(1), now).await?)
            }
            None => {
                let ahead = free_days(site, wish, today, today + longest, now).await?;
                let month = beginning(ahead.first().map_or(today, |first| first.date));
                let end = month + Months::new(1);
                match end <= today + longest {
                    true => (month, ahead.into_iter().filter(|day| day.date < end).collect()),
                    false => (month, free_days(site, wish, month, end, now).await?),
                }
            }
        };
        let chosen = match day.filter(|day| beginning(*day) == month) {
            Some(day) => days.iter().find(|free| free.date == day).map(|free| free.date),
            None => days.first().map(|first| first.date),
        };
        let slots = match chosen {
            Some(day) => free_times(site, wish, day, now).await?,
            None => Vec::new(),
        };
        let next = match days.is_empty() && asked.is_some() {
            true => {
                free_days(site, wish, month + Months::new(1), month + Months::new(1) + longest, now).await?
            }
            false => Vec::new(),
        };
        let link = |month: NaiveDate| Link {
            href: address(&[("month", &month.format("%Y-%m").to_string())]),
            text: formats.month_and_year(month),
        };
        let of_day = |day: NaiveDate| {
            let (month, day) = (day.format("%Y-%m").to_string(), day.to_string());
            format!("{}#times", address(&[("month", &month), ("day", &day)]))
        };
        let language = formats.language;
        Ok(Self {
            name: formats.month_and_year(month),
            earlier: (month > beginning(today)).then(|| link(month - Months::new(1))),
            later: (month < latest).then(|| link(month + Months::new(1))),
            weekdays: weekdays(&formats),
            weeks: weeks(&formats, month, &days, chosen, of_day),
            times: chosen.filter(|_| !slots.is_empty()).map(|day| times(&formats, day, &slots)),
            nothing: match day.filter(|day| beginning(*day) == month && !days.is_empty()) {
                Some(day) => language.with("day-none", &[("day", formats.day(day).into())]),
                None => language.with("month-none", &[("month", formats.month_and_year(month).into())]),
            },
            next_free: next.first().map(|first| Link {
                href: of_day(first.date),
                text: language.with("next-free", &[("day", formats.day(first.date).into())]),
            }),
        })
    }
}

/// The first day of the month of a date.
fn beginning(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}

fn query(wish: Wish, from: NaiveDate, to: NaiveDate) -> SlotQuery {
    SlotQuery {
        services: vec![wish.service],
        provider: wish.with,
        period: RequestedPeriod {
            from: InstantOrDate::Date(from),
            to: InstantOrDate::Date(to),
            time_zone: None,
        },
        reschedule_of: wish.moved,
        contact: None,
        unavailable: false,
        online: true,
    }
}

async fn free_days(
    site: &Arc<Site>,
    wish: Wish,
    from: NaiveDate,
    to: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<SlotDay>, Problem> {
    Ok(days::list(&site.db, wish.context, query(wish, from, to), now).await?.items)
}

async fn free_times(
    site: &Arc<Site>,
    wish: Wish,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<Slot>, Problem> {
    let query = query(wish, day, day + Days::new(1));
    Ok(listing::values(&site.db, wish.context, query, now).await?)
}

/// The day that weeks begin with, 1 for Monday.
fn first_weekday(formats: &Formats) -> u32 {
    match formats.date {
        DateFormat::MdySlashes => 7,
        _ => formats.language.text("first-weekday").parse().unwrap_or(1),
    }
}

fn weekdays(formats: &Formats) -> Vec<Weekday> {
    let first = first_weekday(formats);
    (0..7)
        .map(|index| (first - 1 + index) % 7 + 1)
        .map(|day| Weekday {
            text: formats.language.text(&format!("weekday-{day}")),
            short: formats.language.text(&format!("weekday-short-{day}")),
        })
        .collect()
}

fn weeks(
    formats: &Formats,
    month: NaiveDate,
    free: &[SlotDay],
    chosen: Option<NaiveDate>,
    address: impl Fn(NaiveDate) -> String,
) -> Vec<Vec<Option<Day>>> {
    let empty = (month.weekday().number_from_monday() + 7 - first_weekday(formats)) % 7;
    let mut cells: Vec<Option<Day>> = (0..empty).map(|_| None).collect();
    cells.extend(month.iter_days().take_while(|day| day.month() == month.month()).map(|date| {
        let count = free.iter().find(|free| free.date == date).map_or(0, |free| free.count);
        let day = formats.day(date);
        let text = match count {
            0 => formats.language.with("day-none", &[("day", day.into())]),
            count => formats.language.with("day-free", &[("day", day.into()), ("count", count.into())]),
        };
        Some(Day {
            number: date.day(),
            href: (count > 0).then(|| address(date)),
            text,
            few: (1..=FEW).contains(&count),
            current: chosen == Some(date),
        })
    }));
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(cells.len().min(7));
        cells.resize_with(7, || None);
        weeks.push(std::mem::replace(&mut cells, rest));
    }
    weeks
}

fn times(formats: &Formats, day: NaiveDate, slots: &[Slot]) -> Times {
    const PARTS: [(&str, std::ops::Range<u32>); 3] =
        [("morning", 0..12), ("afternoon", 12..17), ("evening", 17..24)];
    let group = |(name, hours): &(&str, std::ops::Range<u32>)| {
        let hour = |slot: &&Slot| hours.contains(&slot.starts_at.with_timezone(&formats.zone).hour());
        let starts: Vec<_> = slots.iter().filter(hour).map(|slot| formats.start(slot.starts_at)).collect();
        (!starts.is_empty()).then(|| Group { name: formats.language.text(name), starts })
    };
    Times {
        heading: formats.day(day),
        free: formats.language.with("times-free", &[("count", slots.len().into())]),
        groups: PARTS.iter().filter_map(group).collect(),
    }
}

/// A provider who is free at a start.
pub async fn free_at(site: &Arc<Site>, wish: Wish, start: DateTime<Utc>) -> Result<Option<Uuid>, Problem> {
    let now = Utc::now();
    let period = RequestedPeriod {
        from: InstantOrDate::Instant(start),
        to: InstantOrDate::Instant(start + TimeDelta::minutes(1)),
        time_zone: None,
    };
    let query = SlotQuery { period, ..query(wish, NaiveDate::MIN, NaiveDate::MIN) };
    let slots = listing::values(&site.db, wish.context, query, now).await?;
    let found = slots.into_iter().find(|slot| slot.starts_at == start);
    Ok(found.and_then(|slot| slot.provider_ids.first().copied()))
}
