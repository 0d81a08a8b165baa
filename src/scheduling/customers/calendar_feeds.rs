//! Calendars (RFC 5545): feeds that programs subscribe to by a secret URL, and a file for a single appointment.
//! [`super::ics`] writes their text.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Response,
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ics::{Entry, Ics, Refreshed},
    online,
};
use crate::{
    db::{Context, Db, FrontDoor, Params, Sql, row},
    http::{
        caller::{Member, Staff, Viewer},
        conditional,
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{
            ApiError, Deleting, Failure, Listing, OnConstraint as _, OpenReading, Problem, Reading, Writing,
        },
        secret::{CalendarFeed as FeedSecret, Secret},
        values::{IdempotencyKey, Instant, Text},
    },
    operations::idempotency::Once,
    scheduling::{booking::named_appointment, features::Appointments, slots::problems::unknown_provider},
    sql,
};

/// A calendar feed. Its URL is a secret that gives access to it.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarFeed {
    pub id: Uuid,
    /// The provider whose appointments the feed contains. Absent: all providers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Uuid>,
    /// The name of the feed, 1 to 200 characters.
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// The account or API key that created the feed.
    pub created_by: Uuid,
    /// The path of the feed, with its secret. Returned only once, when the feed is created; absent from a replayed
    /// answer (`Idempotency-Replayed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

row! {
    CalendarFeed { id, provider_id, name, created_at, created_by; path: None }
}

/// A row of a feed. The first has no entry.
struct FeedRow {
    feed_name: String,
    entry_updated_at: DateTime<Utc>,
    entry: Option<Entry>,
}

row! {
    FeedRow { feed_name, entry_updated_at, entry: Option<Entry> }
}

/// A new calendar feed.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewCalendarFeed {
    /// The name of the feed, 1 to 200 characters.
    pub name: Text<1, 200>,
    /// The provider whose appointments the feed contains. Defaults to all providers.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
}

impl Example for NewCalendarFeed {
    fn example() -> Self {
        Self { name: Text::parse("My telephone").expect("a name is text"), provider_id: None }
    }
}

/// Changes to a calendar feed. Omitted fields are kept.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct CalendarFeedChanges {
    /// The name of the feed, 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
}

impl Example for CalendarFeedChanges {
    fn example() -> Self {
        Self { name: Text::parse("My new telephone").ok() }
    }
}

const GET_FEED: Sql<CalendarFeed> = sql!("scheduling/calendar_feeds_get.sql" as CalendarFeed);

const SINGLE: Single<CalendarFeed> = Single::new(sql!("scheduling/calendar_feeds_lock_row.sql"), GET_FEED);

pub struct CalendarFeedsApi {
    pub db: Db,
    pub door: FrontDoor,
}

#[OpenApi(prefix_path = "/api/v1")]
impl CalendarFeedsApi {
    /// List calendar feeds
    ///
    /// All calendar feeds, without their secrets, in the order in which they were created.
    #[oai(path = "/calendar-feeds", method = "get", operation_id = "list_calendar_feeds")]
    async fn list(
        &self,
        caller: Member<Staff>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<CalendarFeed>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let since = updated_since.0.map(|instant| instant.0);
        let sql = sql!("scheduling/calendar_feeds_list.sql" as CalendarFeed);
        let feeds = self.db.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0, &since]).await?;
        Ok(Json(page.of(feeds, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a calendar feed
    ///
    /// For calendar programs, which subscribe to its URL. The URL gives access to the appointments of the past 60 and
    /// the next 400 days, with the names of the contacts, until the feed is deleted or its creator leaves the
    /// organization.
    #[oai(path = "/calendar-feeds", method = "post", operation_id = "create_calendar_feed")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewCalendarFeed>,
    ) -> Result<Response<Created<CalendarFeed>>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_calendar_feed", idempotency_key.0, &body.0)?;
        let secret = Secret::<FeedSecret>::draw(caller.tenant(), Uuid::now_v7());
        let sql = sql!("scheduling/calendar_feeds_create.sql" as CalendarFeed);
        let hash = secret.hash();
        let params: Params = &[&secret.second, &body.0.provider_id, &&*body.0.name, &&hash[..]];
        let created = once.create(&self.db, context, sql, params).await;
        let mut feed: CalendarFeed =
            created.on_constraint("calendar_feeds_provider_fkey", unknown_provider)?;
        // As it is read later, without its path: only the hash of the secret is stored.
        let etag = conditional::etag_of(&feed)?;
        feed.path = (!once.is_replay()).then(|| format!("/api/v1/calendar.ics?token={}", secret.reveal()));
        let created = once.created(format!("/api/v1/calendar-feeds/{}", feed.id), feed);
        Ok(Response::new(created).header("ETag", etag))
    }

    /// Get a calendar feed
    ///
    /// Returns the feed without its URL.
    #[oai(path = "/calendar-feeds/:calendar_feed_id", method = "get", operation_id = "get_calendar_feed")]
    async fn get_feed(
        &self,
        caller: Member<Staff>,
        calendar_feed_id: Path<Uuid>,
    ) -> Result<Json<CalendarFeed>, ApiError<Reading>> {
        let feed = self.db.optional(&caller, GET_FEED, &[&calendar_feed_id.0]).await?;
        Ok(Json(feed.ok_or_else(Problem::not_found)?))
    }

    /// Change a calendar feed
    ///
    /// Changes the name; the URL stays the same.
    #[oai(
        path = "/calendar-feeds/:calendar_feed_id",
        method = "patch",
        operation_id = "update_calendar_feed"
    )]
    async fn update_feed(
        &self,
        caller: Member<Staff, Appointments>,
        calendar_feed_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<CalendarFeedChanges>,
    ) -> Result<Json<CalendarFeed>, ApiError<Writing>> {
        let sql = sql!("scheduling/calendar_feeds_update.sql" as CalendarFeed);
        let params: Params = &[&calendar_feed_id.0, &body.0.name.as_deref()];
        let single = (&SINGLE, &params[..1]);
        let feed = if_match.change(&self.db, &caller, single, sql, params).await?;
        Ok(Json(feed.ok_or_else(Problem::not_found)?))
    }

    /// Delete a calendar feed
    ///
    /// Its URL stops working immediately.
    #[oai(
        path = "/calendar-feeds/:calendar_feed_id",
        method = "delete",
        operation_id = "delete_calendar_feed"
    )]
    async fn delete(
        &self,
        caller: Member<Staff>,
        calendar_feed_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&calendar_feed_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("scheduling/calendar_feeds_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Read a calendar feed
    ///
    /// Returns the feed as iCalendar text. A cancelled appointment stays in the feed with the status cancelled. An
    /// appointment with several services is one entry, which lists them with their times. Renaming a service or a
    /// contact changes `LAST-MODIFIED` and `SEQUENCE` of the entries that contain the name; renaming a provider changes
    /// only `LAST-MODIFIED`. `REFRESH-INTERVAL` asks programs to read the feed again every 15 minutes. 404 after the
    /// feed was deleted.
    #[oai(path = "/calendar.ics", method = "get", operation_id = "read_calendar_feed")]
    async fn read(
        &self,
        /// The secret of the feed.
        token: Query<Secret<FeedSecret>>,
        /// The `ETag` of an earlier answer, or several, comma-separated. 304 if the content has one of them.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The `Last-Modified` of an earlier answer. 304 if the content has not changed since. Ignored if
        /// `If-None-Match` is sent.
        #[oai(name = "If-Modified-Since")]
        if_modified_since: Header<Option<String>>,
    ) -> Result<Refreshed, ApiError<OpenReading>> {
        let rows = self
            .door
            .gate_all(
                sql!("scheduling/calendar_feeds_read.sql" as FeedRow),
                &[&token.0.first, &token.0.second, &&token.0.hash()[..]],
            )
            .await?;
        let mut rows = rows.into_iter();
        let FeedRow { feed_name, entry_updated_at, .. } = rows.next().ok_or_else(Problem::not_found)?;
        let entries: Vec<Entry> = rows.filter_map(|row| row.entry).collect();
        let ics = Ics::new(&feed_name, &entries, entry_updated_at);
        Ok(ics.unless_held(if_none_match.0.as_deref(), if_modified_since.0.as_deref()))
    }

    /// Get an appointment as a calendar entry
    ///
    /// Returns the appointment as an iCalendar file. Its entry has the same `UID` and `SEQUENCE` as in feeds.
    #[oai(
        path = "/appointments/:appointment_id/calendar.ics",
        method = "get",
        operation_id = "get_appointment_calendar"
    )]
    async fn get(
        &self,
        caller: Member<Viewer>,
        appointment_id: Path<Uuid>,
        /// The `ETag` of an earlier answer, or several, comma-separated. 304 if the content has one of them.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The `Last-Modified` of an earlier answer. 304 if the content has not changed since. Ignored if
        /// `If-None-Match` is sent.
        #[oai(name = "If-Modified-Since")]
        if_modified_since: Header<Option<String>>,
    ) -> Result<Refreshed, ApiError<Reading>> {
        let ics = one(&self.db, (&caller).into(), appointment_id.0).await?;
        Ok(ics.unless_held(if_none_match.0.as_deref(), if_modified_since.0.as_deref()))
    }
}

/// The calendar of one appointment. The link of a guest expires 30 days after its end.
pub async fn one(db: &Db, context: Context, appointment: Uuid) -> Result<Ics, Failure> {
    let named = named_appointment::get(db, context, appointment).await?;
    online::check_link(context, named.appointment.ends_at)?;
    let (organization, changed_at) = (named.organization.clone(), named.organization_updated_at);
    Ok(Ics::new(&organization, &[named.into()], changed_at))
}
