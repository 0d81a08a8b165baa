//! Examples at the clock. In the committed description their dates are of one year, around one day, so that the text is
//! the same every day. A server serves it with that day, and all others with it, moved to a day to come.

use chrono::{DateTime, Days, NaiveDate, Utc};

/// The day, a Tuesday, on which the appointments of the examples are.
const DAY: NaiveDate = NaiveDate::from_ymd_opt(2031, 5, 20).expect("a day of the calendar");

/// The year of all dates in examples, and of no other dates in the description.
const YEAR: &str = "2031";

/// The forms of dates: those of JSON, and those of iCalendar.
const FORMS: [(&str, usize); 2] = [("%Y-%m-%d", 10), ("%Y%m%d", 8)];

/// The day of the examples on a server where nothing better is known: a Tuesday in two weeks. Stays the same for a
/// week.
pub fn day(now: DateTime<Utc>) -> NaiveDate {
    let monday = now.date_naive().week(chrono::Weekday::Mon).first_day();
    monday + Days::new(15)
}

/// A text of the description with the day of its examples moved to another.
pub fn dated(text: &str, day: NaiveDate) -> String {
    let shift = day - DAY;
    let mut dated = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(YEAR) {
        let (before, found) = rest.split_at(at);
        dated.push_str(before);
        let date = FORMS.iter().find_map(|(form, length)| {
            let date = NaiveDate::parse_from_str(found.get(..*length)?, form).ok()?;
            Some(((date + shift).format(form), *length))
        });
        let length = match date {
            Some((date, length)) => {
                dated.push_str(&date.to_string());
                length
            }
            None => {
                dated.push_str(YEAR);
                YEAR.len()
            }
        };
        rest = &found[length..];
    }
    dated.push_str(rest);
    dated
}
