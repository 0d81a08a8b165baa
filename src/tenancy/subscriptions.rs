//! Plans: the limits and features of an organization, and its usage.

use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, Type};

use crate::{
    db::{self, Db, FrontDoor, Sql, Tx, row},
    http::{
        caller::{Admin, Member, Owner, SignedIn, Viewer},
        if_match::{IfMatch, Single},
        json::{Json, present},
        problem::{ApiError, Failure, FieldError, Problem, Reading, Writing},
        values::Text,
    },
    sql,
};

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The features that are enabled.
        #[derive(Clone, Debug, Object, Serialize)]
        pub struct Features {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Features {
            /// The features with these names.
            pub fn of(names: Vec<String>) -> Self {
                Self { $($name: names.iter().any(|name| name == stringify!($name)),)* }
            }
        }

        /// Read from an array of names. Names that only a later version knows are skipped: they have no field here.
        impl<'a> FromSql<'a> for Features {
            fn from_sql(
                ty: &Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                Vec::from_sql(ty, raw).map(Self::of)
            }

            fn accepts(ty: &Type) -> bool {
                <Vec<String> as FromSql>::accepts(ty)
            }
        }

        /// Features to enable or disable. An omitted or `null` feature keeps its setting; in a new organization it is
        /// enabled if the plan includes it.
        #[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct FeatureChoices {
            $($(#[$doc])* #[serde(default)] #[oai(nullable)] pub $name: Option<bool>,)*
        }

        impl FeatureChoices {
            fn named(&self) -> Vec<(&'static str, Option<bool>)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// These choices, on top of the features that are disabled now.
            fn over(&self, disabled: &[String]) -> Self {
                let off = |feature: &str| disabled.iter().any(|disabled| disabled == feature).then_some(false);
                Self { $($name: self.$name.or(off(stringify!($name))),)* }
            }
        }
    };
}

features! {
    /// Services, providers, schedules and appointments.
    appointments,
    /// Queues and tickets for walk-in customers.
    queues,
    /// Tasks of members, with checklists and comments.
    tasks,
    /// An installable web app of the organization.
    pwa,
    /// Statistics.
    analytics,
    /// Webhooks to other systems.
    integrations,
    /// API keys for programs.
    api_access,
    /// Custom colours, style sheet and domains.
    custom_branding,
}

impl FeatureChoices {
    /// The names of the disabled features. Fails if a feature is enabled that the plan does not include.
    pub fn disabled(&self, included: &[String], path: &str) -> Result<Vec<String>, Problem> {
        let has = |feature: &str| included.iter().any(|included| included == feature);
        let beyond: Vec<FieldError> = self
            .named()
            .into_iter()
            .filter(|(feature, wanted)| *wanted == Some(true) && !has(feature))
            .map(|(feature, _)| {
                FieldError::new(
                    format!("{path}{feature}"),
                    "feature_not_in_plan",
                    "The plan does not include this feature; choose another plan or omit the field.",
                )
            })
            .collect();
        if beyond.is_empty() { Ok(self.switched_off()) } else { Err(Problem::invalid(beyond)) }
    }

    fn switched_off(&self) -> Vec<String> {
        self.named()
            .into_iter()
            .filter(|(_, wanted)| *wanted == Some(false))
            .map(|(feature, _)| feature.to_owned())
            .collect()
    }
}

/// A plan an organization can subscribe to, with its limits and features.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Plan {
    pub plan_type: String,
    pub limits: Limits,
    pub features: Features,
}

/// The limits of a plan. A field is absent if the plan sets no limit.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Limits {
    /// Maximum number of active providers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_providers: Option<i32>,
    /// Maximum number of active members and open invitations together. Customers do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_members: Option<i32>,
    /// Maximum size of all files, in gigabytes (10^9 bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_storage_gb: Option<i32>,
    /// Maximum number of API keys that are neither revoked nor expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_api_keys: Option<i32>,
    /// Maximum number of requests per minute to one server, from all members and API keys of the organization together.
    /// Each API key has its own limit as well.
    pub requests_per_minute: i32,
    /// For how many days events are kept.
    pub event_days: i32,
}

row! {
    Limits { max_providers, max_members, max_storage_gb, max_api_keys, requests_per_minute, event_days }
}

row! {
    Plan { plan_type, limits: Limits, features }
}

/// All plans.
#[derive(Debug, Object, Serialize)]
pub struct Plans {
    /// The plans, smallest first.
    pub items: Vec<Plan>,
}

/// Changes to the plan. Omitted fields are kept.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SubscriptionChanges {
    /// The `plan_type` of a plan that `GET /api/v1/plans` lists.
    #[serde(default, deserialize_with = "present")]
    pub plan_type: Option<Text<1, 50>>,
    /// Features of the plan to enable or disable.
    #[serde(default, deserialize_with = "present")]
    pub features: Option<FeatureChoices>,
}

impl Example for SubscriptionChanges {
    fn example() -> Self {
        Self {
            plan_type: Text::parse("enterprise").ok(),
            features: Some(FeatureChoices { queues: Some(false), ..FeatureChoices::default() }),
        }
    }
}

/// The usage of an organization.
#[derive(Debug, Object, Serialize)]
pub struct Usage {
    /// Active providers.
    pub providers: CountedUsage,
    /// Active members and open invitations. Customers do not count.
    pub members: CountedUsage,
    /// API keys that are neither revoked nor expired.
    pub api_keys: CountedUsage,
    pub storage: StorageUsage,
    pub requests: RequestUsage,
    pub appointments: AppointmentUsage,
}

/// A count and its limit.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct CountedUsage {
    pub used: i64,
    /// Maximum allowed by the plan; absent if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i32>,
}

/// File storage.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct StorageUsage {
    /// Size of all files of the organization, in bytes.
    pub used_bytes: i64,
    /// Maximum allowed by the plan, in gigabytes (10^9 bytes); absent if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_gb: Option<i32>,
}

/// Number of requests answered. Recorded every few seconds, so the latest may be missing. Days are those of the
/// organization's time zone.
#[derive(Debug, Object, Serialize)]
pub struct RequestUsage {
    pub today: i64,
    /// Today and the 29 days before.
    pub last_30_days: i64,
}

/// Number of appointments that are not cancelled or declined, by their start. The month is that of the organization's
/// time zone.
#[derive(Debug, Object, Serialize)]
pub struct AppointmentUsage {
    pub this_month: i64,
    /// Appointments that start from now on.
    pub upcoming: i64,
}

struct UsageRow {
    providers: i64,
    max_providers: Option<i32>,
    members: i64,
    max_members: Option<i32>,
    api_keys: i64,
    max_api_keys: Option<i32>,
    storage: StorageUsage,
    requests: RequestUsage,
    appointments: AppointmentUsage,
}

row! {
    UsageRow {
        providers, max_providers, members, max_members, api_keys, max_api_keys,
        storage: StorageUsage, requests: RequestUsage, appointments: AppointmentUsage
    }
}

row! {
    // The server does not store files yet.
    StorageUsage { limit_gb = max_storage_gb; used_bytes: 0 }
}

row! {
    RequestUsage { today = requests_today, last_30_days = requests_last_30_days }
}

row! {
    AppointmentUsage { this_month = appointments_this_month, upcoming = appointments_upcoming }
}

const GET: Sql<Plan> = sql!("tenancy/subscriptions_get.sql" as Plan);

const SINGLE: Single<Plan> = Single::new(sql!("tenancy/subscriptions_lock.sql"), GET);

pub struct SubscriptionsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl SubscriptionsApi {
    /// List the plans
    ///
    /// All plans, smallest first. Not paginated.
    #[oai(path = "/plans", method = "get", operation_id = "list_plans")]
    async fn plans(&self, caller: SignedIn) -> Result<Json<Plans>, ApiError<Reading>> {
        Ok(Json(Plans { items: self.0.all(&caller, sql!("tenancy/plans_list.sql" as Plan), &[]).await? }))
    }

    /// Get the plan of the organization
    ///
    /// The plan, its limits, and the features that the organization has not disabled.
    #[oai(path = "/organizations/me/subscription", method = "get", operation_id = "get_subscription")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Plan>, ApiError<Reading>> {
        Ok(Json(self.0.one(&caller, GET, &[]).await?))
    }

    /// Change the plan of the organization
    ///
    /// The new plan applies from the next request on; its rate limit applies within ten seconds, also to existing
    /// tokens. Data created with features that the new plan does not include are kept but cannot be used. 403
    /// `plan_limit` if the organization has more than the new plan allows: remove the excess first. 422 `not_found` on
    /// `plan_type` if the plan does not exist. 422 `feature_not_in_plan` if the plan does not include a feature.
    #[oai(path = "/organizations/me/subscription", method = "patch", operation_id = "update_subscription")]
    async fn update(
        &self,
        caller: Member<Owner>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<SubscriptionChanges>,
    ) -> Result<Json<Plan>, ApiError<Writing>> {
        let changes = &body.0;
        let changed = self.0.attempt(&caller, |tx, _| change(tx, changes, &if_match)).await?;
        Ok(Json(changed))
    }

    /// Get the usage of the organization
    #[oai(path = "/organizations/me/usage", method = "get", operation_id = "get_usage")]
    async fn usage(&self, caller: Member<Admin>) -> Result<Json<Usage>, ApiError<Reading>> {
        let row = self.0.one(&caller, sql!("tenancy/usage_get.sql" as UsageRow), &[]).await?;
        Ok(Json(Usage {
            providers: CountedUsage { used: row.providers, limit: row.max_providers },
            members: CountedUsage { used: row.members, limit: row.max_members },
            api_keys: CountedUsage { used: row.api_keys, limit: row.max_api_keys },
            storage: row.storage,
            requests: row.requests,
            appointments: row.appointments,
        }))
    }
}

/// Changes the plan and its features.
async fn change(mut tx: Tx, changes: &SubscriptionChanges, if_match: &IfMatch) -> Result<Plan, Failure> {
    if_match.check(&mut tx, &SINGLE, &[]).await?;
    let sql = sql!("tenancy/subscriptions_lock.sql" as (String, Vec<String>));
    let (current, off) = tx.one(sql, &[]).await?;
    let plan_type = changes.plan_type.as_deref().unwrap_or(&current).to_owned();
    let included = features_of_plan(&mut tx, &plan_type).await?;
    let disabled =
        changes.features.clone().unwrap_or_default().over(&off).disabled(&included, "features.")?;
    tx.all(sql!("tenancy/subscriptions_update.sql"), &[&plan_type, &disabled]).await?;
    let plan = tx.one(GET, &[]).await?;
    tx.commit().await?;
    Ok(plan)
}

/// The features a plan includes.
pub async fn features_of_plan(tx: &mut Tx, plan_type: &str) -> Result<Vec<String>, Failure> {
    match tx.optional(sql!("tenancy/plans_get.sql" as (Vec<String>,)), &[&plan_type]).await? {
        Some((features,)) => Ok(features),
        None => {
            Err(Problem::invalid_field("plan_type", "not_found", "expected a plan of GET /api/v1/plans")
                .into())
        }
    }
}

/// Adds counted requests to today's usage.
pub async fn add_requests(
    door: &FrontDoor,
    organizations: &[uuid::Uuid],
    requests: &[i64],
) -> Result<(), db::Error> {
    door.gate(sql!("tenancy/usage_add_requests.sql"), &[&organizations, &requests]).await
}
