//! Closures: days on which the whole organization is closed.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::Db,
    http::{
        Tag,
        caller::{Appointments, Manager, Member, Viewer},
        json::{Created, Json, NoContent},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{Creating, Deleting, Listing, OnConstraint as _, Problem, Refused},
        text::{Date, Text},
    },
    sql,
};

/// Days on which the whole organization is closed.
#[derive(Debug, Object, Serialize)]
pub struct Closure {
    pub id: Uuid,
    /// The first day, in the zone of the organization.
    pub starts_on: NaiveDate,
    /// The last day.
    pub ends_on: NaiveDate,
    /// What it is for. Customers may see it.
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl From<Row> for Closure {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            starts_on: row.get(1),
            ends_on: row.get(2),
            name: row.get(3),
            created_at: row.get(4),
        }
    }
}

/// Days to close on.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewClosure {
    /// The first day, in the zone of the organization.
    pub starts_on: Date,
    /// The last day, at most 366 later.
    pub ends_on: Date,
    /// What it is for. Customers may see it.
    pub name: Text<1, 200>,
}

impl Example for NewClosure {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "starts_on": "2026-12-24",
            "ends_on": "2027-01-01",
            "name": "Christmas",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

pub struct ClosuresApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl ClosuresApi {
    /// List closures
    ///
    /// In the order in which they were entered.
    #[oai(path = "/closures", method = "get", operation_id = "list_closures")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Closure>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .0
            .all(&caller, sql!("scheduling/closures_list.sql"), &[&after, &i64::from(size + 1)])
            .await?;
        let closures = rows.into_iter().map(Closure::from).collect();
        Ok(Json(Page::new(closures, size, |last| Cursor::id(last.id))))
    }

    /// Create a closure
    ///
    /// Whatever the schedules say, nothing can be booked on these days. Appointments that stand are kept.
    #[oai(path = "/closures", method = "post", operation_id = "create_closure")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        body: Json<NewClosure>,
    ) -> Result<Created<Closure>, Refused<Creating>> {
        let new = body.0;
        let row = self
            .0
            .one(
                &caller,
                sql!("scheduling/closures_create.sql"),
                &[&Uuid::now_v7(), &new.starts_on.0, &new.ends_on.0, &&*new.name],
            )
            .await
            .on_constraint("closures_dates", || {
                Problem::invalid_field("ends_on", "invalid_value", "starts_on, or up to 366 days later")
            })?;
        let closure = Closure::from(row);
        Ok(Created { location: format!("/api/v1/closures/{}", closure.id), body: closure })
    }

    /// Delete a closure
    #[oai(path = "/closures/:closure_id", method = "delete", operation_id = "delete_closure")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        closure_id: Path<Uuid>,
    ) -> Result<NoContent, Refused<Deleting>> {
        self.0
            .optional(&caller, sql!("scheduling/closures_delete.sql"), &[&closure_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}
