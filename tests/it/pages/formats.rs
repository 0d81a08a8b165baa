//! Dates, times and prices as pages show them.

use appointd::{
    pages::{formats::Formats, language::of_tag},
    tenancy::settings::{DateFormat, TimeFormat},
};
use chrono::{DateTime, Utc};

fn formats(language: &str, date: DateFormat, time: TimeFormat) -> Formats {
    let language = of_tag(language).expect("a language");
    Formats { language, zone: chrono_tz::Europe::Berlin, date, time }
}

fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().expect("an instant")
}

#[test]
fn dates_and_times_follow_the_settings_in_every_language() {
    let start = at("2026-12-03T13:30:00Z");
    let shown = |language, date, time| formats(language, date, time).at(start).text;
    assert_eq!(shown("en", DateFormat::YmdDashes, TimeFormat::H24), "Thursday, 2026-12-03, 14:30");
    assert_eq!(shown("en", DateFormat::MdySlashes, TimeFormat::H12), "Thursday, 12/03/2026, 2:30 pm");
    assert_eq!(shown("de", DateFormat::DmyDots, TimeFormat::H24), "Donnerstag, 03.12.2026, 14:30");
    assert_eq!(shown("fr", DateFormat::DmySlashes, TimeFormat::H24), "jeudi 03/12/2026, 14:30");
    let spanish = formats("es", DateFormat::DmySlashes, TimeFormat::H24);
    assert_eq!(spanish.day(spanish.date_of(start)), "jueves, 3 de diciembre");
    assert_eq!(spanish.start(start).iso, "2026-12-03T14:30:00+01:00");
    let noon = formats("en", DateFormat::YmdDashes, TimeFormat::H12);
    assert_eq!(
        (noon.time(at("2026-12-03T11:00:00Z")), noon.time(at("2026-12-02T23:05:00Z"))),
        ("12:00 pm".into(), "12:05 am".into())
    );
}

#[test]
fn time_that_occurs_twice_names_its_zone() {
    let formats = formats("en", DateFormat::YmdDashes, TimeFormat::H24);
    let shown: Vec<_> = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]
        .map(|instant| formats.time(at(instant)))
        .into();
    assert_eq!(shown, ["02:30 (CEST)", "02:30 (CET)", "03:30"]);
}

#[test]
fn prices_and_durations_are_those_of_the_language() {
    let of = |language| formats(language, DateFormat::YmdDashes, TimeFormat::H24);
    assert_eq!(of("en").price(4205, "EUR"), "€42.05");
    assert_eq!(of("de").price(4205, "EUR"), "42,05 €");
    assert_eq!(of("en").price(500, "JPY"), "¥500");
    let durations = [20, 60, 95, 1440, 2880].map(|minutes| of("en").minutes(minutes));
    assert_eq!(durations, ["20 min", "1 h", "1 h 35 min", "1 day", "2 days"]);
}
