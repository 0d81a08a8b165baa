//! Resources that services need besides a provider: rooms and equipment.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Admin, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Text, named_enum},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{expiry, transaction::Locks},
        features::Appointments,
    },
    sql,
};

named_enum! {
    /// The kind of a resource.
    ResourceKind {
        Room = "room",
        Equipment = "equipment",
    }
}

/// A room or a piece of equipment.
#[derive(Debug, Object, Serialize)]
pub struct Resource {
    pub id: Uuid,
    pub kind: ResourceKind,
    pub name: String,
    /// Whether it can be booked.
    pub active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Resource { id, kind, name, active, created_at, updated_at }
}

/// A new room or piece of equipment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewResource {
    /// The kind of the resource. Cannot be changed later.
    pub kind: ResourceKind,
    pub name: Text<1, 200>,
}

impl Example for NewResource {
    fn example() -> Self {
        Self { kind: ResourceKind::Room, name: Text::parse("Room 2").expect("a name is text") }
    }
}

/// Changes to a room or a piece of equipment. Omitted fields are kept.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ResourceChanges {
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
    /// Whether it can be booked. Existing appointments keep it.
    #[serde(default, deserialize_with = "present")]
    pub active: Option<bool>,
}

impl Example for ResourceChanges {
    fn example() -> Self {
        Self { name: Text::parse("Blue room").ok(), active: Some(true) }
    }
}

const GET: Sql<Resource> = sql!("scheduling/resources_get.sql" as Resource);

const SINGLE: Single<Resource> = Single::new(sql!("scheduling/resources_lock_row.sql"), GET);

pub struct ResourcesApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl ResourcesApi {
    /// List rooms and equipment
    ///
    /// All rooms and equipment, in the order in which they were created.
    #[oai(path = "/resources", method = "get", operation_id = "list_resources")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        /// Only active items, or only inactive ones.
        active: Query<Option<bool>>,
        page: Paging,
    ) -> Result<Json<PageAsOf<Resource>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let sql = sql!("scheduling/resources_list.sql" as Resource);
        let updated = updated_since.0.map(|instant| instant.0);
        let params: Params = &[&page.after_id(), &page.rows(), &ids.0, &active.0, &updated];
        let resources = self.db.all(&caller, sql, params).await?;
        Ok(Json(page.of(resources, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a room or a piece of equipment
    ///
    /// To book it together with a service, add it to the service's `required_resources`.
    #[oai(path = "/resources", method = "post", operation_id = "create_resource")]
    async fn create(
        &self,
        caller: Member<Admin, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewResource>,
    ) -> Result<Created<Resource>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let new = body.0;
        let once = Once::new(&context, "create_resource", idempotency_key.0, &new)?;
        let sql = sql!("scheduling/resources_create.sql" as Resource);
        let params: Params = &[&Uuid::now_v7(), &new.kind.name(), &&*new.name];
        let resource: Resource = once.create(&self.db, context, sql, params).await?;
        Ok(once.created(format!("/api/v1/resources/{}", resource.id), resource))
    }

    /// Get a room or a piece of equipment
    #[oai(path = "/resources/:resource_id", method = "get", operation_id = "get_resource")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        resource_id: Path<Uuid>,
    ) -> Result<Json<Resource>, ApiError<Reading>> {
        let resource = self.db.optional(&caller, GET, &[&resource_id.0]).await?;
        Ok(Json(resource.ok_or_else(Problem::not_found)?))
    }

    /// Change a room or a piece of equipment
    #[oai(path = "/resources/:resource_id", method = "patch", operation_id = "update_resource")]
    async fn update(
        &self,
        caller: Member<Admin>,
        resource_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ResourceChanges>,
    ) -> Result<Json<Resource>, ApiError<Writing>> {
        let changes = body.0;
        let resource = if_match
            .change(
                &self.db,
                &caller,
                (&SINGLE, &[&resource_id.0]),
                sql!("scheduling/resources_update.sql" as Resource),
                &[&resource_id.0, &changes.name.as_deref(), &changes.active],
            )
            .await?;
        Ok(Json(resource.ok_or_else(Problem::not_found)?))
    }

    /// Delete a room or a piece of equipment
    ///
    /// 409 `resource_in_use` if a service requires it or it is booked: set `active` to `false` instead.
    #[oai(path = "/resources/:resource_id", method = "delete", operation_id = "delete_resource")]
    async fn delete(
        &self,
        caller: Member<Admin>,
        resource_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let in_use = || {
            Problem::conflict(
                "resource_in_use",
                "A service requires it, or it is booked. Set `active` to false instead.",
            )
        };
        // Expired holds must not block the deletion.
        expiry::expire(&self.db, &self.mailer, (&caller).into()).await?;
        let id = resource_id.0;
        self.db
            .attempt(&caller, async |mut tx: Tx, _| -> Result<Option<()>, Failure> {
                Locks { resources: vec![id], ..Locks::default() }.take(&mut tx).await?;
                if_match.check(&mut tx, &SINGLE, &[&id]).await?;
                Ok(tx.commit_with(sql!("scheduling/resources_delete.sql"), &[&id]).await?)
            })
            .await
            .on_constraint("service_resources_resource_fkey", in_use)
            .on_constraint("claims_resource_fkey", in_use)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}
