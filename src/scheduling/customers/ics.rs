//! Appointments as iCalendar text (RFC 5545, RFC 7986), and the responses that contain it. All times are in UTC, which
//! needs no definitions of time zones.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus, Property};
use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    http::conditional::Version,
    scheduling::booking::{
        appointment::AppointmentStatus,
        named::{self, NamedSegment},
    },
};

const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";

/// How often calendar programs should read a feed again.
const REFRESH: &str = "PT15M";

/// A calendar as text (RFC 5545).
pub struct Ics {
    text: String,
    version: Version,
}

impl Ics {
    /// A calendar with this name. Its content last changed at `changed_at` or with the newest entry, whichever is
    /// later.
    pub fn new(name: &str, rows: &[Row], changed_at: DateTime<Utc>) -> Self {
        let changed_at = rows.iter().map(|row| row.get("entry_updated_at")).fold(changed_at, DateTime::max);
        let text = calendar(name, rows);
        let version = Version::new(&text, changed_at, Utc::now());
        Self { text, version }
    }

    /// The calendar, or 304 if the client has this version.
    pub fn unless_held(self, if_none_match: Option<&str>, if_modified_since: Option<&str>) -> Refreshed {
        let held = self.version.is_held(if_none_match, if_modified_since);
        Refreshed { ics: self, held }
    }
}

impl IntoResponse for Ics {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(MEDIA_TYPE)
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::CONTENT_DISPOSITION, r#"inline; filename="appointments.ics""#)
            .header(header::ETAG, &self.version.etag)
            .header(header::LAST_MODIFIED, self.version.last_modified())
            .body(self.text)
    }
}

impl ApiResponse for Ics {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![whole()] }
    }

    fn register(_registry: &mut Registry) {}
}

/// A calendar, or 304 if the client has this version.
pub struct Refreshed {
    ics: Ics,
    held: bool,
}

impl IntoResponse for Refreshed {
    fn into_response(self) -> Response {
        if !self.held {
            return self.ics.into_response();
        }
        Response::builder()
            .status(StatusCode::NOT_MODIFIED)
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::ETAG, &self.ics.version.etag)
            .header(header::LAST_MODIFIED, self.ics.version.last_modified())
            .finish()
    }
}

impl ApiResponse for Refreshed {
    fn meta() -> MetaResponses {
        let unchanged = MetaResponse {
            description: "Not modified: the client has the current version, according to `If-None-Match` or `If-Modified-Since`.",
            status: Some(304),
            status_range: None,
            content: vec![],
            headers: validators(),
        };
        MetaResponses { responses: vec![whole(), unchanged] }
    }

    fn register(_registry: &mut Registry) {}
}

fn whole() -> MetaResponse {
    MetaResponse {
        description: "An iCalendar object (RFC 5545).",
        status: Some(200),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: MEDIA_TYPE,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
        }],
        headers: validators(),
    }
}

fn validators() -> Vec<MetaHeader> {
    let header = |name: &str, description: &str| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    };
    vec![
        header("ETag", "The version of the content. Send it as `If-None-Match`."),
        header(
            "Last-Modified",
            "When the content last changed, at the latest. Send it as `If-Modified-Since`.",
        ),
    ]
}

fn calendar(name: &str, rows: &[Row]) -> String {
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0")).append_property(("PRODID", "-//appointd//appointd//EN"));
    // The library escapes the properties of RFC 5545 and those that begin with X-, but not NAME of RFC 7986.
    calendar.append_property(("NAME", escaped(name).as_str())).append_property(("X-WR-CALNAME", name));
    let mut interval = Property::new("REFRESH-INTERVAL", REFRESH);
    interval.add_parameter("VALUE", "DURATION");
    calendar.append_property(interval).append_property(("X-PUBLISHED-TTL", REFRESH));
    for row in rows {
        calendar.push(event(row));
    }
    calendar.to_string()
}

/// Escapes text (RFC 5545 section 3.3.11).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ',' | ';' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            character => escaped.push(character),
        }
    }
    escaped
}

fn event(row: &Row) -> Event {
    let id: Uuid = row.get("id");
    let (service, provider): (&str, &str) = (row.get("service_name"), row.get("provider_name"));
    let contact: Option<&str> = row.get("contact_name");
    let status = AppointmentStatus::from_name(row.get("status"));
    let shown = match status {
        AppointmentStatus::Pending => EventStatus::Tentative,
        AppointmentStatus::Cancelled | AppointmentStatus::Declined => EventStatus::Cancelled,
        _ => EventStatus::Confirmed,
    };
    let updated_at: DateTime<Utc> = row.get("entry_updated_at");
    let segments = named::segments(row);
    let services = match &segments {
        Some(segments) => {
            segments.iter().map(|segment| segment.service_name.as_str()).collect::<Vec<_>>().join(", ")
        }
        None => service.to_owned(),
    };
    let summary = match contact {
        Some(contact) => format!("{services}: {contact}"),
        None => services,
    };
    let description = match &segments {
        Some(segments) => listed(segments, row.get("time_zone")),
        None => format!("With {provider}"),
    };
    Event::new()
        // The same in every feed and for the life of the appointment.
        .uid(&format!("{id}@appointd"))
        .timestamp(updated_at)
        .created(row.get("created_at"))
        .last_modified(updated_at)
        .starts(row.get::<_, DateTime<Utc>>("starts_at"))
        .ends(row.get::<_, DateTime<Utc>>("ends_at"))
        .sequence(u32::try_from(row.get::<_, i32>("entry_sequence")).unwrap_or_default())
        .status(shown)
        .append_property(("TRANSP", if status.takes_time() { "OPAQUE" } else { "TRANSPARENT" }))
        .summary(&summary)
        .description(&description)
        .done()
}

/// The services of a visit, one on each line: `09:00–09:30 Cut with Ada`. Then the time zone, because text has none.
fn listed(segments: &[NamedSegment], time_zone: &str) -> String {
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    let clock = |instant: DateTime<Utc>| instant.with_timezone(&zone).format("%H:%M").to_string();
    let line = |segment: &NamedSegment| {
        let NamedSegment { service_name, provider_name, starts_at, ends_at, .. } = segment;
        format!("{}–{} {service_name} with {provider_name}\n", clock(*starts_at), clock(*ends_at))
    };
    format!("{}({})", segments.iter().map(line).collect::<String>(), zone.name())
}
