//! The health of an organization: what is wrong in it, for its admins, and once a day at most for its owners by e-mail.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx, WorkerDb, row},
    http::{
        caller::{Admin, Member},
        json::Json,
        problem::{ApiError, Reading},
        values::TimeZone,
    },
    messaging::{
        alerts::{AlertKind, Check, Checks, Found},
        letters::{Alert, Place},
        mail::Mailer,
    },
    sql,
};

/// Those of this module.
pub const CHECKS: &[Check] = &[
    Check { kind: AlertKind::FailedEmails, sql: sql!("tenancy/failed_emails.sql" as Found) },
    Check { kind: AlertKind::LimitNear, sql: sql!("tenancy/near_limits.sql" as Found) },
];

/// Something that is wrong.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct HealthAlert {
    pub kind: AlertKind,
    /// For `limit_near`: `providers`, `members` or `api_keys`. For `failing_webhooks`: the URL, without its query.
    /// Absent for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many jobs, e-mails, events that were not delivered in the last seven days, or other objects.
    pub count: i64,
    /// For `limit_near`: how many the plan allows. Absent for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// For `dead_jobs`: when the first of them died. For `failing_webhooks`: since when the endpoint has failed or been
    /// disabled. Absent for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

/// The health of an organization.
#[derive(Debug, Object, Serialize)]
pub struct OrganizationHealth {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// What is wrong. Later versions of the server find more kinds.
    pub alerts: Vec<HealthAlert>,
}

pub struct OrganizationHealthApi {
    pub db: Db,
    pub checks: Checks,
}

#[OpenApi(prefix_path = "/api/v1")]
impl OrganizationHealthApi {
    /// Get the health of the organization
    ///
    /// What is wrong in the organization. The owners get an e-mail about it, once a day at most, and about each problem
    /// once until it has ended.
    #[oai(path = "/organizations/me/health", method = "get", operation_id = "get_organization_health")]
    async fn get(&self, caller: Member<Admin>) -> Result<Json<OrganizationHealth>, ApiError<Reading>> {
        let mut tx = self.db.begin(&caller);
        let alerts = check(&mut tx, self.checks).await?;
        tx.commit().await?;
        Ok(Json(OrganizationHealth { healthy: alerts.is_empty(), alerts }))
    }
}

/// What all checks find.
async fn check(tx: &mut Tx, checks: Checks) -> Result<Vec<HealthAlert>, db::Error> {
    let mut alerts = Vec::new();
    for Check { kind, sql } in checks.iter() {
        for Found { about, count, most, since } in tx.all(*sql, &[]).await? {
            alerts.push(HealthAlert { kind: *kind, about, count, limit: most, since });
        }
    }
    Ok(alerts)
}

/// What the owners were told, and the organization.
struct Told {
    told: Vec<String>,
    told_today: bool,
    name: String,
    time_zone: TimeZone,
}

row! {
    Told { told, told_today, name, time_zone }
}

/// The alerts that the owners know after today, and whether they are told today: they are if any is new, once a day at
/// most. An alert that has ended is forgotten, and told again if it comes back.
pub fn to_tell(told: Vec<String>, told_today: bool, now: &[String]) -> (Vec<String>, bool) {
    let tells = !told_today && now.iter().any(|alert| !told.contains(alert));
    let known =
        if tells { now.to_vec() } else { told.into_iter().filter(|alert| now.contains(alert)).collect() };
    (known, tells)
}

/// Tells the owners of an organization what is wrong in it, if they do not know. It is noted first: nothing is told
/// twice.
pub async fn tell_owners(
    db: &WorkerDb,
    mailer: &Mailer,
    checks: Checks,
    tenant: Uuid,
) -> Result<(), db::Error> {
    let mut tx = db.begin(tenant);
    let Told { told, told_today, name, time_zone } =
        tx.one(sql!("tenancy/alerts_lock.sql" as Told), &[]).await?;
    let alerts = check(&mut tx, checks).await?;
    let now: Vec<String> = alerts
        .iter()
        .map(|alert| match &alert.about {
            Some(about) => format!("{}:{about}", alert.kind.name()),
            None => alert.kind.name().to_owned(),
        })
        .collect();
    let (known, tells) = to_tell(told, told_today, &now);
    tx.all(sql!("tenancy/alerts_note.sql"), &[&known, &tells]).await?;
    let owners = match tells {
        true => tx.all(sql!("tenancy/members_owners.sql" as (String,)), &[]).await?,
        false => Vec::new(),
    };
    tx.commit().await?;
    let place = Place { id: tenant, organization: name, time_zone };
    let lines: Vec<String> = alerts.iter().map(line).collect();
    for (owner,) in owners {
        mailer.send(Alert { place: &place, lines: &lines, site: mailer.site() }.to(&owner));
    }
    Ok(())
}

/// An alert, for people.
fn line(alert: &HealthAlert) -> String {
    let HealthAlert { kind, about, count, limit, .. } = alert;
    match kind {
        AlertKind::DeadJobs => format!("Jobs in the background that failed for the last time: {count}."),
        AlertKind::FailingWebhooks => {
            let url = about.as_deref().unwrap_or_default();
            format!(
                "The webhook endpoint {url} fails. Events of the last seven days not delivered to it: {count}."
            )
        }
        AlertKind::FailedEmails => {
            format!("E-mails of the last seven days that could not be delivered: {count}.")
        }
        AlertKind::LimitNear => {
            let what = about.as_deref().unwrap_or_default().replace("api_keys", "API keys");
            let limit = limit.unwrap_or_default();
            format!("The plan allows {limit} {what}, and {count} are in use.")
        }
    }
}
