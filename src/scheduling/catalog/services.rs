//! The operations on services.

use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use uuid::Uuid;

use super::service::{NewService, Pool, Service, ServiceChanges};
use crate::{
    db::{self, Context, Db, Tx},
    http::{
        caller::{Manager, Member, Viewer},
        json::{Created, Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant},
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
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only items that changed at or after this instant: the `as_of` of the previous list.
        updated_since: Query<Option<Instant>>,
        page: Paging,
    ) -> Result<Json<Page<Service>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/services_list.sql"),
                &[&page.after_id(), &page.rows(), &updated_since.0.map(|instant| instant.0)],
            )
            .await?;
        let services = rows.into_iter().map(Service::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Json(page.of(services, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a service
    ///
    /// Every active provider performs the service, unless `provider_ids` lists providers.
    #[oai(path = "/services", method = "post", operation_id = "create_service")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewService>,
    ) -> Result<Created<Service>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_service", idempotency_key.0, &body.0)?;
        let service = create(&self.db, context, &body.0, once.as_ref()).await?;
        let location = format!("/api/v1/services/{}", service.id);
        Ok(Created { location, body: service, replayed: Once::is_replay(once.as_ref()) })
    }

    /// Get a service
    #[oai(path = "/services/:service_id", method = "get", operation_id = "get_service")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        service_id: Path<Uuid>,
    ) -> Result<Json<Service>, ApiError<Reading>> {
        let row = self.db.optional(&caller, sql!("scheduling/services_get.sql"), &[&service_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.try_into()?))
    }

    /// Change a service
    #[oai(path = "/services/:service_id", method = "patch", operation_id = "update_service")]
    async fn update(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
        body: Json<ServiceChanges>,
    ) -> Result<Json<Service>, ApiError<Writing>> {
        let changes = body.0;
        let mut tx = self.db.begin(&caller);
        let columns = serde_json::to_value(&changes).map_err(|_| Problem::internal())?;
        on_rules(tx.optional(sql!("scheduling/services_update.sql"), &[&service_id.0, &columns]).await)?
            .ok_or_else(Problem::not_found)?;
        let (providers, pools) = (changes.provider_ids, changes.required_resources);
        set_lists(&mut tx, service_id.0, providers.as_deref(), pools.as_deref()).await?;
        let row = tx.commit_with(sql!("scheduling/services_get.sql"), &[&service_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.try_into()?))
    }

    /// Delete a service
    ///
    /// 409 `service_in_use` if it was ever booked: set `active` to `false` instead.
    #[oai(path = "/services/:service_id", method = "delete", operation_id = "delete_service")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        service_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let in_use = || {
            Problem::conflict(
                "service_in_use",
                "The service has appointments or holds. Set `active` to false instead.",
            )
        };
        // Expired holds must not block the deletion.
        expiry::expire(&self.db, &self.mailer, caller.tenant()).await?;
        self.db
            .optional(&caller, sql!("scheduling/services_delete.sql"), &[&service_id.0])
            .await
            .on_constraint("appointments_service_fkey", in_use)
            .on_constraint("appointment_segments_service_fkey", in_use)
            .on_constraint("claims_service_fkey", in_use)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Creates a service.
pub async fn create(
    db: &Db,
    context: Context,
    new: &NewService,
    once: Option<&Once>,
) -> Result<Service, Failure> {
    let mut tx = db.begin(context);
    let service = Once::run(once, &mut tx, async |tx| {
        let id = Uuid::now_v7();
        on_rules(tx.all(sql!("scheduling/services_create.sql"), &[&id, &new.columns()]).await)?;
        set_lists(tx, id, new.provider_ids.as_deref(), new.required_resources.as_deref()).await?;
        let row = tx.one(sql!("scheduling/services_get.sql"), &[&id]).await?;
        Ok(Service::try_from(row)?)
    })
    .await?;
    tx.commit().await?;
    Ok(service)
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
        let known = tx
            .one(sql!("scheduling/service_resources_set.sql"), &[&service, &requirements, &resources])
            .await?
            .get::<_, bool>(0);
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
