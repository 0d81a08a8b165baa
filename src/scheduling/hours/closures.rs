//! Closures: dates on which the whole organization is closed.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Params, Sql, row},
    http::{
        caller::{Manager, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Listing, OnConstraint as _, Problem, Reading, Writing},
        query,
        values::{Date, IdempotencyKey, Instant, Text},
    },
    operations::idempotency::Once,
    scheduling::features::Appointments,
    sql,
};

/// A closure: dates on which the whole organization is closed.
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct Closure {
    pub id: Uuid,
    /// The first date, in the organization's time zone.
    pub starts_on: NaiveDate,
    /// The last date, included.
    pub ends_on: NaiveDate,
    /// The reason of the closure, 1 to 200 characters. Customers may see it.
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Closure { id, starts_on, ends_on, name, created_at, updated_at }
}

/// A new closure.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewClosure {
    /// The first date, in the organization's time zone.
    pub starts_on: Date,
    /// The last date, included, at most 366 days after `starts_on`.
    pub ends_on: Date,
    /// The reason of the closure, 1 to 200 characters. Customers may see it.
    pub name: Text<1, 200>,
}

impl Example for NewClosure {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "starts_on": "2031-06-05",
            "ends_on": "2031-06-05",
            "name": "Staff outing",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Changes to a closure. Omitted fields are kept.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ClosureChanges {
    /// The first date, in the organization's time zone.
    #[serde(default, deserialize_with = "present")]
    pub starts_on: Option<Date>,
    /// The last date, included, at most 366 days after `starts_on`.
    #[serde(default, deserialize_with = "present")]
    pub ends_on: Option<Date>,
    /// The reason of the closure, 1 to 200 characters. Customers may see it.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
}

impl Example for ClosureChanges {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({ "name": "Staff outing to the lake" }))
            .expect("the example follows the rules it is an example of")
    }
}

fn too_many() -> Problem {
    Problem::conflict(
        "too_many_closures",
        "At most 366 closures may begin in one calendar year. Combine consecutive days in one closure.",
    )
}

fn dates_are_wrong() -> Problem {
    Problem::invalid_field("ends_on", "invalid_value", "expected starts_on or a date up to 366 days later")
}

const GET: Sql<Closure> = sql!("scheduling/closures_get.sql" as Closure);

const SINGLE: Single<Closure> = Single::new(sql!("scheduling/closures_lock_row.sql"), GET);

pub struct ClosuresApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl ClosuresApi {
    /// List closures
    ///
    /// All closures, in the order in which they were created.
    #[oai(path = "/closures", method = "get", operation_id = "list_closures")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only closures that end on or after this date.
        from: Query<Option<Date>>,
        /// Only closures that begin before this date.
        to: Query<Option<Date>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<Closure>>, ApiError<Listing>> {
        let as_of = self.0.as_of().await?;
        let sql = sql!("scheduling/closures_list.sql" as Closure);
        let (from, to) = (from.0.map(|date| date.0), to.0.map(|date| date.0));
        query::in_order(from, to)?;
        let since = updated_since.0.map(|instant| instant.0);
        let params: Params = &[&page.after_id(), &page.rows(), &ids.0, &from, &to, &since];
        let closures = self.0.all(&caller, sql, params).await?;
        Ok(Json(page.of(closures, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a closure
    ///
    /// Nothing can be booked on these dates, regardless of schedules. Existing appointments are kept. 409
    /// `too_many_closures` if more than 366 closures would begin in one calendar year.
    #[oai(path = "/closures", method = "post", operation_id = "create_closure")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewClosure>,
    ) -> Result<Created<Closure>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let new = body.0;
        let once = Once::new(&context, "create_closure", idempotency_key.0, &new)?;
        let sql = sql!("scheduling/closures_create.sql" as Closure);
        let params: Params = &[&Uuid::now_v7(), &new.starts_on.0, &new.ends_on.0, &&*new.name];
        let created = once.create(&self.0, context, sql, params).await;
        let closure: Closure = created
            .on_constraint("closures_dates", dates_are_wrong)
            .on_constraint("closures_too_many", too_many)?;
        Ok(once.created(format!("/api/v1/closures/{}", closure.id), closure))
    }

    /// Get a closure
    #[oai(path = "/closures/:closure_id", method = "get", operation_id = "get_closure")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        closure_id: Path<Uuid>,
    ) -> Result<Json<Closure>, ApiError<Reading>> {
        let closure = self.0.optional(&caller, GET, &[&closure_id.0]).await?;
        Ok(Json(closure.ok_or_else(Problem::not_found)?))
    }

    /// Change a closure
    ///
    /// Existing appointments on the new dates are kept. 409 `too_many_closures` if more than 366 closures would begin
    /// in one calendar year.
    #[oai(path = "/closures/:closure_id", method = "patch", operation_id = "update_closure")]
    async fn update(
        &self,
        caller: Member<Manager, Appointments>,
        closure_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ClosureChanges>,
    ) -> Result<Json<Closure>, ApiError<Writing>> {
        let changes = body.0;
        let closure = if_match
            .change(
                &self.0,
                &caller,
                (&SINGLE, &[&closure_id.0]),
                sql!("scheduling/closures_update.sql" as Closure),
                &[
                    &closure_id.0,
                    &changes.starts_on.map(|date| date.0),
                    &changes.ends_on.map(|date| date.0),
                    &changes.name.as_deref(),
                ],
            )
            .await
            .on_constraint("closures_dates", dates_are_wrong)
            .on_constraint("closures_too_many", too_many)?;
        Ok(Json(closure.ok_or_else(Problem::not_found)?))
    }

    /// Delete a closure
    #[oai(path = "/closures/:closure_id", method = "delete", operation_id = "delete_closure")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        closure_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&closure_id.0];
        if_match
            .change(&self.0, &caller, (&SINGLE, id), sql!("scheduling/closures_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}
