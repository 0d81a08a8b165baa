//! What the worker does: the handlers of jobs, and what is done regularly.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use chrono_tz::Tz;
use uuid::Uuid;

use crate::{
    api,
    db::{Db, WorkerDb},
    http::problem::Problem,
    identity::purge,
    messaging::{
        cron::{Cron, Doing, Task, Tenants, Work},
        events,
        letters::Disabled,
        mail::Mailer,
        messages,
        queue::{Done, Failed, Handler, Job, Kind, Lane, Working},
        sending::SendMessages,
        webhooks::{
            delivering::{self, Deliver, TELL_DISABLED},
            secrets::SecretKeys,
            sender::Sender,
        },
    },
    operations::idempotency,
    scheduling::booking::{expiry, upkeep},
    tenancy::{
        domains::{self, Dns},
        health, members, organizations, settings, usage_days,
    },
    work::events::NotifyAssignee,
};

/// Expired holds, and freed time to offer.
const SWEEP: Kind = Kind::new("scheduling.sweep", Lane::Live);

/// What is old: claims, events, deliveries of webhooks, messages, answers to repeated requests.
const FORGET: Kind = Kind::new("organization.forget", Lane::Bulk);

/// The days that have ended.
const CLOSE_DAYS: Kind = Kind::new("organization.close_days", Lane::Bulk);

/// What is wrong in it.
const TELL_OWNERS: Kind = Kind::new("organization.tell_owners", Lane::Bulk);

/// How often it is looked which organizations have reached a time of their day.
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// What the work needs.
#[derive(Clone)]
pub struct Tools {
    /// As the server: a handler enters an organization as a request does.
    pub db: Db,
    pub worker: WorkerDb,
    pub mailer: Mailer,
    pub dns: Dns,
    pub webhooks: Sender,
    pub webhook_keys: SecretKeys,
}

/// The handlers of all kinds of jobs.
pub fn handlers(tools: &Tools) -> Vec<Arc<dyn Handler>> {
    let deliver = Deliver {
        worker: tools.worker.clone(),
        sender: tools.webhooks.clone(),
        keys: tools.webhook_keys.clone(),
    };
    let send = SendMessages {
        worker: tools.worker.clone(),
        book: api::notices(&tools.mailer),
        mailer: tools.mailer.clone(),
    };
    vec![
        Arc::new(Sweep(tools.clone())),
        Arc::new(Forget(tools.clone())),
        Arc::new(deliver),
        Arc::new(send),
        Arc::new(TellDisabled(tools.clone())),
        Arc::new(NotifyAssignee),
        Arc::new(CloseDays(tools.worker.clone())),
        Arc::new(TellOwners(tools.clone())),
    ]
}

/// What is done regularly, in UTC.
pub fn crons(tools: &Tools) -> Vec<Cron> {
    let cron = |name, pattern, max_lateness, work| Cron { name, pattern, zone: Tz::UTC, max_lateness, work };
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    let at = |since| Arc::new(InDay { db: tools.worker.clone(), since });
    // Five minutes after midnight, what began before it is committed. Midnight is at a quarter in all time zones.
    let quarters = "5,20,35,50 * * * *";
    vec![
        cron("sweep", "*/5 * * * * *", minute, Work::Each(SWEEP, Arc::new(ToSweep(tools.worker.clone())))),
        cron("forget", "17 3 * * *", 20 * hour, Work::Each(FORGET, Arc::new(Active(tools.worker.clone())))),
        cron("close_days", quarters, QUARTER, Work::Each(CLOSE_DAYS, at(5 * minute))),
        cron("tell_owners", quarters, QUARTER, Work::Each(TELL_OWNERS, at(8 * hour + 5 * minute))),
        cron("check_domains", "* * * * *", minute, Work::Once(Arc::new(CheckDomains(tools.clone())))),
        cron("purge_expired", "41 * * * *", hour, Work::Once(Arc::new(PurgeExpired(tools.worker.clone())))),
    ]
}

struct ToSweep(WorkerDb);

impl Tenants for ToSweep {
    fn due(&self) -> Doing<'_, Vec<Uuid>> {
        Box::pin(async move { Ok(expiry::due(&self.0).await?) })
    }
}

struct Active(WorkerDb);

impl Tenants for Active {
    fn due(&self) -> Doing<'_, Vec<Uuid>> {
        Box::pin(async move { Ok(organizations::active(&self.0).await?) })
    }
}

/// Organizations whose day began so long ago.
struct InDay {
    db: WorkerDb,
    since: Duration,
}

impl Tenants for InDay {
    fn due(&self) -> Doing<'_, Vec<Uuid>> {
        Box::pin(async move { Ok(usage_days::in_day(&self.db, self.since, QUARTER).await?) })
    }
}

struct Sweep(Tools);

impl Handler for Sweep {
    fn kind(&self) -> Kind {
        SWEEP
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Tools { db, worker, mailer, .. } = &self.0;
            match expiry::sweep(db, worker, mailer, job.tenant).await {
                // One transaction each time: an organization with many does not keep a place from the others.
                Ok(true) => Ok(Done::Later(Duration::ZERO)),
                Ok(false) => Ok(Done::Finished),
                Err(failure) => Err(Failed(Problem::from(failure).code.to_owned())),
            }
        })
    }
}

struct Forget(Tools);

impl Handler for Forget {
    fn kind(&self) -> Kind {
        FORGET
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            // Those that no worker closed at midnight.
            usage_days::close(&self.0.worker, job.tenant).await?;
            upkeep::forget_past_claims(&self.0.worker, job.tenant).await?;
            events::forget(&self.0.worker, job.tenant).await?;
            delivering::forget(&self.0.worker, job.tenant).await?;
            let kept = settings::retention(&self.0.worker, job.tenant).await?;
            messages::forget(&self.0.worker, job.tenant, Utc::now() - kept).await?;
            idempotency::forget(&self.0.worker, job.tenant).await?;
            Ok(Done::Finished)
        })
    }
}

/// Tells the admins that a webhook endpoint was disabled.
struct TellDisabled(Tools);

impl Handler for TellDisabled {
    fn kind(&self) -> Kind {
        TELL_DISABLED
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Tools { worker, mailer, .. } = &self.0;
            let endpoint = job.named("endpoint_id")?;
            // Enabled again or deleted meanwhile: nothing to tell.
            if let Some((url, reason)) = delivering::disabled(worker, job.tenant, endpoint).await? {
                for (email, organization) in members::admins(worker, job.tenant).await? {
                    let letter = Disabled { organization: &organization, id: job.tenant, url: &url, reason };
                    mailer.send(letter.to(&email));
                }
            }
            Ok(Done::Finished)
        })
    }
}

struct CloseDays(WorkerDb);

impl Handler for CloseDays {
    fn kind(&self) -> Kind {
        CLOSE_DAYS
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            usage_days::close(&self.0, job.tenant).await?;
            Ok(Done::Finished)
        })
    }
}

struct TellOwners(Tools);

impl Handler for TellOwners {
    fn kind(&self) -> Kind {
        TELL_OWNERS
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Tools { worker, mailer, .. } = &self.0;
            health::tell_owners(worker, mailer, api::CHECKS, job.tenant).await?;
            Ok(Done::Finished)
        })
    }
}

struct CheckDomains(Tools);

impl Task for CheckDomains {
    fn run(&self) -> Doing<'_, ()> {
        Box::pin(async move { Ok(domains::check_due(&self.0.worker, &self.0.dns).await?) })
    }
}

struct PurgeExpired(WorkerDb);

impl Task for PurgeExpired {
    fn run(&self) -> Doing<'_, ()> {
        Box::pin(async move { Ok(purge::expired(&self.0).await?) })
    }
}
