//! Creates an organization from the data of another system.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::database::{Batch, Outcome, begin, organizations, said};
use crate::{
    http::{
        name::Name,
        values::{EmailAddress, Instant, Number, Slug, Text, TimeZone},
    },
    scheduling::hours::schedule::{Schedule, ScheduleRule},
    tenancy::members::MemberRole,
};

/// Appointments that ended longer ago get no claims: scheduling.forget_past_claims would delete them.
const CLAIMS_ARE_KEPT: TimeDelta = TimeDelta::days(35);

/// The data of another system, with its own ids. Our ids are derived from them, so that each run finds the same rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    pub organization: AdoptedOrganization,
    #[serde(default)]
    members: Vec<AdoptedMember>,
    #[serde(default)]
    contacts: Vec<AdoptedContact>,
    #[serde(default)]
    providers: Vec<AdoptedProvider>,
    #[serde(default)]
    services: Vec<AdoptedService>,
    #[serde(default)]
    appointments: Vec<AdoptedAppointment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptedOrganization {
    name: Name<200>,
    pub slug: Slug,
    time_zone: TimeZone,
    #[serde(default = "smallest")]
    plan_type: Text<1, 50>,
}

fn smallest() -> Text<1, 50> {
    Text::parse("basic").expect("a name is text")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedMember {
    email: EmailAddress,
    #[serde(default)]
    full_name: Option<Name<200>>,
    role: MemberRole,
    /// Argon2 in PHC string format, or bcrypt. Without it the person has to reset the password.
    #[serde(default)]
    password_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedContact {
    id: Text<1, 200>,
    first_name: Name<100>,
    last_name: Name<100>,
    #[serde(default)]
    email: Option<EmailAddress>,
    #[serde(default)]
    phone: Option<Text<1, 50>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedProvider {
    id: Text<1, 200>,
    name: Name<200>,
    /// The schedule, in the format of `PUT /providers/{provider_id}/schedule`.
    #[serde(default)]
    schedule: Option<Schedule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedService {
    id: Text<1, 200>,
    name: Name<200>,
    duration_minutes: Number<1, 1440>,
    slot_step_minutes: Number<1, 1440>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptedAppointment {
    id: Text<1, 200>,
    service_id: Text<1, 200>,
    provider_id: Text<1, 200>,
    contact_id: Text<1, 200>,
    starts_at: Instant,
    /// Defaults to `starts_at` plus the duration of the service.
    #[serde(default)]
    ends_at: Option<Instant>,
    #[serde(default)]
    status: AdoptedStatus,
    #[serde(default)]
    note: Option<Text<1, 2000>>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum AdoptedStatus {
    #[default]
    Confirmed,
    Completed,
    Cancelled,
    NoShow,
}

impl AdoptedStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    fn takes_time(self) -> bool {
        matches!(self, Self::Confirmed | Self::Completed)
    }
}

/// Derives our ids from theirs, so that each run finds the same rows.
struct Ids<'a>(&'a str);

impl Ids<'_> {
    fn of(&self, kind: &str, theirs: &str) -> Uuid {
        let Self(slug) = self;
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("appointd:{slug}/{kind}/{theirs}").as_bytes())
    }
}

/// Sends rows in batches, one table after the other.
struct Sending<'a> {
    transaction: &'a Transaction<'a>,
    tenant: Uuid,
    batch: Option<Batch>,
    added: i64,
}

impl Sending<'_> {
    async fn add(&mut self, relation: &str, row: Value) -> Outcome<()> {
        let Value::Object(row) = row else {
            return Err("a row is an object".into());
        };
        if self.batch.as_ref().is_some_and(|batch| !batch.takes(relation, &row)) {
            self.flush().await?;
        }
        let batch = self.batch.get_or_insert_with(|| Batch {
            relation: relation.to_owned(),
            columns: row.keys().cloned().collect(),
            rows: Vec::new(),
        });
        let place = format!("{relation} {}", describe(&row));
        batch.rows.push((place, Value::Object(row)));
        Ok(())
    }

    async fn flush(&mut self) -> Outcome<()> {
        if let Some(batch) = self.batch.take() {
            let statement = include_str!("../../sql/tenant/adopt.sql");
            self.added += batch.send(self.transaction, statement, self.tenant).await?;
        }
        Ok(())
    }
}

fn describe(row: &Map<String, Value>) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

pub async fn adopt(client: &mut Client, adopted: &Adopted) -> Outcome<i64> {
    check(adopted)?;
    let slug = &*adopted.organization.slug;
    let ids = Ids(slug);
    let here = organizations(client).await?.into_iter().find(|organization| organization.slug == slug);
    let tenant = here.map_or_else(|| ids.of("organization", slug), |organization| organization.id);
    let transaction = begin(client).await?;
    let mut sending = Sending { transaction: &transaction, tenant, batch: None, added: 0 };
    let organization = &adopted.organization;
    let itself = json!({
        "id": tenant, "name": organization.name, "slug": organization.slug, "time_zone": organization.time_zone,
    });
    sending.add("tenancy.organizations", itself).await?;
    sending.add("tenancy.subscriptions", json!({ "plan_type": organization.plan_type })).await?;
    sending.add("tenancy.settings", json!({ "exclusive_members": true })).await?;
    sending.add("tenancy.branding", json!({})).await?;
    // By e-mail address: the person may have an account already.
    let members: BTreeMap<&str, &AdoptedMember> =
        adopted.members.iter().map(|member| (&*member.email, member)).collect();
    for (email, member) in &members {
        let account = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("appointd:account/{email}").as_bytes());
        let row = json!({
            "id": account,
            "email": email,
            "full_name": member.full_name,
            "password_hash": member.password_hash.as_deref().unwrap_or("none"),
        });
        sending.add("identity.accounts", row).await?;
    }
    for (email, member) in &members {
        sending.add("tenancy.members", json!({ "email": email, "role": member.role.name() })).await?;
    }
    for contact in &adopted.contacts {
        let row = json!({
            "id": ids.of("contact", &contact.id),
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
        });
        sending.add("crm.contacts", row).await?;
    }
    for provider in &adopted.providers {
        let row = json!({ "id": ids.of("provider", &provider.id), "kind": "provider" });
        sending.add("scheduling.resources", row).await?;
    }
    for provider in &adopted.providers {
        let row = json!({ "id": ids.of("provider", &provider.id), "name": provider.name });
        sending.add("scheduling.providers", row).await?;
    }
    add_schedules(&mut sending, &ids, &adopted.providers).await?;
    for service in &adopted.services {
        let row = json!({
            "id": ids.of("service", &service.id),
            "name": service.name,
            "duration_minutes": service.duration_minutes,
            "slot_step_minutes": service.slot_step_minutes,
        });
        sending.add("scheduling.services", row).await?;
    }
    add_appointments(&mut sending, &ids, adopted).await?;
    sending.flush().await?;
    let added = sending.added;
    transaction.commit().await.map_err(said)?;
    Ok(added)
}

/// Checks for errors that database constraints would report less clearly.
fn check(adopted: &Adopted) -> Outcome<()> {
    if !adopted.members.iter().any(|member| member.role == MemberRole::Owner) {
        Err("an organization needs an owner: a member with the role owner")?;
    }
    for member in &adopted.members {
        let known = ["$argon2", "$2a$", "$2b$", "$2y$"];
        if member.password_hash.as_ref().is_some_and(|hash| !known.iter().any(|kind| hash.starts_with(kind)))
        {
            Err(format!("the password_hash of {} is neither Argon2 nor bcrypt", &*member.email))?;
        }
    }
    for (index, provider) in adopted.providers.iter().enumerate() {
        if let Some(mistake) =
            provider.schedule.as_ref().and_then(|schedule| schedule.validate().into_iter().next())
        {
            Err(format!("providers[{index}].schedule.{}: {}", mistake.field, mistake.detail))?;
        }
    }
    Ok(())
}

async fn add_schedules(
    sending: &mut Sending<'_>,
    ids: &Ids<'_>,
    providers: &[AdoptedProvider],
) -> Outcome<()> {
    let schedules = || {
        providers
            .iter()
            .filter_map(|provider| Some((ids.of("provider", &provider.id), provider.schedule.as_ref()?)))
    };
    for (provider, schedule) in schedules() {
        let row = json!({ "provider_id": provider, "time_zone": schedule.time_zone });
        sending.add("scheduling.schedules", row).await?;
    }
    for (provider, schedule) in schedules() {
        for rule in schedule.rules.iter().map(ScheduleRule::rule) {
            let row = json!({
                "provider_id": provider,
                "weekday": rule.weekday,
                "from_minute": rule.span.from,
                "to_minute": rule.span.to,
                "valid_from": rule.valid_from,
                "valid_until": rule.valid_until,
            });
            sending.add("scheduling.schedule_rules", row).await?;
        }
    }
    for (provider, schedule) in schedules() {
        for date in schedule.overrides.iter() {
            let row = json!({
                "provider_id": provider,
                "date": date.date.0,
                "from_minutes": date.intervals.iter().map(|interval| interval.from.minute).collect::<Vec<_>>(),
                "to_minutes": date.intervals.iter().map(|interval| interval.to.minute).collect::<Vec<_>>(),
            });
            sending.add("scheduling.schedule_overrides", row).await?;
        }
    }
    for (provider, schedule) in schedules() {
        for travel in schedule.travels.iter() {
            let row = json!({
                "provider_id": provider,
                "starts_on": travel.starts_on.0,
                "ends_on": travel.ends_on.0,
                "time_zone": travel.time_zone,
            });
            sending.add("scheduling.schedule_travels", row).await?;
        }
    }
    Ok(())
}

/// Adds appointments, and claims on provider and contact for those whose status takes time.
async fn add_appointments(sending: &mut Sending<'_>, ids: &Ids<'_>, adopted: &Adopted) -> Outcome<()> {
    let durations: HashMap<&str, i32> =
        adopted.services.iter().map(|service| (&*service.id, service.duration_minutes.0)).collect();
    let now = Utc::now();
    let mut claims = Vec::new();
    let mut busy = BTreeSet::new();
    for (index, appointment) in adopted.appointments.iter().enumerate() {
        let starts_at = appointment.starts_at.0;
        let ends_at = match (&appointment.ends_at, durations.get(&*appointment.service_id)) {
            (Some(ends_at), _) => ends_at.0,
            (None, Some(minutes)) => starts_at + TimeDelta::minutes(i64::from(*minutes)),
            (None, None) => {
                return Err(format!(
                    "appointments[{index}].ends_at: needed, because the file does not have the service {}",
                    &*appointment.service_id
                ))?;
            }
        };
        let cancelled = appointment.status == AdoptedStatus::Cancelled;
        let (service, provider, contact) = (
            ids.of("service", &appointment.service_id),
            ids.of("provider", &appointment.provider_id),
            ids.of("contact", &appointment.contact_id),
        );
        let id = ids.of("appointment", &appointment.id);
        let row = json!({
            "id": id,
            "service_id": service,
            "provider_id": provider,
            "contact_id": contact,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "status": appointment.status.name(),
            "note": appointment.note,
            "created_at": now,
            "updated_at": now,
            "sequence": 0,
            "overridden": false,
            "visit": false,
            // The time of the cancellation is unknown.
            "cancelled_at": cancelled.then_some(now),
            "cancelled_by_kind": cancelled.then_some("member"),
        });
        sending.add("scheduling.appointments", row).await?;
        if appointment.status.takes_time() && ends_at > now - CLAIMS_ARE_KEPT {
            busy.insert(contact);
            let times = |row: Value| {
                let mut row = row;
                row["appointment_id"] = json!(id);
                row["starts_at"] = json!(starts_at);
                row["ends_at"] = json!(ends_at);
                row
            };
            claims.push(times(json!({
                "id": ids.of("claim", &appointment.id),
                "resource_id": provider,
                "service_id": service,
                "service_starts_at": starts_at,
            })));
            claims.push(times(json!({
                "id": ids.of("claim of contact", &appointment.id),
                "resource_id": contact,
                "service_id": null,
                "service_starts_at": null,
            })));
        }
    }
    for contact in busy {
        sending.add("scheduling.resources", json!({ "id": contact, "kind": "contact" })).await?;
    }
    // Seats are numbered from 1; every claim here has a capacity of 1.
    for mut claim in claims {
        claim["seat"] = json!(1);
        claim["capacity"] = json!(1);
        sending.add("scheduling.claims", claim).await?;
    }
    Ok(())
}
