//! How an organization speaks to people: its name and looks, its language, and how it writes times.

use chrono::{DateTime, Datelike as _, Utc};

use crate::{
    db::{self, Sql, Tx, row},
    http::values::TimeZone,
    sql,
};

/// The language of texts that an organization has in no language of its own.
pub const FALLBACK: &str = "en";

/// How an organization speaks to people.
#[derive(Clone, Debug)]
pub struct Voice {
    pub name: String,
    /// Its postal address, in lines.
    pub address: Option<String>,
    pub logo_url: Option<String>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// A BCP 47 tag.
    pub language: String,
    pub date_format: String,
    pub time_format: String,
    pub time_zone: TimeZone,
}

row! {
    Voice { name, address, logo_url, color, language, date_format, time_format, time_zone }
}

/// Reads the voice of the organization that is entered.
pub const GET: Sql<Voice> = sql!("messaging/voice_get.sql" as Voice);

impl Voice {
    /// The voice of the organization that a transaction has entered.
    pub async fn inside(tx: &mut Tx) -> Result<Self, db::Error> {
        tx.one(GET, &[]).await
    }

    /// The language without script and region.
    pub fn language(&self) -> &str {
        self.language.split('-').next().unwrap_or(FALLBACK)
    }

    /// An instant in the organization's time zone, which is named: `Montag 05.05.2031 11:00 (Europe/Berlin)`. Without
    /// the day of the week in a language whose names are not known.
    pub fn instant(&self, language: &str, instant: DateTime<Utc>) -> String {
        let zone = self.time_zone.0;
        let local = instant.with_timezone(&zone);
        let date = local.format(match self.date_format.as_str() {
            "dmy_dots" => "%d.%m.%Y",
            "dmy_slashes" => "%d/%m/%Y",
            "mdy_slashes" => "%m/%d/%Y",
            _ => "%Y-%m-%d",
        });
        let time = local.format(match self.time_format.as_str() {
            "h12" => "%-I:%M %P",
            _ => "%H:%M",
        });
        let day = days(language).map(|days| days[local.weekday().num_days_from_monday() as usize]);
        let day = day.map(|day| format!("{day} ")).unwrap_or_default();
        format!("{day}{date} {time} ({})", zone.name())
    }
}

/// The days of the week from Monday on, as they are written in the middle of a sentence.
fn days(language: &str) -> Option<[&'static str; 7]> {
    Some(match language {
        "en" => ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
        "de" => ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
        "fr" => ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
        "es" => ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
        _ => return None,
    })
}
