//! A service and its rules, as the API reads, creates and changes them.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    db::row,
    http::{
        json::present,
        name::Name,
        values::{Currency, Date, List, Metadata, Number, Text},
    },
    scheduling::slots::guest_rules::{GuestDetail, GuestVerification},
};

/// A number of minutes, 1 to 1,440.
pub type Minutes = Number<1, 1440>;

/// Numbers of minutes before the start.
type Reminders = List<Number<5, 43_200>, 0, 5>;

/// Rooms and pieces of equipment, any one of which satisfies the requirement.
pub type Pool = List<Uuid, 1, 200>;

/// A service that the organization offers by appointment.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Service {
    pub id: Uuid,
    pub name: String,
    /// Information for customers; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Duration of an appointment in minutes of elapsed time.
    pub duration_minutes: i32,
    /// Minutes between starts, counted from the beginning of each interval of working hours.
    pub slot_step_minutes: i32,
    /// Minutes from the beginning of each interval of working hours to the first start.
    pub slot_offset_minutes: i32,
    /// Minutes before the appointment in which the provider is not free. Not shown to customers.
    pub buffer_before_minutes: i32,
    /// Minutes after the appointment in which the provider is not free. Adjacent buffers add up and may extend past
    /// working hours.
    pub buffer_after_minutes: i32,
    /// Minimum time between booking and start, in minutes of elapsed time.
    pub min_notice_minutes: i32,
    /// How many days in advance the service can be booked, counted from today in the organization's time zone. Absent:
    /// 3,660.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_days: Option<i32>,
    /// The first date on which the service is offered; absent if unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookable_from: Option<NaiveDate>,
    /// The last date on which the service is offered; absent if unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookable_until: Option<NaiveDate>,
    /// Maximum number of appointments per day, of all providers together, in the organization's time zone. A group
    /// session counts once. Absent if unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_day: Option<i32>,
    /// Maximum number of appointments per week, Monday to Sunday, of all providers together. A group session counts
    /// once. Absent if unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_week: Option<i32>,
    /// Whether a booking is pending, with its time taken, until a member confirms it.
    pub requires_approval: bool,
    /// Number of seats: how many appointments one provider can have at one start.
    pub capacity: i32,
    /// Price in the minor unit of the currency, such as cents; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_amount: Option<i32>,
    /// ISO 4217 code of the currency of the price; absent if no price is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// How long before the start customers and guests can cancel or reschedule, in minutes of elapsed time.
    pub cancellation_notice_minutes: i32,
    /// Whether a contact may have another appointment at the same time.
    pub contact_may_overlap: bool,
    /// Whether customers and guests can see and book the service.
    pub bookable_online: bool,
    /// Contact details that a guest must give besides a name. Empty: none.
    #[serde(default)]
    pub guest_requires: Vec<GuestDetail>,
    /// How a guest is verified before a booking takes effect.
    pub guest_verification: GuestVerification,
    /// Providers who perform it. Empty: all providers.
    #[serde(default)]
    pub provider_ids: Vec<Uuid>,
    /// Resources it requires besides the provider: one room or piece of equipment of each list.
    #[serde(default)]
    pub required_resources: Vec<Vec<Uuid>>,
    /// How many minutes before an appointment its contact gets a reminder: one for each number. Of an appointment with
    /// several services, its first decides. Absent: as `notifications.reminder_minutes` of the settings says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_minutes: Option<Vec<i32>>,
    /// Whether the service can be booked.
    pub active: bool,
    /// The id in another system; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What other programs note about the service; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A service, as statements return it.
pub struct ServiceRow {
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// The other columns of its row.
    rules: Service,
    provider_ids: Vec<Uuid>,
    required_resources: Option<Vec<Vec<Uuid>>>,
}

row! {
    ServiceRow { created_at, updated_at, rules as json, provider_ids, required_resources as json }
}

impl From<ServiceRow> for Service {
    fn from(row: ServiceRow) -> Self {
        let ServiceRow { created_at, updated_at, rules, provider_ids, required_resources } = row;
        let required_resources = required_resources.unwrap_or_default();
        Self { created_at, updated_at, provider_ids, required_resources, ..rules }
    }
}

/// A new service.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewService {
    /// 1 to 200 characters, without web or e-mail addresses.
    pub name: Name<200>,
    /// Information for customers, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub description: Option<Text<1, 2000>>,
    /// Duration of an appointment in minutes of elapsed time, 1 to 1,440. Duration plus buffers must not exceed 24
    /// hours.
    pub duration_minutes: Minutes,
    /// Minutes between starts, counted from the beginning of each interval of working hours, 1 to 1,440. Defaults to
    /// 15.
    #[serde(default)]
    #[oai(nullable)]
    pub slot_step_minutes: Option<Minutes>,
    /// Minutes from the beginning of each interval of working hours to the first start, 0 to 1,439. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub slot_offset_minutes: Option<Number<0, 1439>>,
    /// Minutes before the appointment in which the provider is not free, 0 to 720. Not shown to customers. Defaults to
    /// 0.
    #[serde(default)]
    #[oai(nullable)]
    pub buffer_before_minutes: Option<Number<0, 720>>,
    /// Minutes after the appointment in which the provider is not free, 0 to 720. Adjacent buffers add up and may
    /// extend past working hours. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub buffer_after_minutes: Option<Number<0, 720>>,
    /// Minimum time between booking and start, in minutes of elapsed time, 0 to 525,600. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub min_notice_minutes: Option<Number<0, 525_600>>,
    /// How many days in advance the service can be booked, 0 to 3,660, counted from today in the organization's time
    /// zone. Defaults to 365.
    #[serde(default)]
    #[oai(nullable)]
    pub horizon_days: Option<Number<0, 3660>>,
    /// The first date on which the service is offered. Defaults to no limit.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_from: Option<Date>,
    /// The last date on which the service is offered. Defaults to no limit.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_until: Option<Date>,
    /// Maximum number of appointments per day, of all providers together, in the organization's time zone, 1 to 10,000.
    /// A group session counts once. Defaults to unlimited.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_day: Option<Number<1, 10_000>>,
    /// Maximum number of appointments per week, Monday to Sunday, of all providers together, 1 to 10,000. A group
    /// session counts once. Defaults to unlimited.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_week: Option<Number<1, 10_000>>,
    /// Whether a booking is pending, with its time taken, until a member confirms it. Defaults to `false`.
    #[serde(default)]
    #[oai(nullable)]
    pub requires_approval: Option<bool>,
    /// Number of seats: how many appointments one provider can have at one start, 1 to 1,000. Defaults to 1.
    #[serde(default)]
    #[oai(nullable)]
    pub capacity: Option<Number<1, 1000>>,
    /// Price in the minor unit of the currency, such as cents. `price_amount` and `price_currency` must be given
    /// together.
    #[serde(default)]
    #[oai(nullable)]
    pub price_amount: Option<Number<0, 2_000_000_000>>,
    /// ISO 4217 code of the currency of the price. `price_amount` and `price_currency` must be given together.
    #[serde(default)]
    #[oai(nullable)]
    pub price_currency: Option<Currency>,
    /// How long before the start customers and guests can cancel or reschedule, in minutes of elapsed time, 0 to
    /// 525,600. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub cancellation_notice_minutes: Option<Number<0, 525_600>>,
    /// Whether a contact may have another appointment at the same time. Defaults to `false`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_may_overlap: Option<bool>,
    /// Whether customers and guests can see and book the service. Defaults to `true`.
    #[serde(default)]
    #[oai(nullable)]
    pub bookable_online: Option<bool>,
    /// Contact details that a guest must give besides a name. Defaults to none.
    #[serde(default)]
    #[oai(nullable)]
    pub guest_requires: Option<List<GuestDetail, 0, 2>>,
    /// How a guest is verified before a booking takes effect. Defaults to `none`.
    #[serde(default)]
    #[oai(nullable)]
    pub guest_verification: Option<GuestVerification>,
    /// Providers who perform it, at most 200. Defaults to all providers.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_ids: Option<List<Uuid, 0, 200>>,
    /// Resources it requires besides the provider: one room or piece of equipment of each list. At most five lists of 1
    /// to 200 ids. Defaults to none.
    #[serde(default)]
    #[oai(nullable)]
    pub required_resources: Option<List<Pool, 0, 5>>,
    /// How many minutes before an appointment its contact gets a reminder, each 5 to 43,200 (30 days). At most five;
    /// empty: never. Defaults to `notifications.reminder_minutes` of the settings.
    #[serde(default)]
    #[oai(nullable)]
    pub reminder_minutes: Option<Reminders>,
    /// The id in another system, 1 to 200 characters. Unique among the services of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: Option<Text<1, 200>>,
    /// What other programs note about the service: at most 20 pairs. Keys have 1 to 40 of `A-Z a-z 0-9 _ . -`.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: Option<Metadata>,
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
            "price_currency": "USD",
            "cancellation_notice_minutes": 1440,
        }))
        .expect("the example follows the rules it is an example of")
    }
}

impl NewService {
    /// The columns, with defaults for omitted fields.
    pub fn columns(&self) -> serde_json::Value {
        let mut columns = serde_json::to_value(self).expect("a service is an object of JSON");
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
            // Without a horizon, guests could book years ahead.
            set("horizon_days", json!(365));
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

/// Changes to a service. Omitted fields are kept; `null` removes a rule. Existing appointments keep their times.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ServiceChanges {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name<200>>,
    /// Information for customers, 1 to 2,000 characters.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub description: MaybeUndefined<Text<1, 2000>>,
    /// Duration of an appointment in minutes of elapsed time, 1 to 1,440. Duration plus buffers must not exceed 24
    /// hours.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<Minutes>,
    /// Minutes between starts, counted from the beginning of each interval of working hours, 1 to 1,440.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub slot_step_minutes: Option<Minutes>,
    /// Minutes from the beginning of each interval of working hours to the first start, 0 to 1,439.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub slot_offset_minutes: Option<Number<0, 1439>>,
    /// Minutes before the appointment in which the provider is not free, 0 to 720. Not shown to customers.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub buffer_before_minutes: Option<Number<0, 720>>,
    /// Minutes after the appointment in which the provider is not free, 0 to 720. Adjacent buffers add up and may
    /// extend past working hours.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub buffer_after_minutes: Option<Number<0, 720>>,
    /// Minimum time between booking and start, in minutes of elapsed time, 0 to 525,600.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min_notice_minutes: Option<Number<0, 525_600>>,
    /// How many days in advance the service can be booked, 0 to 3,660, counted from today in the organization's time
    /// zone. Null: 3,660.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub horizon_days: MaybeUndefined<Number<0, 3660>>,
    /// The first date on which the service is offered.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub bookable_from: MaybeUndefined<Date>,
    /// The last date on which the service is offered.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub bookable_until: MaybeUndefined<Date>,
    /// Maximum number of appointments per day, of all providers together, in the organization's time zone, 1 to 10,000.
    /// A group session counts once.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_day: MaybeUndefined<Number<1, 10_000>>,
    /// Maximum number of appointments per week, Monday to Sunday, of all providers together, 1 to 10,000. A group
    /// session counts once.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_week: MaybeUndefined<Number<1, 10_000>>,
    /// Whether a booking is pending, with its time taken, until a member confirms it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub requires_approval: Option<bool>,
    /// Number of seats: how many appointments one provider can have at one start, 1 to 1,000.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Number<1, 1000>>,
    /// Price in the minor unit of the currency, such as cents. `price_amount` and `price_currency` must be given
    /// together.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub price_amount: MaybeUndefined<Number<0, 2_000_000_000>>,
    /// ISO 4217 code of the currency of the price. `price_amount` and `price_currency` must be given together.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub price_currency: MaybeUndefined<Currency>,
    /// How long before the start customers and guests can cancel or reschedule, in minutes of elapsed time, 0 to
    /// 525,600.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub cancellation_notice_minutes: Option<Number<0, 525_600>>,
    /// Whether a contact may have another appointment at the same time.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub contact_may_overlap: Option<bool>,
    /// Whether customers and guests can see and book the service.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub bookable_online: Option<bool>,
    /// Contact details that a guest must give besides a name. Replaces the list; empty: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub guest_requires: Option<List<GuestDetail, 0, 2>>,
    /// How a guest is verified before a booking takes effect.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub guest_verification: Option<GuestVerification>,
    /// Providers who perform it, at most 200. Replaces the list; empty: all providers.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub provider_ids: Option<List<Uuid, 0, 200>>,
    /// Resources it requires besides the provider: one room or piece of equipment of each list. Replaces the lists; at
    /// most five lists of 1 to 200 ids.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub required_resources: Option<List<Pool, 0, 5>>,
    /// How many minutes before an appointment its contact gets a reminder, each 5 to 43,200 (30 days). Replaces the
    /// list; at most five; empty: never. Null: `notifications.reminder_minutes` of the settings. Applies to what is
    /// booked, confirmed or moved from now on; what was planned for a number that is removed is not sent.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub reminder_minutes: MaybeUndefined<Reminders>,
    /// Whether the service can be booked.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The id in another system, 1 to 200 characters. Unique among the services of the organization.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub external_id: MaybeUndefined<Text<1, 200>>,
    /// What other programs note about the service: at most 20 pairs. Replaces all of it.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub metadata: MaybeUndefined<Metadata>,
}

impl Example for ServiceChanges {
    fn example() -> Self {
        serde_json::from_value(
            json!({ "description": null, "duration_minutes": 60, "max_per_day": 12, "active": true }),
        )
        .expect("the example follows the rules it is an example of")
    }
}
