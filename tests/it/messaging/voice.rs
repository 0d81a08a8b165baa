//! How an organization writes times.

use appointd::{http::values::TimeZone, messaging::voice::Voice};
use chrono::{DateTime, Utc};

fn voice(date_format: &str, time_format: &str) -> Voice {
    Voice {
        name: "Acme".to_owned(),
        address: None,
        logo_url: None,
        color: None,
        language: "de-CH".to_owned(),
        date_format: date_format.to_owned(),
        time_format: time_format.to_owned(),
        time_zone: TimeZone::parse("Europe/Berlin").expect("a zone"),
    }
}

#[test]
fn instant_is_written_in_the_language_zone_and_formats_of_the_organization() {
    let instant: DateTime<Utc> = "2031-03-30T13:05:00Z".parse().expect("an instant");
    for (language, date, time, expected) in [
        ("en", "ymd_dashes", "h24", "Sunday 2031-03-30 15:05 (Europe/Berlin)"),
        ("de", "dmy_dots", "h24", "Sonntag 30.03.2031 15:05 (Europe/Berlin)"),
        ("fr", "dmy_slashes", "h24", "dimanche 30/03/2031 15:05 (Europe/Berlin)"),
        ("es", "mdy_slashes", "h12", "domingo 03/30/2031 3:05 pm (Europe/Berlin)"),
        // A language whose days are not known.
        ("it", "dmy_slashes", "h12", "30/03/2031 3:05 pm (Europe/Berlin)"),
    ] {
        assert_eq!(voice(date, time).instant(language, instant), expected);
    }
    assert_eq!(voice("ymd_dashes", "h24").language(), "de");
}
