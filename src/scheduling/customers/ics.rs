//! Appointments as iCalendar text (RFC 5545, RFC 7986), and the responses that contain it. All times are in UTC, which
//! needs no definitions of time zones.

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus, Property};
use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use uuid::Uuid;

use crate::{
    db::row,
    http::conditional::Version,
    scheduling::booking::{
        appointment::AppointmentStatus,
        named_appointment::{NamedAppointment, NamedSegment},
    },
};

const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";

const PRODUCT: &str = "-//appointd//appointd//EN";

/// How often calendar programs should read a feed again.
const REFRESH: &str = "PT15M";

/// An appointment in a calendar.
pub struct Entry {
    pub id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub status: AppointmentStatus,
    pub entry_sequence: i32,
    pub created_at: DateTime<Utc>,
    pub entry_updated_at: DateTime<Utc>,
    pub service_name: String,
    pub provider_name: String,
    pub contact_name: Option<String>,
    /// The services of a visit, in order.
    pub segments: Option<Vec<NamedSegment>>,
}

row! {
    Entry {
        id, starts_at, ends_at, status, entry_sequence, created_at, entry_updated_at, service_name, provider_name,
        contact_name, segments as json
    }
}

impl From<NamedAppointment> for Entry {
    fn from(named: NamedAppointment) -> Self {
        let appointment = named.appointment;
        Self {
            id: appointment.id,
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            status: appointment.status,
            entry_sequence: named.entry_sequence,
            created_at: appointment.created_at,
            entry_updated_at: named.entry_updated_at,
            service_name: named.service_name,
            provider_name: named.provider_name,
            contact_name: None,
            segments: named.segments,
        }
    }
}

impl Entry {
    /// The text of an e-mail that adds the entry to a calendar, changes it there, or with `cancels` removes it (RFC
    /// 5546). No answer is asked for: the appointment stands.
    pub fn invitation(&self, cancels: bool, organizer: (&str, &str), attendee: &str) -> String {
        let (name, address) = organizer;
        let mut event = event(self);
        let organizer = Property::new("ORGANIZER", format!("mailto:{address}"))
            .add_parameter("CN", &name.replace('"', "'"))
            .done();
        let part = if cancels { "DECLINED" } else { "ACCEPTED" };
        let attendee = Property::new("ATTENDEE", format!("mailto:{attendee}"))
            .add_parameter("PARTSTAT", part)
            .add_parameter("RSVP", "FALSE")
            .done();
        event.append_property(organizer).append_property(attendee);
        if cancels {
            event.status(EventStatus::Cancelled);
        }
        let mut calendar = Calendar::empty();
        calendar.append_property(("VERSION", "2.0")).append_property(("PRODID", PRODUCT));
        calendar.append_property(("METHOD", if cancels { "CANCEL" } else { "REQUEST" }));
        calendar.push(event.done());
        calendar.to_string()
    }
}

/// A calendar as text (RFC 5545).
pub struct Ics {
    text: String,
    version: Version,
}

impl Ics {
    /// A calendar with this name. Its content last changed at `changed_at` or with the newest entry, whichever is
    /// later.
    pub fn new(name: &str, entries: &[Entry], changed_at: DateTime<Utc>) -> Self {
        let changed_at = entries.iter().map(|entry| entry.entry_updated_at).fold(changed_at, DateTime::max);
        let text = calendar(name, entries);
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

fn calendar(name: &str, entries: &[Entry]) -> String {
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0")).append_property(("PRODID", PRODUCT));
    // The library escapes the properties of RFC 5545 and those that begin with X-, but not NAME of RFC 7986.
    calendar.append_property(("NAME", escaped(name).as_str())).append_property(("X-WR-CALNAME", name));
    let mut interval = Property::new("REFRESH-INTERVAL", REFRESH);
    interval.add_parameter("VALUE", "DURATION");
    calendar.append_property(interval).append_property(("X-PUBLISHED-TTL", REFRESH));
    for entry in entries {
        calendar.push(event(entry));
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

fn event(entry: &Entry) -> Event {
    let Entry { id, status, service_name: service, provider_name: provider, contact_name, segments, .. } =
        entry;
    let shown = match status {
        AppointmentStatus::Pending => EventStatus::Tentative,
        AppointmentStatus::Cancelled | AppointmentStatus::Declined => EventStatus::Cancelled,
        AppointmentStatus::Confirmed
        | AppointmentStatus::CheckedIn
        | AppointmentStatus::InProgress
        | AppointmentStatus::Completed
        | AppointmentStatus::NoShow => EventStatus::Confirmed,
    };
    let services = match segments {
        Some(segments) => {
            segments.iter().map(|segment| segment.service_name.as_str()).collect::<Vec<_>>().join(", ")
        }
        None => service.clone(),
    };
    let summary = match contact_name {
        Some(contact) => format!("{services}: {contact}"),
        None => services,
    };
    let description = match segments {
        Some(segments) => listed(segments),
        None => format!("With {provider}"),
    };
    Event::new()
        // The same in every feed and for the life of the appointment.
        .uid(&format!("{id}@appointd"))
        .timestamp(entry.entry_updated_at)
        .created(entry.created_at)
        .last_modified(entry.entry_updated_at)
        .starts(entry.starts_at)
        .ends(entry.ends_at)
        .sequence(entry.entry_sequence.unsigned_abs())
        .status(shown)
        .append_property(("TRANSP", if status.takes_time() { "OPAQUE" } else { "TRANSPARENT" }))
        .summary(&summary)
        .description(&description)
        .done()
}

/// The services of a visit, one on each line: `Cut with Ada (30 min)`. Without times of day, which would depend on the
/// time zone of the organization: a new zone makes no newer entry.
fn listed(segments: &[NamedSegment]) -> String {
    let line = |segment: &NamedSegment| {
        let NamedSegment { service_name, provider_name, starts_at, ends_at, .. } = segment;
        format!("{service_name} with {provider_name} ({} min)", (*ends_at - *starts_at).num_minutes())
    };
    segments.iter().map(line).collect::<Vec<_>>().join("\n")
}
