//! Services: what can be booked.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db},
    http::{
        Tag,
        caller::{Appointments, Manager, Member, Viewer},
        json::{Created, Json, NoContent, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{Changing, Creating, Deleting, Listing, OnConstraint as _, Problem, Reading, Refused},
        text::{Number, Text},
    },
    sql,
};

/// Minutes, up to a day.
pub type Minutes = Number<1, 1440>;

/// Minutes from one offered start to the next where nobody says.
const DEFAULT_SLOT_STEP: i32 = 15;

/// Something the organization offers by appointment.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Service {
    pub id: Uuid,
    pub name: String,
    /// What the customer should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Elapsed minutes an appointment takes.
    pub duration_minutes: i32,
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours.
    pub slot_step_minutes: i32,
    /// Whether it can be booked.
    pub active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Service {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            name: row.get(1),
            description: row.get(2),
            duration_minutes: row.get(3),
            slot_step_minutes: row.get(4),
            active: row.get(5),
            created_at: row.get(6),
            updated_at: row.get(7),
        }
    }
}

/// A service to create.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewService {
    pub name: Text<1, 200>,
    /// What the customer should know.
    #[serde(default)]
    #[oai(nullable)]
    pub description: Option<Text<1, 2000>>,
    /// Elapsed minutes an appointment takes.
    pub duration_minutes: Minutes,
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours; 15
    /// where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub slot_step_minutes: Option<Minutes>,
}

impl Example for NewService {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "name": "Haircut",
            "description": "Wash, cut and dry.",
            "duration_minutes": 45,
            "slot_step_minutes": 15,
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// What is to change about a service. What is left out stays; null takes the description away. Appointments that stand
/// keep their times.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ServiceChanges {
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
    /// What the customer should know.
    #[serde(default)]
    #[oai(nullable)]
    pub description: MaybeUndefined<Text<1, 2000>>,
    /// Elapsed minutes an appointment takes.
    #[serde(default, deserialize_with = "present")]
    pub duration_minutes: Option<Minutes>,
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours.
    #[serde(default, deserialize_with = "present")]
    pub slot_step_minutes: Option<Minutes>,
    /// Whether it can be booked.
    #[serde(default, deserialize_with = "present")]
    pub active: Option<bool>,
}

impl Example for ServiceChanges {
    fn example() -> Self {
        Self {
            name: None,
            description: MaybeUndefined::Null,
            duration_minutes: Some(Number(60)),
            slot_step_minutes: None,
            active: Some(true),
        }
    }
}

pub struct ServicesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl ServicesApi {
    /// List services
    ///
    /// In the order in which they were created.
    #[oai(path = "/services", method = "get", operation_id = "list_services")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Service>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .0
            .all(&caller, sql!("scheduling/services_list.sql"), &[&after, &i64::from(size + 1)])
            .await?;
        let services = rows.into_iter().map(Service::from).collect();
        Ok(Json(Page::new(services, size, |last| Cursor::id(last.id))))
    }

    /// Create a service
    ///
    /// Every active provider gives it.
    #[oai(path = "/services", method = "post", operation_id = "create_service")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        body: Json<NewService>,
    ) -> Result<Created<Service>, Refused<Creating>> {
        let service = create(&self.0, (&caller).into(), &body.0).await?;
        Ok(Created { location: format!("/api/v1/services/{}", service.id), body: service })
    }

    /// Get a service
    #[oai(path = "/services/:service_id", method = "get", operation_id = "get_service")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        service_id: Path<Uuid>,
    ) -> Result<Json<Service>, Refused<Reading>> {
        let row = self.0.optional(&caller, sql!("scheduling/services_get.sql"), &[&service_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Change a service
    #[oai(path = "/services/:service_id", method = "patch", operation_id = "update_service")]
    async fn update(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
        body: Json<ServiceChanges>,
    ) -> Result<Json<Service>, Refused<Changing>> {
        let changes = body.0;
        let row = self
            .0
            .optional(
                &caller,
                sql!("scheduling/services_update.sql"),
                &[
                    &service_id.0,
                    &changes.name.as_deref(),
                    &!changes.description.is_undefined(),
                    &changes.description.value().map(|text| &**text),
                    &changes.duration_minutes.map(|minutes| minutes.0),
                    &changes.slot_step_minutes.map(|minutes| minutes.0),
                    &changes.active,
                ],
            )
            .await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Delete a service
    ///
    /// 409 `service_in_use` where it was ever booked: make it inactive instead.
    #[oai(path = "/services/:service_id", method = "delete", operation_id = "delete_service")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
    ) -> Result<NoContent, Refused<Deleting>> {
        self.0
            .optional(&caller, sql!("scheduling/services_delete.sql"), &[&service_id.0])
            .await
            .on_constraint("appointments_service_fkey", || {
                Problem::conflict("service_in_use", "The service has appointments. Make it inactive instead.")
            })?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Creates a service.
pub async fn create(db: &Db, context: Context, new: &NewService) -> Result<Service, db::Error> {
    let row = db
        .one(
            context,
            sql!("scheduling/services_create.sql"),
            &[
                &Uuid::now_v7(),
                &&*new.name,
                &new.description.as_deref(),
                &new.duration_minutes.0,
                &new.slot_step_minutes.map_or(DEFAULT_SLOT_STEP, |step| step.0),
            ],
        )
        .await?;
    Ok(row.into())
}
