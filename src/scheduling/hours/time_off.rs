//! Time off: periods in which a provider is away.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Response,
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::period::Bounds;
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        conditional,
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, InstantOrDate, TimeZone},
    },
    operations::idempotency::Once,
    scheduling::features::Appointments,
    sql,
};

/// A period in which a provider is away.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct TimeOff {
    pub id: Uuid,
    pub provider_id: Uuid,
    pub starts_at: DateTime<Utc>,
    /// The end of the period, exclusive.
    pub ends_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Ids of existing appointments in this period, up to 100. They are kept; move or cancel them. Only in the answer
    /// to creating or changing time off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment_ids: Option<Vec<Uuid>>,
}

row! {
    TimeOff { id, provider_id, starts_at, ends_at, created_at, updated_at; appointment_ids: None }
}

/// New time off. No reason is stored.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewTimeOff {
    /// The beginning: an instant, or a date in `time_zone`.
    pub starts_at: InstantOrDate,
    /// The end, exclusive: an instant, or a date in `time_zone`. At most 366 days after `starts_at`.
    pub ends_at: InstantOrDate,
    /// The IANA time zone for dates. Defaults to the organization's time zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
}

impl Example for NewTimeOff {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "starts_at": "2031-06-03",
            "ends_at": "2031-06-10",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Changes to time off. Omitted fields are kept.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct TimeOffChanges {
    /// The beginning: an instant, or a date in `time_zone`.
    #[serde(default, deserialize_with = "present")]
    pub starts_at: Option<InstantOrDate>,
    /// The end, exclusive: an instant, or a date in `time_zone`. At most 366 days after `starts_at`.
    #[serde(default, deserialize_with = "present")]
    pub ends_at: Option<InstantOrDate>,
    /// The IANA time zone for dates. Defaults to the organization's time zone.
    #[serde(default, deserialize_with = "present")]
    pub time_zone: Option<TimeZone>,
}

impl Example for TimeOffChanges {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({ "ends_at": "2031-06-11T04:00:00Z" }))
            .expect("the example follows the rules it is an example of")
    }
}

fn too_much() -> Problem {
    Problem::conflict(
        "too_much_time_off",
        "At most 366 periods of time off of a provider may begin in one calendar year. Combine consecutive periods.",
    )
}

fn wrong_length() -> Problem {
    Problem::invalid_field(
        "ends_at",
        "invalid_value",
        "expected an instant after starts_at, at most 366 days later",
    )
}

fn check(starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> Result<(), Problem> {
    let fits = starts_at < ends_at && ends_at - starts_at <= TimeDelta::days(366);
    if fits { Ok(()) } else { Err(wrong_length()) }
}

const GET: Sql<TimeOff> = sql!("scheduling/time_off_get.sql" as TimeOff);

const SINGLE: Single<TimeOff> = Single::new(sql!("scheduling/time_off_lock_row.sql"), GET);

/// The tag of time off as it is read later, without the ids of appointments.
fn etag(time_off: &TimeOff) -> Result<String, Problem> {
    let TimeOff { id, provider_id, starts_at, ends_at, created_at, updated_at, .. } = *time_off;
    let appointment_ids = None;
    conditional::etag_of(&TimeOff {
        id,
        provider_id,
        starts_at,
        ends_at,
        created_at,
        updated_at,
        appointment_ids,
    })
}

/// Adds the ids of existing appointments in the period.
async fn with_standing(tx: &mut Tx, mut time_off: TimeOff) -> Result<TimeOff, Failure> {
    let standing = tx
        .all(
            sql!("scheduling/time_off_appointments.sql" as (Uuid,)),
            &[&time_off.provider_id, &time_off.starts_at, &time_off.ends_at],
        )
        .await?;
    time_off.appointment_ids = Some(standing.into_iter().map(|(id,)| id).collect());
    Ok(time_off)
}

pub struct TimeOffApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl TimeOffApi {
    /// List a provider's time off
    ///
    /// All time off of the provider, in the order in which it was created.
    #[oai(path = "/providers/:provider_id/time-off", method = "get", operation_id = "list_time_off")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        provider_id: Path<Uuid>,
        /// Only time off that ends after this instant, or after the beginning of this date in `time_zone`.
        from: Query<Option<InstantOrDate>>,
        /// Only time off that starts before this instant, or before this date in `time_zone`.
        to: Query<Option<InstantOrDate>>,
        /// The IANA time zone for dates in `from` and `to`. Defaults to the organization's time zone.
        time_zone: Query<Option<TimeZone>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<TimeOff>>, ApiError<Listing>> {
        let as_of = self.0.as_of().await?;
        let bounds = Bounds { from: from.0, to: to.0, time_zone: time_zone.0 };
        let (from, to) = bounds.listed(&self.0, (&caller).into()).await?;
        let rows = self
            .0
            .all(
                &caller,
                sql!("scheduling/time_off_list.sql" as Option<TimeOff>),
                &[
                    &provider_id.0,
                    &page.after_id(),
                    &page.rows(),
                    &ids.0,
                    &from,
                    &to,
                    &updated_since.0.map(|instant| instant.0),
                ],
            )
            .await?;
        if rows.is_empty() {
            Err(Problem::not_found())?;
        }
        // A provider without time off has one row, without an id.
        let all = rows.into_iter().flatten().collect();
        Ok(Json(page.of(all, |last: &TimeOff| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create time off
    ///
    /// The provider cannot be booked in this period. Existing appointments are kept and listed in the answer. 409
    /// `too_much_time_off` if more than 366 periods of the provider would begin in one calendar year (UTC).
    #[oai(path = "/providers/:provider_id/time-off", method = "post", operation_id = "create_time_off")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        provider_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewTimeOff>,
    ) -> Result<Response<Created<TimeOff>>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let request = (provider_id.0, &body.0);
        let once = Once::new(&context, "create_time_off", idempotency_key.0, &request)?;
        let NewTimeOff { starts_at, ends_at, time_zone } = body.0;
        let bounds = Bounds { from: Some(starts_at), to: Some(ends_at), time_zone };
        let (starts_at, ends_at) = bounds.instants(&self.0, context).await?;
        check(starts_at, ends_at)?;
        let entering = self.0.attempt(context, async |tx: Tx, _| {
            once.run(tx, async |tx| {
                let time_off = tx
                    .one(
                        sql!("scheduling/time_off_create.sql" as TimeOff),
                        &[&Uuid::now_v7(), &provider_id.0, &starts_at, &ends_at],
                    )
                    .await
                    .on_constraint("time_off_provider_fkey", Problem::not_found)
                    .on_constraint("time_off_too_many", too_much)?;
                with_standing(tx, time_off).await
            })
            .await
        });
        let time_off = entering.await?;
        let etag = etag(&time_off)?;
        let created = once.created(format!("/api/v1/time-off/{}", time_off.id), time_off);
        Ok(Response::new(created).header("ETag", etag))
    }

    /// Get time off
    #[oai(path = "/time-off/:time_off_id", method = "get", operation_id = "get_time_off")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        time_off_id: Path<Uuid>,
    ) -> Result<Json<TimeOff>, ApiError<Reading>> {
        let time_off = self.0.optional(&caller, GET, &[&time_off_id.0]).await?;
        Ok(Json(time_off.ok_or_else(Problem::not_found)?))
    }

    /// Change time off
    ///
    /// Moves, extends or shortens the period. Existing appointments in it are kept and listed in the answer. 409
    /// `too_much_time_off` as for creating time off.
    #[oai(path = "/time-off/:time_off_id", method = "patch", operation_id = "update_time_off")]
    async fn update(
        &self,
        caller: Member<Staff, Appointments>,
        time_off_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<TimeOffChanges>,
    ) -> Result<Response<Json<TimeOff>>, ApiError<Writing>> {
        let TimeOffChanges { starts_at, ends_at, time_zone } = body.0;
        let bounds = Bounds { from: starts_at, to: ends_at, time_zone };
        let (from, to) = bounds.instants(&self.0, (&caller).into()).await?;
        let (starts_at, ends_at) = (starts_at.map(|_| from), ends_at.map(|_| to));
        let id = time_off_id.0;
        let time_off = self
            .0
            .attempt(&caller, async |mut tx: Tx, _| -> Result<TimeOff, Failure> {
                if_match.check(&mut tx, &SINGLE, &[&id]).await?;
                let time_off = tx
                    .optional(sql!("scheduling/time_off_update.sql" as TimeOff), &[&id, &starts_at, &ends_at])
                    .await
                    .on_constraint("time_off_time", wrong_length)
                    .on_constraint("time_off_too_many", too_much)?;
                let time_off = with_standing(&mut tx, time_off.ok_or_else(Problem::not_found)?).await?;
                tx.commit().await?;
                Ok(time_off)
            })
            .await?;
        let etag = etag(&time_off)?;
        Ok(Response::new(Json(time_off)).header("ETag", etag))
    }

    /// Delete time off
    #[oai(path = "/time-off/:time_off_id", method = "delete", operation_id = "delete_time_off")]
    async fn delete(
        &self,
        caller: Member<Staff>,
        time_off_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&time_off_id.0];
        if_match
            .change(&self.0, &caller, (&SINGLE, id), sql!("scheduling/time_off_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}
