//! What a service is: its rules as they are answered, created and changed.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::http::{
    json::present,
    problem::Problem,
    values::{Currency, Date, Number, Text, named_enum},
};

/// Minutes, up to a day.
pub type Minutes = Number<1, 1440>;

/// The rooms and pieces of equipment of which any one would do.
pub type Pool = Vec<Uuid>;

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
    #[oai(validator(max_items = 2))]
    pub guest_requires: Option<Vec<GuestDetail>>,
    /// What a guest has to show before it is booked. Defaults to `none`.
    #[serde(default)]
    #[oai(nullable)]
    pub guest_verification: Option<GuestVerification>,
    /// Who gives it; everybody where not given, or empty.
    #[serde(default)]
    #[oai(nullable)]
    #[oai(validator(max_items = 200))]
    pub provider_ids: Option<Vec<Uuid>>,
    /// What it needs: up to five lists, of each of which one room or piece of equipment is taken along with the provider.
    #[serde(default)]
    #[oai(nullable)]
    #[oai(validator(max_items = 5))]
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
    pub fn columns(&self) -> serde_json::Value {
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
    #[oai(validator(max_items = 2))]
    pub guest_requires: Option<Vec<GuestDetail>>,
    /// What a guest has to show before it is booked.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub guest_verification: Option<GuestVerification>,
    /// Who gives it, in place of those there are; empty: everybody.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[oai(validator(max_items = 200))]
    pub provider_ids: Option<Vec<Uuid>>,
    /// What it needs, in place of what it did.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[oai(validator(max_items = 5))]
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
