//! What can be wrong in an organization, listed: each module says how its own troubles are found.

use chrono::{DateTime, Utc};

use crate::{
    db::{Sql, row},
    http::values::named_enum,
    sql,
};

named_enum! {
    /// What is wrong.
    AlertKind {
        /// Jobs in the background failed for the last time: see `GET /api/v1/jobs`.
        DeadJobs = "dead_jobs",
        /// An endpoint of webhooks has failed for an hour, or was disabled because it failed: see
        /// `GET /api/v1/webhook-deliveries`.
        FailingWebhooks = "failing_webhooks",
        /// E-mails of the last seven days could not be delivered.
        FailedEmails = "failed_emails",
        /// The organization has nearly as much of something as its plan allows, or as much.
        LimitNear = "limit_near",
    }
}

/// What a check has found.
#[derive(Debug)]
pub struct Found {
    /// What it is about; `None` if the kind says it.
    pub about: Option<String>,
    pub count: i64,
    /// How many there may be.
    pub most: Option<i64>,
    pub since: Option<DateTime<Utc>>,
}

row! {
    Found { about, count, most, since }
}

/// How one kind of trouble is found: a statement that returns a row for each. It is sent as the server and as
/// `appointd_worker`.
pub struct Check {
    pub kind: AlertKind,
    pub sql: Sql<Found>,
}

/// The checks of all modules.
#[derive(Clone, Copy)]
pub struct Checks(pub &'static [&'static [Check]]);

impl Checks {
    pub fn iter(self) -> impl Iterator<Item = &'static Check> {
        self.0.iter().copied().flatten()
    }
}

/// Those of this module.
pub const CHECKS: &[Check] = &[
    Check { kind: AlertKind::DeadJobs, sql: sql!("messaging/dead_jobs.sql" as Found) },
    Check { kind: AlertKind::FailingWebhooks, sql: sql!("messaging/failing_webhooks.sql" as Found) },
];
