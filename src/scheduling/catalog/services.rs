//! The operations on services.

use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use serde_json::Value;
use uuid::Uuid;

use super::service::{NewService, Pool, Service, ServiceChanges, ServiceRow};
use crate::{
    db::{self, Context, Db, Params, Sql, Tx},
    http::{
        caller::{Manager, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{
            ApiError, Deleting, Failure, FieldError, Listing, OnConstraint as _, Problem, Reading, Writing,
        },
        values::{IdempotencyKey, Instant, Text},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::expiry,
        features::Appointments,
        slots::unknown_ids::{NamedIds, unknown_providers, unknown_resources},
    },
    sql,
};

/// The constraints on combinations of rules.
const RULES: [&str; 3] = ["services_length", "services_bookable_dates", "services_price"];

/// The rules across fields that the columns of a service break.
fn broken(columns: &Value) -> Vec<FieldError> {
    let minutes = |name: &str| columns[name].as_i64().unwrap_or_default();
    let whole =
        minutes("duration_minutes") + minutes("buffer_before_minutes") + minutes("buffer_after_minutes");
    let date = |name: &str| columns[name].as_str();
    let ends_before =
        date("bookable_until").zip(date("bookable_from")).is_some_and(|(until, from)| until < from);
    let is_half_a_price = columns["price_amount"].is_null() != columns["price_currency"].is_null();
    let rules = [
        (whole > 1440, "duration_minutes", "out_of_range", "duration plus buffers must not exceed 24 hours"),
        (ends_before, "bookable_until", "invalid_value", "expected a date that is not before bookable_from"),
        (
            is_half_a_price,
            "price_currency",
            "required",
            "price_amount and price_currency must be given together",
        ),
    ];
    let broken = rules.into_iter().filter(|(is_broken, ..)| *is_broken);
    broken.map(|(_, field, code, detail)| FieldError::new(field, code, detail)).collect()
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
        let (id, changes, context) = (service_id.0, &body.0, Context::from(&caller));
        let columns = serde_json::to_value(changes).map_err(|_| Problem::internal())?;
        let changed = self.db.attempt(context, async |mut tx: Tx, _| -> Result<ServiceRow, Failure> {
            if_match.check(&mut tx, &SINGLE, &[&id]).await?;
            tx.optional(sql!("scheduling/services_update.sql"), &[&id, &columns])
                .await?
                .ok_or_else(Problem::not_found)?;
            let (providers, pools) = (&changes.provider_ids, &changes.required_resources);
            set_lists(&mut tx, id, providers.as_deref(), pools.as_deref()).await?;
            Ok(tx.commit_with(GET, &[&id]).await?.ok_or_else(Problem::not_found)?)
        });
        let lists = (changes.provider_ids.as_deref(), changes.required_resources.as_deref());
        match changed.await {
            Ok(row) => Ok(Json(row.into())),
            Err(failure) => {
                Err(all_mistakes(&self.db, context, failure, Some(id), &columns, lists).await.into())
            }
        }
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
    let (columns, lists) = (new.columns(), (new.provider_ids.as_deref(), new.required_resources.as_deref()));
    let creating = db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            let id = Uuid::now_v7();
            tx.all(sql!("scheduling/services_create.sql"), &[&id, &columns]).await?;
            set_lists(tx, id, lists.0, lists.1).await?;
            Ok(Service::from(tx.one(GET, &[&id]).await?))
        })
        .await
    });
    match creating.await {
        Ok(service) => Ok(service),
        Err(failure) => Err(all_mistakes(db, context, failure, None, &columns, lists).await),
    }
}

/// The refusal with all mistakes, if the failure is one that a statement has found: it stops at the first. `columns`
/// are those of the request; the others are in the row.
async fn all_mistakes(
    db: &Db,
    context: Context,
    failure: Failure,
    service: Option<Uuid>,
    columns: &Value,
    (providers, pools): (Option<&[Uuid]>, Option<&[Pool]>),
) -> Failure {
    let is_one = match &failure {
        Failure::Problem(problem) => problem.errors.iter().any(|error| error.code == "not_found"),
        Failure::Database(db::Error::Constraint(name)) => RULES.contains(&name.as_str()),
        Failure::Database(_) => false,
    };
    if !is_one {
        return failure;
    }
    match mistakes(db, context, service, columns, (providers, pools)).await {
        // Another request has changed the row meanwhile.
        Ok(mistakes) if mistakes.is_empty() => db::Error::Conflict.into(),
        Ok(mistakes) => Problem::invalid(mistakes).into(),
        Err(failure) => failure,
    }
}

async fn mistakes(
    db: &Db,
    context: Context,
    service: Option<Uuid>,
    columns: &Value,
    (providers, pools): (Option<&[Uuid]>, Option<&[Pool]>),
) -> Result<Vec<FieldError>, Failure> {
    let row = match service {
        Some(id) => db.optional(context, GET, &[&id]).await?.map(Service::from),
        None => None,
    };
    let mut whole = serde_json::to_value(row).map_err(|_| Problem::internal())?;
    for (name, value) in columns.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    let mut mistakes = broken(&whole);
    let resources: Vec<Uuid> = pools.into_iter().flatten().flat_map(|pool| pool.iter().copied()).collect();
    let ids = NamedIds {
        provider_ids: providers.unwrap_or_default(),
        required_resources: &resources,
        ..NamedIds::default()
    };
    mistakes.extend(ids.unknown(db, context).await?);
    Ok(mistakes)
}

async fn set_lists(
    tx: &mut Tx,
    service: Uuid,
    providers: Option<&[Uuid]>,
    pools: Option<&[Pool]>,
) -> Result<(), Failure> {
    if let Some(providers) = providers {
        tx.all(sql!("scheduling/service_providers_set.sql"), &[&service, &providers])
            .await
            .on_constraint("service_providers_provider_fkey", unknown_providers)?;
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
            Err(unknown_resources())?;
        }
    }
    Ok(())
}
