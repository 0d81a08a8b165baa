//! The operations on services.

use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use uuid::Uuid;

use super::service::{NewService, Pool, Service, ServiceChanges, ServiceRow};
use crate::{
    db::{self, Context, Db, Params, Sql, Tx},
    http::{
        caller::{Manager, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Text},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{booking::expiry, features::Appointments},
    sql,
};

/// Maps constraints on combinations of rules to errors.
fn on_rules<T>(result: Result<T, db::Error>) -> Result<T, Failure> {
    result
        .on_constraint("services_length", || {
            Problem::invalid_field(
                "duration_minutes",
                "out_of_range",
                "duration plus buffers must not exceed 24 hours",
            )
        })
        .on_constraint("services_bookable_dates", || {
            Problem::invalid_field(
                "bookable_until",
                "invalid_value",
                "expected a date that is not before bookable_from",
            )
        })
        .on_constraint("services_price", || {
            Problem::invalid_field(
                "price_currency",
                "required",
                "price_amount and price_currency must be given together",
            )
        })
}

pub const GET: Sql<ServiceRow> = sql!("scheduling/services_get.sql" as ServiceRow);

const SINGLE: Single<ServiceRow, Service> = Single::new(sql!("scheduling/services_lock_row.sql"), GET);

pub struct ServicesApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl ServicesApi {
    /// List services
    ///
    /// All services, including inactive ones, in the order in which they were created.
    #[oai(path = "/services", method = "get", operation_id = "list_services")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        /// Only the item with this `external_id`.
        external_id: Query<Option<Text<1, 200>>>,
        /// Only active items, or only inactive ones.
        active: Query<Option<bool>>,
        /// Only services that can be booked online, or only those that cannot.
        bookable_online: Query<Option<bool>>,
        page: Paging,
    ) -> Result<Json<PageAsOf<Service>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/services_list.sql" as ServiceRow),
                &[
                    &page.after_id(),
                    &page.rows(),
                    &updated_since.0.map(|instant| instant.0),
                    &ids.0,
                    &active.0,
                    &bookable_online.0,
                    &external_id.0.as_deref(),
                ],
            )
            .await?;
        let services = rows.into_iter().map(Service::from).collect();
        Ok(Json(page.of(services, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a service
    ///
    /// Every active provider performs the service, unless `provider_ids` lists providers. 409 `external_id_taken` if
    /// another service has the `external_id`.
    #[oai(path = "/services", method = "post", operation_id = "create_service")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewService>,
    ) -> Result<Created<Service>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_service", idempotency_key.0, &body.0)?;
        let service = create(&self.db, context, &body.0, &once).await?;
        Ok(once.created(format!("/api/v1/services/{}", service.id), service))
    }

    /// Get a service
    #[oai(path = "/services/:service_id", method = "get", operation_id = "get_service")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        service_id: Path<Uuid>,
    ) -> Result<Json<Service>, ApiError<Reading>> {
        let row = self.db.optional(&caller, GET, &[&service_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Change a service
    ///
    /// 409 `external_id_taken` if another service has the `external_id`.
    #[oai(path = "/services/:service_id", method = "patch", operation_id = "update_service")]
    async fn update(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ServiceChanges>,
    ) -> Result<Json<Service>, ApiError<Writing>> {
        let (id, changes) = (service_id.0, &body.0);
        let columns = serde_json::to_value(changes).map_err(|_| Problem::internal())?;
        let changed = self.db.attempt(&caller, async |mut tx: Tx, _| -> Result<ServiceRow, Failure> {
            if_match.check(&mut tx, &SINGLE, &[&id]).await?;
            on_rules(tx.optional(sql!("scheduling/services_update.sql"), &[&id, &columns]).await)?
                .ok_or_else(Problem::not_found)?;
            let (providers, pools) = (&changes.provider_ids, &changes.required_resources);
            set_lists(&mut tx, id, providers.as_deref(), pools.as_deref()).await?;
            Ok(tx.commit_with(GET, &[&id]).await?.ok_or_else(Problem::not_found)?)
        });
        Ok(Json(changed.await?.into()))
    }

    /// Delete a service
    ///
    /// 409 `service_in_use` if it was ever booked: set `active` to `false` instead.
    #[oai(path = "/services/:service_id", method = "delete", operation_id = "delete_service")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let in_use = || {
            Problem::conflict(
                "service_in_use",
                "The service has appointments or holds. Set `active` to false instead.",
            )
        };
        // Expired holds must not block the deletion.
        expiry::expire(&self.db, &self.mailer, (&caller).into()).await?;
        let id: Params = &[&service_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("scheduling/services_delete.sql"), id)
            .await
            .on_constraint("appointments_service_fkey", in_use)
            .on_constraint("appointment_segments_service_fkey", in_use)
            .on_constraint("claims_service_fkey", in_use)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Creates a service.
pub async fn create(db: &Db, context: Context, new: &NewService, once: &Once) -> Result<Service, Failure> {
    db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            let id = Uuid::now_v7();
            on_rules(tx.all(sql!("scheduling/services_create.sql"), &[&id, &new.columns()]).await)?;
            set_lists(tx, id, new.provider_ids.as_deref(), new.required_resources.as_deref()).await?;
            Ok(Service::from(tx.one(GET, &[&id]).await?))
        })
        .await
    })
    .await
}

async fn set_lists(
    tx: &mut Tx,
    service: Uuid,
    providers: Option<&[Uuid]>,
    pools: Option<&[Pool]>,
) -> Result<(), Failure> {
    if let Some(providers) = providers {
        tx.all(sql!("scheduling/service_providers_set.sql"), &[&service, &providers]).await.on_constraint(
            "service_providers_provider_fkey",
            || {
                Problem::invalid_field(
                    "provider_ids",
                    "not_found",
                    "expected ids of providers of the organization",
                )
            },
        )?;
    }
    if let Some(pools) = pools {
        let mut requirements: Vec<i16> = Vec::new();
        let mut resources: Vec<Uuid> = Vec::new();
        for (requirement, pool) in (1..).zip(pools) {
            requirements.extend(pool.iter().map(|_| requirement));
            resources.extend(pool.iter());
        }
        let sql = sql!("scheduling/service_resources_set.sql" as (bool,));
        let (known,) = tx.one(sql, &[&service, &requirements, &resources]).await?;
        if !known {
            Err(Problem::invalid_field(
                "required_resources",
                "not_found",
                "expected ids of rooms and equipment of the organization",
            ))?;
        }
    }
    Ok(())
}
