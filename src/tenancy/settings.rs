//! The settings of an organization: language, formats, notifications, privacy, trusted origins and guests.

use chrono::TimeDelta;
use poem_openapi::{
    Object, OpenApi,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{self, Db, Sql, Tx, WorkerDb, row},
    http::{
        caller::{Admin, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Json, present},
        problem::{ApiError, Problem, Reading, Writing},
        values::{HttpsUrl, LanguageTag, List, Number, WebOrigin, named_enum},
    },
    sql,
};

named_enum! {
    /// How dates are shown to people: `ymd_dashes` is 2026-12-24, `dmy_dots` 24.12.2026, `dmy_slashes` 24/12/2026,
    /// `mdy_slashes` 12/24/2026.
    DateFormat {
        /// 2026-12-24
        YmdDashes = "ymd_dashes",
        /// 24.12.2026
        DmyDots = "dmy_dots",
        /// 24/12/2026
        DmySlashes = "dmy_slashes",
        /// 12/24/2026
        MdySlashes = "mdy_slashes",
    }
}

named_enum! {
    /// How times of day are shown to people: `h24` is 14:30, `h12` is 2:30 pm.
    TimeFormat {
        /// 14:30
        H24 = "h24",
        /// 2:30 pm
        H12 = "h12",
    }
}

/// The settings of an organization. Its time zone is a field of the organization itself.
#[derive(Debug, Object, Serialize)]
pub struct Settings {
    /// The language for communicating with customers, as a BCP 47 tag.
    pub language: String,
    pub date_format: DateFormat,
    pub time_format: TimeFormat,
    pub notifications: Notifications,
    pub privacy: Privacy,
    /// Whether members of this organization may belong to no other organization. Does not apply to owners and
    /// customers.
    pub exclusive_members: bool,
    /// Origins of web pages that may call the API for this organization from a browser, in addition to its own hosts.
    pub trusted_origins: Vec<String>,
    /// How many minutes before its start an appointment can be checked in.
    pub check_in_opens_minutes: i32,
    pub guests: GuestSettings,
}

/// The settings for bookings by guests.
#[derive(Debug, Object, Serialize)]
pub struct GuestSettings {
    /// Maximum number of guest bookings from one network address per hour.
    pub bookings_per_address: i32,
    /// Maximum number of guest bookings with one e-mail address per day.
    pub bookings_per_email: i32,
    /// Whether a guest booking with a verified e-mail address is made for the existing contact with that address,
    /// provided exactly one contact has it. If `false`, a new contact is created.
    pub match_by_verified_email: bool,
}

/// How customers are notified, and when they are reminded and thanked.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Notifications {
    /// Whether customers get e-mails about their appointments.
    pub email: bool,
    /// Only stored for clients.
    pub sms: bool,
    /// Only stored for clients.
    pub push: bool,
    /// How many minutes before an appointment its contact gets a reminder: one for each number. A service may say
    /// otherwise.
    pub reminder_minutes: Vec<i32>,
    /// How many minutes after an appointment was completed its contact is thanked. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thanks_after_minutes: Option<i32>,
    /// The page where customers can review the organization, which the thanks lead to. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_url: Option<String>,
}

/// The privacy settings.
#[derive(Debug, Object, Serialize)]
pub struct Privacy {
    /// Number of days that personal data are kept after their last use. Messages are deleted so many days after they
    /// were created.
    pub data_retention_days: i32,
    /// Whether the GDPR applies to the organization.
    pub gdpr_compliant: bool,
}

row! {
    Settings {
        language, date_format, time_format, notifications: Notifications, privacy: Privacy, exclusive_members,
        trusted_origins, check_in_opens_minutes, guests: GuestSettings
    }
}

row! {
    Notifications {
        email = notify_by_email, sms = notify_by_sms, push = notify_by_push, reminder_minutes, thanks_after_minutes,
        review_url
    }
}

row! {
    Privacy { data_retention_days, gdpr_compliant }
}

row! {
    GuestSettings {
        bookings_per_address = guest_bookings_per_address, bookings_per_email = guest_bookings_per_email,
        match_by_verified_email = guests_match_by_verified_email
    }
}

/// Changes to the settings. Omitted fields are kept.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SettingsChanges {
    /// The language for communicating with customers, as a BCP 47 tag.
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
    /// Whether members of this organization may belong to no other organization. Existing memberships elsewhere are
    /// kept.
    #[serde(default, deserialize_with = "present")]
    pub exclusive_members: Option<bool>,
    /// Origins of web pages that may call the API for this organization from a browser, in addition to its own hosts.
    /// Replaces the list; at most 20. The organization need not own the hosts.
    #[serde(default, deserialize_with = "present")]
    pub trusted_origins: Option<List<WebOrigin, 0, 20>>,
    /// How many minutes before its start an appointment can be checked in, 0 to 1,440. Initially 60.
    #[serde(default, deserialize_with = "present")]
    pub check_in_opens_minutes: Option<Number<0, 1440>>,
    #[serde(default, deserialize_with = "present")]
    pub guests: Option<GuestSettingsChanges>,
}

/// Changes to the settings for guests. Omitted fields are kept.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GuestSettingsChanges {
    /// Maximum number of guest bookings from one network address per hour, 1 to 10,000. Initially 20.
    #[serde(default, deserialize_with = "present")]
    pub bookings_per_address: Option<Number<1, 10_000>>,
    /// Maximum number of guest bookings with one e-mail address per day, 1 to 10,000. Initially 5.
    #[serde(default, deserialize_with = "present")]
    pub bookings_per_email: Option<Number<1, 10_000>>,
    /// Whether a guest booking with a verified e-mail address is made for the existing contact with that address,
    /// provided exactly one contact has it. If `false`, a new contact is created. Initially `false`.
    #[serde(default, deserialize_with = "present")]
    pub match_by_verified_email: Option<bool>,
}

/// Changes to how customers are notified. Omitted fields are kept.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsChanges {
    #[serde(default, deserialize_with = "present")]
    pub email: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub sms: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub push: Option<bool>,
    /// How many minutes before an appointment its contact gets a reminder, each 5 to 43,200 (30 days). Replaces the
    /// list; at most five; empty: never. Initially empty. Applies to what is booked, confirmed or moved from now on;
    /// what was planned for a number that is removed is not sent.
    #[serde(default, deserialize_with = "present")]
    pub reminder_minutes: Option<List<Number<5, 43_200>, 0, 5>>,
    /// How many minutes after an appointment was completed its contact is thanked, 0 to 43,200. Null: never. Initially
    /// null.
    #[serde(default)]
    #[oai(nullable)]
    pub thanks_after_minutes: MaybeUndefined<Number<0, 43_200>>,
    /// The page where customers can review the organization, which the thanks lead to. Null: none. Initially null.
    #[serde(default)]
    #[oai(nullable)]
    pub review_url: MaybeUndefined<HttpsUrl>,
}

/// Changes to the privacy settings. Omitted fields are kept.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyChanges {
    /// Number of days that personal data are kept after their last use, 30 to 36,500.
    #[serde(default, deserialize_with = "present")]
    pub data_retention_days: Option<Number<30, 36500>>,
    #[serde(default, deserialize_with = "present")]
    pub gdpr_compliant: Option<bool>,
}

impl Example for SettingsChanges {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "language": "de-CH",
            "date_format": "dmy_dots",
            "time_format": "h24",
            "notifications": { "email": true, "sms": false, "reminder_minutes": [1440, 120] },
            "privacy": { "data_retention_days": 365 },
            "trusted_origins": ["https://www.salon.example"],
        }))
        .expect("the example follows the rules it is an example of")
    }
}

const GET: Sql<Settings> = sql!("tenancy/settings_get.sql" as Settings);

const SINGLE: Single<Settings> = Single::new(sql!("tenancy/settings_lock_row.sql"), GET);

pub struct SettingsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/organizations/me")]
impl SettingsApi {
    /// Get the settings
    ///
    /// E-mails to customers and members about appointments, and the pages for customers, are written in `language` and
    /// with the formats of dates and times. `notifications.sms`, `notifications.push` and `privacy.gdpr_compliant` are
    /// only stored for clients.
    #[oai(path = "/settings", method = "get", operation_id = "get_settings")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Settings>, ApiError<Reading>> {
        Ok(Json(self.0.one(&caller, GET, &[]).await?))
    }

    /// Change the settings
    ///
    /// 403 `email_not_verified` if an origin is added, or `review_url` set, before the e-mail address of the caller's
    /// account is verified.
    #[oai(path = "/settings", method = "patch", operation_id = "update_settings")]
    async fn update(
        &self,
        caller: Member<Admin>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<SettingsChanges>,
    ) -> Result<Json<Settings>, ApiError<Writing>> {
        let changes = body.0;
        let origins: Option<Vec<&str>> =
            changes.trusted_origins.as_ref().map(|origins| origins.iter().map(|origin| &**origin).collect());
        let notifications = changes.notifications.unwrap_or_default();
        let reminders: Option<Vec<i32>> = notifications
            .reminder_minutes
            .as_ref()
            .map(|minutes| minutes.iter().map(|minutes| minutes.0).collect());
        let privacy = changes.privacy.unwrap_or_default();
        let guests = changes.guests.unwrap_or_default();
        let changed = if_match
            .change(
                &self.0,
                &caller,
                (&SINGLE, &[]),
                sql!("tenancy/settings_update.sql" as Settings),
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
                    &reminders,
                    &!notifications.thanks_after_minutes.is_undefined(),
                    &notifications.thanks_after_minutes.value().map(|minutes| minutes.0),
                    &!notifications.review_url.is_undefined(),
                    &notifications.review_url.value().map(|url| &**url),
                ],
            )
            .await?;
        Ok(Json(changed.ok_or_else(Problem::not_found)?))
    }
}

/// For how long data about people are kept.
pub async fn retention(db: &WorkerDb, tenant: Uuid) -> Result<TimeDelta, db::Error> {
    let sql = sql!("tenancy/settings_retention.sql" as (i32,));
    let days = db.begin(tenant).commit_with(sql, &[]).await?;
    // An organization always has settings. The longest time that can be set is 36,500 days.
    Ok(TimeDelta::days(days.map_or(36_500, |(days,)| days).into()))
}

/// How long before its start an appointment can be checked in. For transactions of other modules.
pub async fn check_in_opens(tx: &mut Tx) -> Result<TimeDelta, db::Error> {
    Ok(TimeDelta::minutes(tx.one(GET, &[]).await?.check_in_opens_minutes.into()))
}
