//! How an organization wants things.

use chrono::TimeDelta;
use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::{
    db::{self, Db, Tx},
    http::{
        Tag,
        caller::{Admin, Member, Viewer},
        json::{Json, present},
        problem::{ApiError, Problem, Reading, Writing},
        values::{LanguageTag, Number, WebOrigin, named_enum},
    },
    sql,
};

named_enum! {
    /// How dates are shown to people.
    DateFormat {
        YearMonthDay = "YYYY-MM-DD",
        DayDotMonth = "DD.MM.YYYY",
        DaySlashMonth = "DD/MM/YYYY",
        MonthSlashDay = "MM/DD/YYYY",
    }
}

named_enum! {
    /// How times of day are shown to people.
    TimeFormat {
        Hours24 = "24h",
        Hours12 = "12h",
    }
}

/// The settings of an organization. Its time zone is with the organization itself.
#[derive(Debug, Object, Serialize)]
pub struct Settings {
    /// The language (BCP 47) it speaks to its customers.
    pub language: String,
    pub date_format: DateFormat,
    pub time_format: TimeFormat,
    pub notifications: Notifications,
    pub privacy: Privacy,
    /// Whether members of this organization may belong to no other. Does not bind its owners, nor customers.
    pub exclusive_members: bool,
    /// Origins of web pages that may call the API for this organization from a browser, beside its own hosts.
    pub trusted_origins: Vec<String>,
    /// Elapsed minutes before its start from which an appointment can be checked in.
    pub check_in_opens_minutes: i32,
    pub guests: GuestSettings,
}

/// How guests are dealt with.
#[derive(Debug, Object, Serialize)]
pub struct GuestSettings {
    /// From one network address within an hour.
    pub bookings_per_address: i32,
    /// With one e-mail address within a day.
    pub bookings_per_email: i32,
    /// Whether what a guest books is for the contact that has their e-mail address, once it is verified, if exactly one has.
    pub match_by_verified_email: bool,
}

/// By which ways customers are notified.
#[derive(Debug, Object, Serialize)]
pub struct Notifications {
    pub email: bool,
    pub sms: bool,
    pub push: bool,
}

/// What is kept of people, and for how long.
#[derive(Debug, Object, Serialize)]
pub struct Privacy {
    /// Days for which data about people are kept after they were last needed.
    pub data_retention_days: i32,
    /// Whether the organization is bound by the GDPR.
    pub gdpr_compliant: bool,
}

impl From<Row> for Settings {
    fn from(row: Row) -> Self {
        Self {
            language: row.get(0),
            date_format: DateFormat::from_name(row.get(1)),
            time_format: TimeFormat::from_name(row.get(2)),
            notifications: Notifications { email: row.get(3), sms: row.get(4), push: row.get(5) },
            privacy: Privacy { data_retention_days: row.get(6), gdpr_compliant: row.get(7) },
            exclusive_members: row.get(8),
            trusted_origins: row.get(9),
            check_in_opens_minutes: row.get(10),
            guests: GuestSettings {
                bookings_per_address: row.get(11),
                bookings_per_email: row.get(12),
                match_by_verified_email: row.get(13),
            },
        }
    }
}

/// What is to change about the settings. What is left out stays.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SettingsChanges {
    /// The language (BCP 47) it speaks to its customers.
    #[serde(default, deserialize_with = "present")]
    pub language: Option<LanguageTag>,
    #[serde(default, deserialize_with = "present")]
    pub date_format: Option<DateFormat>,
    #[serde(default, deserialize_with = "present")]
    pub time_format: Option<TimeFormat>,
    #[serde(default, deserialize_with = "present")]
    pub notifications: Option<NotificationsChanges>,
    #[serde(default, deserialize_with = "present")]
    pub privacy: Option<PrivacyChanges>,
    /// Whether members of this organization may belong to no other. Who belongs to another already may stay.
    #[serde(default, deserialize_with = "present")]
    pub exclusive_members: Option<bool>,
    /// Origins of web pages that may call the API for this organization from a browser, beside its own hosts: at most 20, in
    /// place of those there are. The organization need not own their hosts.
    #[serde(default, deserialize_with = "present")]
    pub trusted_origins: Option<Vec<WebOrigin>>,
    /// Elapsed minutes before its start from which an appointment can be checked in, 0 to 1,440. 60 in a new organization.
    #[serde(default, deserialize_with = "present")]
    pub check_in_opens_minutes: Option<Number<0, 1440>>,
    #[serde(default, deserialize_with = "present")]
    pub guests: Option<GuestSettingsChanges>,
}

/// What is to change about how guests are dealt with.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GuestSettingsChanges {
    /// From one network address within an hour, 1 to 10,000. 20 in a new organization.
    #[serde(default, deserialize_with = "present")]
    pub bookings_per_address: Option<Number<1, 10_000>>,
    /// With one e-mail address within a day, 1 to 10,000. 5 in a new organization.
    #[serde(default, deserialize_with = "present")]
    pub bookings_per_email: Option<Number<1, 10_000>>,
    /// Whether what a guest books is for the contact that has their e-mail address, once it is verified, if exactly one has. `false`
    /// in a new organization.
    #[serde(default, deserialize_with = "present")]
    pub match_by_verified_email: Option<bool>,
}

/// What is to change about notifications.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsChanges {
    #[serde(default, deserialize_with = "present")]
    pub email: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub sms: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub push: Option<bool>,
}

/// What is to change about privacy.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyChanges {
    /// Days, 30 to 36,500.
    #[serde(default, deserialize_with = "present")]
    pub data_retention_days: Option<Number<30, 36500>>,
    #[serde(default, deserialize_with = "present")]
    pub gdpr_compliant: Option<bool>,
}

impl Example for SettingsChanges {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "language": "de-CH",
            "date_format": "DD.MM.YYYY",
            "time_format": "24h",
            "notifications": { "email": true, "sms": false },
            "privacy": { "data_retention_days": 365 },
            "trusted_origins": ["https://www.salon.example"],
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// How many origins an organization may trust.
const MOST_ORIGINS: usize = 20;

pub struct SettingsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/organizations/me", tag = "Tag::Tenancy")]
impl SettingsApi {
    /// Get the settings
    ///
    /// Language, formats, notifications and privacy are kept for clients; nothing acts on them yet.
    #[oai(path = "/settings", method = "get", operation_id = "get_settings")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Settings>, ApiError<Reading>> {
        let row = self.0.one(&caller, sql!("tenancy/settings_get.sql"), &[]).await?;
        Ok(Json(row.into()))
    }

    /// Change the settings
    #[oai(path = "/settings", method = "patch", operation_id = "update_settings")]
    async fn update(
        &self,
        caller: Member<Admin>,
        body: Json<SettingsChanges>,
    ) -> Result<Json<Settings>, ApiError<Writing>> {
        let changes = body.0;
        if changes.trusted_origins.as_ref().is_some_and(|origins| origins.len() > MOST_ORIGINS) {
            Err(Problem::invalid_field("trusted_origins", "too_long", "at most 20 origins"))?;
        }
        let origins: Option<Vec<&str>> =
            changes.trusted_origins.as_ref().map(|origins| origins.iter().map(|origin| &**origin).collect());
        let notifications = changes.notifications.unwrap_or_default();
        let privacy = changes.privacy.unwrap_or_default();
        let guests = changes.guests.unwrap_or_default();
        let row = self
            .0
            .one(
                &caller,
                sql!("tenancy/settings_update.sql"),
                &[
                    &changes.language.as_deref(),
                    &changes.date_format.map(DateFormat::name),
                    &changes.time_format.map(TimeFormat::name),
                    &notifications.email,
                    &notifications.sms,
                    &notifications.push,
                    &privacy.data_retention_days.map(|days| days.0),
                    &privacy.gdpr_compliant,
                    &changes.exclusive_members,
                    &origins,
                    &changes.check_in_opens_minutes.map(|minutes| minutes.0),
                    &guests.bookings_per_address.map(|bookings| bookings.0),
                    &guests.bookings_per_email.map(|bookings| bookings.0),
                    &guests.match_by_verified_email,
                ],
            )
            .await?;
        Ok(Json(row.into()))
    }
}

/// How long before its start an appointment can be checked in, in a transaction of another module.
pub async fn check_in_opens(tx: &mut Tx) -> Result<TimeDelta, db::Error> {
    let row = tx.one(sql!("tenancy/settings_get.sql"), &[]).await?;
    Ok(TimeDelta::minutes(row.get::<_, i32>("check_in_opens_minutes").into()))
}
