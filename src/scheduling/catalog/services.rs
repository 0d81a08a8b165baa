//! Services: what can be booked.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Tx},
    http::{
        Tag,
        caller::{Appointments, Manager, Member, Viewer},
        json::{Created, Json, NoContent, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{
            Changing, Creating, Deleting, Failure, FieldError, Listing, OnConstraint as _, Problem, Reading,
            Refused,
        },
        text::{Currency, Date, IdempotencyKey, Instant, Number, Text, named_enum},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::booking::expiry,
    sql,
};

/// Minutes, up to a day.
pub type Minutes = Number<1, 1440>;

/// The rooms and pieces of equipment of which any one would do.
pub type Pool = Vec<Uuid>;

const MOST_REQUIREMENTS: usize = 5;

const MOST_IN_LIST: usize = 200;

named_enum! {
    /// What a guest may have to say to book a service.
    GuestDetail {
        Email = "email",
        Phone = "phone",
    }
}

named_enum! {
    /// What a guest has to show before they have booked a service.
    GuestVerification {
        None = "none",
        /// That they read the e-mail of the address they gave: the time is held until they open a mailed link.
        Email = "email",
    }
}

/// Something the organization offers by appointment.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Service {
    pub id: Uuid,
    pub name: String,
    /// What the customer should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Elapsed minutes an appointment takes.
    pub duration_minutes: i32,
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours.
    pub slot_step_minutes: i32,
    /// Minutes from the beginning of each interval of working hours to the first offered start.
    pub slot_offset_minutes: i32,
    /// Minutes before it in which the provider is not free for others; customers never see them.
    pub buffer_before_minutes: i32,
    /// Minutes after it in which the provider is not free for others. Buffers of neighbours add up and may stick out of working hours.
    pub buffer_after_minutes: i32,
    /// Elapsed minutes that have to lie between booking and start at least.
    pub min_notice_minutes: i32,
    /// How many days ahead of today, in the zone of the organization, it can be booked; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_days: Option<i32>,
    /// The first date on which it is given; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookable_from: Option<NaiveDate>,
    /// The last date on which it is given; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookable_until: Option<NaiveDate>,
    /// How many a day at most, in the zone of the organization, by all providers together; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_day: Option<i32>,
    /// How many a week from Monday to Sunday at most; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_week: Option<i32>,
    /// Whether what is booked is pending, with its time taken, until somebody confirms it.
    pub requires_approval: bool,
    /// How many may be booked into one start of one provider, each in a numbered seat.
    pub capacity: i32,
    /// Price in the minor unit of the currency (cents); absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_amount: Option<i32>,
    /// ISO 4217 code of the currency of the price; absent where there is no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// Elapsed minutes before the start until which customers may cancel or reschedule themselves.
    pub cancellation_notice_minutes: i32,
    /// Whether a contact may have it while having something else.
    pub contact_may_overlap: bool,
    /// Whether customers and guests see it and may book it themselves.
    pub bookable_online: bool,
    /// What a guest has to say to book it, beside a name. Empty: nothing.
    #[serde(default)]
    pub guest_requires: Vec<GuestDetail>,
    /// What a guest has to show before it is booked.
    pub guest_verification: GuestVerification,
    /// Who gives it; empty: everybody.
    #[serde(default)]
    pub provider_ids: Vec<Uuid>,
    /// What it needs: of each list one room or piece of equipment.
    #[serde(default)]
    pub required_resources: Vec<Pool>,
    /// Whether it can be booked.
    pub active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Service {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        let mut service: Self = serde_json::from_value(row.get("rules")).map_err(|error| {
            tracing::error!(%error, "the rules of a service cannot be read");
            Problem::internal()
        })?;
        service.created_at = row.get("created_at");
        service.updated_at = row.get("updated_at");
        service.provider_ids = row.get("provider_ids");
        let pools: Option<serde_json::Value> = row.get("required_resources");
        service.required_resources =
            pools.and_then(|pools| serde_json::from_value(pools).ok()).unwrap_or_default();
        Ok(service)
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
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours; 15 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub slot_step_minutes: Option<Minutes>,
    /// Minutes from the beginning of each interval of working hours to the first offered start; 0 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub slot_offset_minutes: Option<Number<0, 1439>>,
    /// Minutes before it in which the provider is not free for others; customers never see them; 0 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub buffer_before_minutes: Option<Number<0, 720>>,
    /// Minutes after it in which the provider is not free for others. Buffers of neighbours add up and may stick out of working hours; 0 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub buffer_after_minutes: Option<Number<0, 720>>,
    /// Elapsed minutes that have to lie between booking and start at least; 0 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub min_notice_minutes: Option<Number<0, 525_600>>,
    /// How many days ahead of today, in the zone of the organization, it can be booked.
    #[serde(default)]
    #[oai(nullable)]
    pub horizon_days: Option<Number<0, 3660>>,
    /// The first date on which it is given.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_from: Option<Date>,
    /// The last date on which it is given.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_until: Option<Date>,
    /// How many a day at most, in the zone of the organization, by all providers together.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_day: Option<Number<1, 10_000>>,
    /// How many a week from Monday to Sunday at most.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_week: Option<Number<1, 10_000>>,
    /// Whether what is booked is pending, with its time taken, until somebody confirms it; false where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub requires_approval: Option<bool>,
    /// How many may be booked into one start of one provider, each in a numbered seat; 1 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub capacity: Option<Number<1, 1000>>,
    /// Price in the minor unit of the currency (cents).
    #[serde(default)]
    #[oai(nullable)]
    pub price_amount: Option<Number<0, 2_000_000_000>>,
    /// ISO 4217 code of the currency of the price.
    #[serde(default)]
    #[oai(nullable)]
    pub price_currency: Option<Currency>,
    /// Elapsed minutes before the start until which customers may cancel or reschedule themselves; 0 where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub cancellation_notice_minutes: Option<Number<0, 525_600>>,
    /// Whether a contact may have it while having something else; false where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_may_overlap: Option<bool>,
    /// Whether customers and guests see it and may book it themselves; true where not given.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_online: Option<bool>,
    /// What a guest has to say to book it, beside a name. Defaults to nothing.
    #[serde(default)]
    #[oai(nullable)]
    pub guest_requires: Option<Vec<GuestDetail>>,
    /// What a guest has to show before it is booked. Defaults to `none`.
    #[serde(default)]
    #[oai(nullable)]
    pub guest_verification: Option<GuestVerification>,
    /// Who gives it; everybody where not given, or empty.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_ids: Option<Vec<Uuid>>,
    /// What it needs: up to five lists, of each of which one room or piece of equipment is taken along with the provider.
    #[serde(default)]
    #[oai(nullable)]
    pub required_resources: Option<Vec<Pool>>,
}

impl Example for NewService {
    fn example() -> Self {
        serde_json::from_value(json!({
            "name": "Haircut",
            "description": "Wash, cut and dry.",
            "duration_minutes": 45,
            "slot_step_minutes": 15,
            "buffer_after_minutes": 10,
            "min_notice_minutes": 120,
            "horizon_days": 90,
            "price_amount": 4500,
            "price_currency": "EUR",
            "cancellation_notice_minutes": 1440,
        }))
        .expect("the example follows the rules it is an example of")
    }
}

impl NewService {
    /// The columns, with what nobody said.
    fn columns(&self) -> serde_json::Value {
        let mut columns = serde_json::to_value(self).unwrap_or_default();
        if let Some(columns) = columns.as_object_mut() {
            let mut set = |name: &str, default: serde_json::Value| {
                let column = columns.entry(name).or_insert(serde_json::Value::Null);
                if column.is_null() {
                    *column = default;
                }
            };
            set("slot_step_minutes", json!(15));
            set("slot_offset_minutes", json!(0));
            set("buffer_before_minutes", json!(0));
            set("buffer_after_minutes", json!(0));
            set("min_notice_minutes", json!(0));
            set("requires_approval", json!(false));
            set("capacity", json!(1));
            set("cancellation_notice_minutes", json!(0));
            set("contact_may_overlap", json!(false));
            set("bookable_online", json!(true));
            set("guest_requires", json!([]));
            set("guest_verification", json!("none"));
            set("active", json!(true));
        }
        columns
    }
}

/// What is to change about a service. What is left out stays; null takes a rule away. Appointments that stand keep their
/// times.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ServiceChanges {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<1, 200>>,
    /// What the customer should know.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub description: MaybeUndefined<Text<1, 2000>>,
    /// Elapsed minutes an appointment takes.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<Minutes>,
    /// Minutes from one offered start to the next, counted from the beginning of each interval of working hours.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub slot_step_minutes: Option<Minutes>,
    /// Minutes from the beginning of each interval of working hours to the first offered start.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub slot_offset_minutes: Option<Number<0, 1439>>,
    /// Minutes before it in which the provider is not free for others; customers never see them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub buffer_before_minutes: Option<Number<0, 720>>,
    /// Minutes after it in which the provider is not free for others. Buffers of neighbours add up and may stick out of working hours.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub buffer_after_minutes: Option<Number<0, 720>>,
    /// Elapsed minutes that have to lie between booking and start at least.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min_notice_minutes: Option<Number<0, 525_600>>,
    /// How many days ahead of today, in the zone of the organization, it can be booked.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub horizon_days: MaybeUndefined<Number<0, 3660>>,
    /// The first date on which it is given.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub bookable_from: MaybeUndefined<Date>,
    /// The last date on which it is given.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub bookable_until: MaybeUndefined<Date>,
    /// How many a day at most, in the zone of the organization, by all providers together.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_day: MaybeUndefined<Number<1, 10_000>>,
    /// How many a week from Monday to Sunday at most.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_week: MaybeUndefined<Number<1, 10_000>>,
    /// Whether what is booked is pending, with its time taken, until somebody confirms it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub requires_approval: Option<bool>,
    /// How many may be booked into one start of one provider, each in a numbered seat.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Number<1, 1000>>,
    /// Price in the minor unit of the currency (cents).
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub price_amount: MaybeUndefined<Number<0, 2_000_000_000>>,
    /// ISO 4217 code of the currency of the price.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub price_currency: MaybeUndefined<Currency>,
    /// Elapsed minutes before the start until which customers may cancel or reschedule themselves.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub cancellation_notice_minutes: Option<Number<0, 525_600>>,
    /// Whether a contact may have it while having something else.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub contact_may_overlap: Option<bool>,
    /// Whether customers and guests see it and may book it themselves.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub bookable_online: Option<bool>,
    /// What a guest has to say to book it, beside a name, in place of what it was. Empty: nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub guest_requires: Option<Vec<GuestDetail>>,
    /// What a guest has to show before it is booked.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub guest_verification: Option<GuestVerification>,
    /// Who gives it, in place of those there are; empty: everybody.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub provider_ids: Option<Vec<Uuid>>,
    /// What it needs, in place of what it did.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub required_resources: Option<Vec<Pool>>,
    /// Whether it can be booked.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

impl Example for ServiceChanges {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "description": null, "duration_minutes": 60, "max_per_day": 12, "active": true }),
        )
        .expect("the example follows the rules it is an example of")
    }
}

/// What is wrong with the lists of a service. Its values are right by their types.
fn mistakes(
    providers: Option<&Vec<Uuid>>,
    pools: Option<&Vec<Pool>>,
    details: Option<&Vec<GuestDetail>>,
) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if details.is_some_and(|details| details.len() > 2) {
        errors.push(FieldError::new("guest_requires", "too_many", "each of email and phone once at most"));
    }
    if providers.is_some_and(|providers| providers.len() > MOST_IN_LIST) {
        errors.push(FieldError::new("provider_ids", "too_many", format!("at most {MOST_IN_LIST}")));
    }
    let pools = pools.map(Vec::as_slice).unwrap_or_default();
    if pools.len() > MOST_REQUIREMENTS {
        errors.push(FieldError::new(
            "required_resources",
            "too_many",
            format!("at most {MOST_REQUIREMENTS}"),
        ));
    }
    for (index, pool) in pools.iter().enumerate() {
        let field = format!("required_resources[{index}]");
        if pool.is_empty() {
            errors.push(FieldError::new(field, "too_short", "at least one room or piece of equipment"));
        } else if pool.len() > MOST_IN_LIST {
            errors.push(FieldError::new(field, "too_many", format!("at most {MOST_IN_LIST}")));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

/// What the constraints say about rules that do not go together.
fn refused<T>(result: Result<T, db::Error>) -> Result<T, Failure> {
    result
        .on_constraint("services_length", || {
            Problem::invalid_field("duration_minutes", "out_of_range", "with its buffers a day at most")
        })
        .on_constraint("services_bookable_dates", || {
            Problem::invalid_field(
                "bookable_until",
                "invalid_value",
                "a date that is not before bookable_from",
            )
        })
        .on_constraint("services_price", || {
            Problem::invalid_field(
                "price_currency",
                "required",
                "a price has an amount and a currency, or neither",
            )
        })
}

pub struct ServicesApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl ServicesApi {
    /// List services
    ///
    /// In the order in which they were created.
    #[oai(path = "/services", method = "get", operation_id = "list_services")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only those that changed at this instant or later: the `as_of` of the list before.
        updated_since: Query<Option<Instant>>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Service>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let as_of = self.db.as_of().await?;
        let rows = self
            .db
            .all(
                &caller,
                sql!("scheduling/services_list.sql"),
                &[&after, &i64::from(size + 1), &updated_since.0.map(|instant| instant.0)],
            )
            .await?;
        let services = rows.into_iter().map(Service::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Json(Page::new(services, size, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a service
    ///
    /// Every active provider gives it, unless `provider_ids` says who.
    #[oai(path = "/services", method = "post", operation_id = "create_service")]
    async fn create(
        &self,
        caller: Member<Manager, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewService>,
    ) -> Result<Created<Service>, Refused<Creating>> {
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
    ) -> Result<Json<Service>, Refused<Reading>> {
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
    ) -> Result<Json<Service>, Refused<Changing>> {
        let changes = body.0;
        mistakes(
            changes.provider_ids.as_ref(),
            changes.required_resources.as_ref(),
            changes.guest_requires.as_ref(),
        )?;
        let mut tx = self.db.begin(&caller);
        let columns = serde_json::to_value(&changes).map_err(|_| Problem::internal())?;
        refused(tx.optional(sql!("scheduling/services_update.sql"), &[&service_id.0, &columns]).await)?
            .ok_or_else(Problem::not_found)?;
        let (providers, pools) = (changes.provider_ids, changes.required_resources);
        set_lists(&mut tx, service_id.0, providers.as_deref(), pools.as_deref()).await?;
        let row = tx.commit_with(sql!("scheduling/services_get.sql"), &[&service_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.try_into()?))
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
        let in_use = || {
            Problem::conflict(
                "service_in_use",
                "The service has appointments or holds. Make it inactive instead.",
            )
        };
        // Expired holds do not count as holds.
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
    mistakes(new.provider_ids.as_ref(), new.required_resources.as_ref(), new.guest_requires.as_ref())?;
    let mut tx = db.begin(context);
    let service = Once::run(once, &mut tx, async |tx| {
        let id = Uuid::now_v7();
        refused(tx.all(sql!("scheduling/services_create.sql"), &[&id, &new.columns()]).await)?;
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
        tx.all(sql!("scheduling/service_providers_set.sql"), &[&service, &providers])
            .await
            .on_constraint("service_providers_provider_fkey", || {
                Problem::invalid_field("provider_ids", "not_found", "ids of providers of the organization")
            })?;
    }
    if let Some(pools) = pools {
        let mut requirements: Vec<i16> = Vec::new();
        let mut resources: Vec<Uuid> = Vec::new();
        for (requirement, pool) in (1..).zip(pools) {
            requirements.extend(pool.iter().map(|_| requirement));
            resources.extend(pool);
        }
        let known = tx
            .one(sql!("scheduling/service_resources_set.sql"), &[&service, &requirements, &resources])
            .await?
            .get::<_, bool>(0);
        if !known {
            Err(Problem::invalid_field(
                "required_resources",
                "not_found",
                "ids of rooms and equipment of the organization",
            ))?;
        }
    }
    Ok(())
}
