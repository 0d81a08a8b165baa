//! Events: what happened in an organization, in an order that never changes. Triggers write them and the
//! [`publisher`](super::publisher) numbers them; see `sql/migrations/V0036__messaging_events.sql`.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use super::event_types::Catalogue;
use crate::{
    db::{self, Db, Entry, WorkerDb, row},
    http::{
        caller::{Customer, Member, Viewer},
        json::{AnyObject, Json},
        page::any_of,
        problem::{self, ApiError, Failure, Problem},
        values::{List, Number, Text, Whole, named_enum},
    },
    sql,
};

/// The maximum number of events of an answer, 1 to 500.
type Most = Number<1, 500>;

/// The default number of events of an answer.
const DEFAULT_MOST: Most = Number(100);

/// How many events one transaction deletes.
const MOST_FORGOTTEN: i64 = 5000;

named_enum! {
    /// The kind of actor that caused an event.
    EventActorKind {
        Account = "account",
        ApiKey = "api_key",
        /// A customer without an account.
        Guest = "guest",
        /// The server itself, or the operator.
        System = "system",
    }
}

/// Something that happened.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Event {
    /// The id of the event. An event that is delivered twice has the same id.
    pub id: Uuid,
    /// The number of the event in the organization, from 1. A later event has a higher one.
    pub position: i64,
    /// The kind of the object and what happened to it: see `GET /api/v1/event-types`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    pub occurred_at: DateTime<Utc>,
    pub actor_kind: EventActorKind,
    /// The account or API key that caused it. Absent for guests and the system, and for customers who read the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<Uuid>,
    /// The `X-Request-Id` of the request that caused it. Absent if it was caused by no request, and for customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The id of the object; for a member, that of the account; for a schedule, that of the provider; for what an
    /// organization has once, that of the organization.
    pub subject_id: Uuid,
    /// The object after the event, with the names of what it refers to. If it was deleted: the object before that.
    pub data: AnyObject,
    /// What the changed fields held before, with the names of what they referred to. Absent if the object is new or
    /// deleted, or if none of its fields changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<AnyObject>,
}

row! {
    Event {
        id, position, kind = type, occurred_at, actor_kind, actor_id, request_id, subject_id, data as json,
        previous as json
    }
}

/// Events in the order of their positions.
#[derive(Debug, Object, Serialize)]
pub struct Events {
    pub items: Vec<Event>,
    /// Send this as `after` to get the events that follow. It is present even if `items` is empty.
    pub next_after: i64,
    /// The oldest position that is kept; one more than the newest if no event is kept.
    pub oldest_position: i64,
}

/// An event, or none, and how far events are published.
#[derive(Debug)]
struct Published {
    last_position: i64,
    oldest_position: i64,
    /// The role of the reader.
    role: String,
    event: Option<Event>,
}

row! {
    Published { last_position, oldest_position, role, event: Option<Event> }
}

/// Events after a position, for a stream.
#[derive(Debug)]
pub struct Following {
    pub role: String,
    pub last_position: i64,
    pub oldest_position: i64,
    pub events: Vec<Event>,
}

/// Reads at most so many events after a position: those that a member may read, or those of a customer.
pub async fn after(
    db: &Db,
    reader: impl Into<Entry>,
    is_customer: bool,
    position: i64,
    most: i64,
) -> Result<Following, Failure> {
    let (types, subject): (Option<Vec<String>>, Option<Uuid>) = (None, None);
    let rows = if is_customer {
        let sql = sql!("messaging/events_list_mine.sql" as Published);
        db.all(reader, sql, &[&position, &most]).await?
    } else {
        let sql = sql!("messaging/events_list.sql" as Published);
        db.all(reader, sql, &[&position, &types, &subject, &most]).await?
    };
    // An organization always has a row of messaging.turns.
    let Some(Published { last_position, oldest_position, role, .. }) = rows.first() else {
        return Err(Problem::internal().into());
    };
    let (role, last_position, oldest_position) = (role.clone(), *last_position, *oldest_position);
    let events = rows.into_iter().filter_map(|row| row.event).collect();
    Ok(Following { role, last_position, oldest_position, events })
}

pub struct EventsApi {
    pub db: Db,
    pub catalogue: Catalogue,
}

#[OpenApi(prefix_path = "/api/v1")]
impl EventsApi {
    /// List events
    ///
    /// What happened in the organization after a position, oldest first. To follow the events, send the `next_after` of
    /// an answer as `after` of the next request, also if `items` is empty: no event is missed, and none comes twice. An
    /// event appears at most a few seconds after it happened. The plan says for how many days events are kept
    /// (`event_days`). 410 `cursor_expired` if
    /// events after `after` are not kept any more: read the lists again, then follow from `oldest_position`, which an
    /// answer without `after` contains.
    #[oai(path = "/events", method = "get", operation_id = "list_events")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only events after this position. Defaults to the oldest that is kept.
        after: Query<Option<Whole>>,
        /// Only events of this type. Can be repeated, up to 50 times.
        types: Query<List<Text<1, 100>, 0, 50>>,
        /// Only events of the object with this id.
        subject_id: Query<Option<Uuid>>,
        /// The maximum number of events. Defaults to 100.
        limit: Query<Option<Most>>,
    ) -> Result<Json<Events>, ApiError<problem::Following>> {
        if types.0.iter().any(|name| !self.catalogue.has(name)) {
            let detail = "expected types of GET /api/v1/event-types";
            Err(Problem::invalid_field("types", "invalid_value", detail))?;
        }
        let (after, most) = (after.0.map(|after| after.0), limit.0.unwrap_or(DEFAULT_MOST).0);
        let types: Option<Vec<String>> = any_of(types.0.iter().map(|name| (**name).to_owned()).collect());
        let sql = sql!("messaging/events_list.sql" as Published);
        let rows = self.db.all(&caller, sql, &[&after, &types, &subject_id.0, &i64::from(most)]).await?;
        Ok(Json(answer(rows, after, most)?))
    }

    /// List my events
    ///
    /// What happened to the appointments and waitlist entries of the customer, oldest first. Works like
    /// `GET /api/v1/events`, also with 410 `cursor_expired`. Of an object it contains what its own operations show to
    /// the customer.
    #[oai(path = "/my/events", method = "get", operation_id = "list_my_events")]
    async fn list_mine(
        &self,
        caller: Member<Customer>,
        /// Only events after this position. Defaults to the oldest that is kept.
        after: Query<Option<Whole>>,
        /// The maximum number of events. Defaults to 100.
        limit: Query<Option<Most>>,
    ) -> Result<Json<Events>, ApiError<problem::Following>> {
        let (after, most) = (after.0.map(|after| after.0), limit.0.unwrap_or(DEFAULT_MOST).0);
        let sql = sql!("messaging/events_list_mine.sql" as Published);
        let rows = self.db.all(&caller, sql, &[&after, &i64::from(most)]).await?;
        Ok(Json(answer(rows, after, most)?))
    }
}

fn answer(rows: Vec<Published>, after: Option<i64>, most: i32) -> Result<Events, Problem> {
    // An organization always has a row of messaging.turns.
    let Some(Published { last_position, oldest_position, .. }) = rows.first() else {
        return Err(Problem::internal());
    };
    let (last, oldest) = (*last_position, *oldest_position);
    if after.is_some_and(|after| after + 1 < oldest) {
        Err(Problem::gone("cursor_expired", "Events after this position are not kept any more."))?;
    }
    let items: Vec<Event> = rows.into_iter().filter_map(|row| row.event).collect();
    // A full page may not be the last. On any other, nothing up to the newest position was left out but by the filters.
    let full = usize::try_from(most).is_ok_and(|most| items.len() >= most);
    let read = items.last().filter(|_| full).map_or(last, |event| event.position);
    Ok(Events { items, next_after: read.max(after.unwrap_or(0)), oldest_position: oldest })
}

/// Deletes the events of an organization that are not kept any more.
pub async fn forget(db: &WorkerDb, tenant: Uuid) -> Result<(), db::Error> {
    loop {
        let sql = sql!("messaging/events_forget.sql" as (i64,));
        let forgotten = db.begin(tenant).commit_with(sql, &[&MOST_FORGOTTEN]).await?;
        if forgotten.is_none_or(|(events,)| events < MOST_FORGOTTEN) {
            return Ok(());
        }
    }
}
