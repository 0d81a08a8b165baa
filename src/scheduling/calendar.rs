//! Calendars (RFC 5545): feeds that programs subscribe to by a secret URL, and one file for one appointment. All times are
//! in UTC, which is right in every zone and needs no definitions of any.

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus};
use poem::{IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path, Query},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{appointments::AppointmentStatus, availability::unknown_provider};
use crate::{
    db::{Context, Db},
    http::{
        Tag,
        caller::{Appointments, Member, Staff, Viewer},
        json::{Created, Json, NoContent, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{
            Changing, Creating, Deleting, Failure, Listing, OnConstraint as _, OpenReading, Problem, Reading,
            Refused,
        },
        secret::{CalendarFeed as FeedSecret, Secret},
        text::{IdempotencyKey, Text},
    },
    operations::idempotency::Once,
    sql,
};

const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";

/// A calendar that can be read by whoever has its URL.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarFeed {
    pub id: Uuid,
    /// Whose appointments it shows; absent: everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    /// Says what it is for.
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// The account or API key that made it.
    pub created_by: Uuid,
    /// Where it is read, with the secret: shown once, when it is made; a replay has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<Row> for CalendarFeed {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            provider_id: row.get(1),
            name: row.get(2),
            created_at: row.get(3),
            created_by: row.get(4),
            path: None,
        }
    }
}

/// A calendar feed to make.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewCalendarFeed {
    /// Says what it is for.
    pub name: Text<1, 200>,
    /// Whose appointments it shows; everybody's where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
}

impl Example for NewCalendarFeed {
    fn example() -> Self {
        Self { name: Text::parse("My telephone").expect("a name is text"), provider_id: None }
    }
}

/// What to change of a calendar feed; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct CalendarFeedChanges {
    /// Says what it is for.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
}

impl Example for CalendarFeedChanges {
    fn example() -> Self {
        Self { name: Text::parse("My new telephone").ok() }
    }
}

/// A calendar as text (RFC 5545).
pub struct Ics(pub String);

impl IntoResponse for Ics {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(MEDIA_TYPE)
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::CONTENT_DISPOSITION, r#"inline; filename="appointments.ics""#)
            .body(self.0)
    }
}

impl ApiResponse for Ics {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "An iCalendar object (RFC 5545).",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: MEDIA_TYPE,
                    schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

pub struct CalendarApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl CalendarApi {
    /// List calendar feeds
    ///
    /// In the order in which they were made, without their secrets.
    #[oai(path = "/calendar-feeds", method = "get", operation_id = "list_calendar_feeds")]
    async fn list(
        &self,
        caller: Member<Staff>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<CalendarFeed>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .0
            .all(&caller, sql!("scheduling/calendar_feeds_list.sql"), &[&after, &i64::from(size + 1)])
            .await?;
        let feeds = rows.into_iter().map(CalendarFeed::from).collect();
        Ok(Json(Page::new(feeds, size, |last| Cursor::id(last.id))))
    }

    /// Create a calendar feed
    ///
    /// For calendar programs, which subscribe to its URL. Whoever has that reads the appointments of 60 days back and 400 ahead,
    /// with the names of those who come, until the feed is deleted or whoever made it leaves.
    #[oai(path = "/calendar-feeds", method = "post", operation_id = "create_calendar_feed")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewCalendarFeed>,
    ) -> Result<Created<CalendarFeed>, Refused<Creating>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_calendar_feed", idempotency_key.0, &body.0)?;
        let secret = Secret::<FeedSecret>::draw(caller.tenant(), Uuid::now_v7());
        let mut feed: CalendarFeed = Once::create(
            once.as_ref(),
            &self.0,
            context,
            sql!("scheduling/calendar_feeds_create.sql"),
            &[&secret.second, &body.0.provider_id, &&*body.0.name, &&secret.hash()[..]],
        )
        .await
        .on_constraint("calendar_feeds_provider_fkey", unknown_provider)?;
        let replayed = Once::is_replay(once.as_ref());
        // Only the hash of the secret is kept.
        feed.path = (!replayed).then(|| format!("/api/v1/calendar.ics?token={}", secret.reveal()));
        Ok(Created { location: format!("/api/v1/calendar-feeds/{}", feed.id), body: feed, replayed })
    }

    /// Get a calendar feed
    ///
    /// Without its URL.
    #[oai(path = "/calendar-feeds/:calendar_feed_id", method = "get", operation_id = "get_calendar_feed")]
    async fn get_feed(
        &self,
        caller: Member<Staff>,
        calendar_feed_id: Path<Uuid>,
    ) -> Result<Json<CalendarFeed>, Refused<Reading>> {
        let row = self
            .0
            .optional(&caller, sql!("scheduling/calendar_feeds_get.sql"), &[&calendar_feed_id.0])
            .await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Change a calendar feed
    ///
    /// Its URL stays the same.
    #[oai(
        path = "/calendar-feeds/:calendar_feed_id",
        method = "patch",
        operation_id = "update_calendar_feed"
    )]
    async fn update_feed(
        &self,
        caller: Member<Staff, Appointments>,
        calendar_feed_id: Path<Uuid>,
        body: Json<CalendarFeedChanges>,
    ) -> Result<Json<CalendarFeed>, Refused<Changing>> {
        let row = self
            .0
            .optional(
                &caller,
                sql!("scheduling/calendar_feeds_update.sql"),
                &[&calendar_feed_id.0, &body.0.name.as_deref()],
            )
            .await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Delete a calendar feed
    ///
    /// Its URL shows nothing any more.
    #[oai(
        path = "/calendar-feeds/:calendar_feed_id",
        method = "delete",
        operation_id = "delete_calendar_feed"
    )]
    async fn delete(
        &self,
        caller: Member<Staff>,
        calendar_feed_id: Path<Uuid>,
    ) -> Result<NoContent, Refused<Deleting>> {
        self.0
            .optional(&caller, sql!("scheduling/calendar_feeds_delete.sql"), &[&calendar_feed_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Read a calendar feed
    ///
    /// 404 where it was deleted.
    #[oai(path = "/calendar.ics", method = "get", operation_id = "read_calendar_feed")]
    async fn read(
        &self,
        /// The secret of the feed.
        token: Query<Secret<FeedSecret>>,
    ) -> Result<Ics, Refused<OpenReading>> {
        let rows = self
            .0
            .gate_all(
                sql!("scheduling/calendar_feeds_read.sql"),
                &[&token.0.first, &token.0.second, &&token.0.hash()[..]],
            )
            .await?;
        let (name, entries) = rows.split_first().ok_or_else(Problem::not_found)?;
        Ok(Ics(calendar(name.get("feed_name"), entries)))
    }

    /// Get an appointment as a calendar entry
    ///
    /// One iCalendar file, to be attached or opened.
    #[oai(
        path = "/appointments/:appointment_id/calendar.ics",
        method = "get",
        operation_id = "get_appointment_calendar"
    )]
    async fn get(&self, caller: Member<Viewer>, appointment_id: Path<Uuid>) -> Result<Ics, Refused<Reading>> {
        Ok(one(&self.0, (&caller).into(), appointment_id.0).await?)
    }
}

/// One appointment.
pub async fn one(db: &Db, context: Context, appointment: Uuid) -> Result<Ics, Failure> {
    let row = db
        .optional(context, sql!("scheduling/calendar_appointment.sql"), &[&appointment])
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Ics(calendar(row.get("feed_name"), std::slice::from_ref(&row))))
}

fn calendar(name: &str, rows: &[Row]) -> String {
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0")).append_property(("PRODID", "-//appointd//appointd//EN"));
    calendar.name(name);
    for row in rows {
        calendar.push(event(row));
    }
    calendar.to_string()
}

fn event(row: &Row) -> Event {
    let id: Uuid = row.get("id");
    let (service, provider): (&str, &str) = (row.get("service_name"), row.get("provider_name"));
    let contact: Option<&str> = row.get("contact_name");
    let status = match AppointmentStatus::from_name(row.get("status")) {
        AppointmentStatus::Pending => EventStatus::Tentative,
        AppointmentStatus::Cancelled | AppointmentStatus::Declined => EventStatus::Cancelled,
        _ => EventStatus::Confirmed,
    };
    let updated_at: DateTime<Utc> = row.get("updated_at");
    let summary = match contact {
        Some(contact) => format!("{service}: {contact}"),
        None => service.to_owned(),
    };
    Event::new()
        // The same for as long as there is the appointment, in every feed.
        .uid(&format!("{id}@appointd"))
        .timestamp(updated_at)
        .created(row.get("created_at"))
        .last_modified(updated_at)
        .starts(row.get::<_, DateTime<Utc>>("starts_at"))
        .ends(row.get::<_, DateTime<Utc>>("ends_at"))
        .sequence(u32::try_from(row.get::<_, i32>("sequence")).unwrap_or_default())
        .status(status)
        .summary(&summary)
        .description(&format!("With {provider}"))
        .done()
}
