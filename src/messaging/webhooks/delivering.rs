//! The job that sends what is due to one endpoint: one delivery after the other, in the order of the events. After a
//! failure it pauses, so that an endpoint that does not answer takes no place for long. A delivery is noted when it was
//! sent; a worker that dies in between sends it again, with the same `webhook-id`.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    body::{WebhookActor, WebhookEvent, WebhookPayload},
    deliveries::WebhookDeliveryState,
    endpoints::DisabledReason,
    secrets::SecretKeys,
    sender::{Outcome, Sender, Sent},
};
use crate::{
    db::{self, WorkerDb, row},
    http::json::AnyObject,
    messaging::{
        events::EventActorKind,
        queue::{Done, Failed, Handler, Job, Kind, Lane, NewJob, Working, spread},
    },
    metrics::count_webhook,
    sql,
};

/// Sends what is due to an endpoint. The trigger `wake_endpoint` adds it.
const DELIVER: Kind = Kind { at_once: 3, attempts: 100, ..Kind::new("messaging.deliver", Lane::Live) };

/// Tells the admins that an endpoint was disabled.
pub const TELL_DISABLED: Kind = Kind::new("messaging.tell_disabled", Lane::Live);

/// How many deliveries are read at once.
const AT_ONCE: i64 = 20;

/// How long the job works before other jobs of the organization have their turn.
const TURN: Duration = Duration::from_secs(10);

/// The pauses after failed attempts, in seconds, before they are spread; then the delivery has failed.
const PAUSES: [f64; 9] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];

/// After a failure no event is sent to the endpoint for so long: the shortest and the longest pause. The trigger
/// `wake_endpoint` knows them.
const SHORTEST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(300);

/// An endpoint for which all attempts have failed for so long is disabled.
const MOST_FAILING: Duration = Duration::from_secs(5 * 24 * 3600);

/// How long deliveries and their attempts are kept.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// How many deliveries one transaction deletes.
const MOST_FORGOTTEN: i64 = 2000;

/// A delivery that is due, and its endpoint.
struct DueDelivery {
    id: Uuid,
    event_id: Uuid,
    event_position: Option<i64>,
    kind: String,
    state: WebhookDeliveryState,
    step: i16,
    created_at: DateTime<Utc>,
    url: String,
    payload: WebhookPayload,
    generation: i32,
    key_id: String,
    previous_key_id: Option<String>,
    organization_name: String,
    occurred_at: Option<DateTime<Utc>>,
    actor_kind: Option<EventActorKind>,
    actor_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    data: Option<Map<String, Value>>,
    previous: Option<Map<String, Value>>,
}

row! {
    DueDelivery {
        id, event_id, event_position, kind = type, state, step, created_at, url, payload, generation, key_id,
        previous_key_id, organization_name, occurred_at, actor_kind, actor_id, subject_id, data as json,
        previous as json
    }
}

/// How a delivery goes on after an attempt.
struct Next {
    state: WebhookDeliveryState,
    step: i16,
    /// Until the next attempt; `None`: none follows.
    pause: Option<Duration>,
}

/// Sends what is due to endpoints.
pub struct Deliver {
    pub worker: WorkerDb,
    pub sender: Sender,
    pub keys: SecretKeys,
}

impl Handler for Deliver {
    fn kind(&self) -> Kind {
        DELIVER
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move { self.deliver(job, job.named("endpoint_id")?).await })
    }
}

impl Deliver {
    async fn deliver(&self, job: &Job, endpoint: Uuid) -> Result<Done, Failed> {
        let until = Instant::now() + TURN;
        loop {
            let sql = sql!("messaging/webhook_deliveries_due.sql" as DueDelivery);
            let due = self.worker.begin(job.tenant).commit_with_all(sql, &[&endpoint, &AT_ONCE]).await?;
            let mut rest = None;
            for delivery in due {
                rest = self.attempt(job, endpoint, delivery).await?;
                if rest.is_some() || Instant::now() >= until {
                    break;
                }
            }
            if self.end(job, endpoint, rest, until).await? {
                return Ok(Done::Finished);
            }
        }
    }

    /// Ends the job, or gives it back until something is due; false if something is due now. A transaction that adds a
    /// delivery locks the job: it sees that the job has ended, or is seen here.
    async fn end(
        &self,
        job: &Job,
        endpoint: Uuid,
        rest: Option<Duration>,
        until: Instant,
    ) -> Result<bool, db::Error> {
        let mut tx = self.worker.begin(job.tenant);
        if !job.hold_in(&mut tx).await? {
            return Ok(true);
        }
        let sql = sql!("messaging/webhook_deliveries_next.sql" as (f64,));
        match tx.optional(sql, &[&endpoint]).await? {
            None => {
                job.finish_in(&mut tx).await?;
            }
            Some((seconds,)) => {
                let after = Duration::from_secs_f64(seconds).max(rest.unwrap_or_default());
                if after.is_zero() && Instant::now() < until {
                    return Ok(false);
                }
                job.release_in(&mut tx, after).await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Sends a delivery once, and notes what became of it. After a failure, returns how long the endpoint rests.
    async fn attempt(
        &self,
        job: &Job,
        endpoint: Uuid,
        delivery: DueDelivery,
    ) -> Result<Option<Duration>, db::Error> {
        let tenant = job.tenant;
        let (id, state, step) = (delivery.id, delivery.state, delivery.step);
        let outcome = self.send(tenant, endpoint, delivery).await;
        count_webhook(outcome.error, outcome.took);
        let Next { state, step, pause } = next(&outcome, state, step);
        let failed = outcome.error.is_some();
        let mut tx = self.worker.begin(tenant);
        tx.optional(
            sql!("messaging/webhook_deliveries_note.sql" as (i16,)),
            &[
                &id,
                &state.name(),
                &step,
                &pause.map(|pause| pause.as_secs_f64()),
                &outcome.status.map(u16::cast_signed),
                &outcome.error,
                &i32::try_from(outcome.took.as_millis()).unwrap_or(i32::MAX),
                &outcome.response,
            ],
        )
        .await?;
        let sql = sql!("messaging/webhook_endpoints_note.sql" as (f64,));
        let failing = tx.optional(sql, &[&endpoint, &failed]).await?;
        let failing = Duration::from_secs_f64(failing.map_or(0.0, |(seconds,)| seconds));
        let reason = match (outcome.is_gone(), failing >= MOST_FAILING) {
            (true, _) => Some(DisabledReason::Gone),
            (false, true) => Some(DisabledReason::Failing),
            (false, false) => None,
        };
        if let Some(reason) = reason {
            let sql = sql!("messaging/webhook_endpoints_disable.sql" as (String,));
            if tx.optional(sql, &[&endpoint, &reason.name()]).await?.is_some() {
                let (key, payload) = (endpoint.to_string(), json!({ "endpoint_id": endpoint }));
                NewJob { kind: TELL_DISABLED, key: Some(&key), payload, run_at: None }.add(&mut tx).await?;
            }
        }
        // After the deliveries, in the order in which they and the job are locked everywhere. Another worker has the
        // job: it sends the delivery again.
        if !job.hold_in(&mut tx).await? {
            return Ok(Some(LONGEST_REST));
        }
        tx.commit().await?;
        // The longer it fails, the less often it is tried.
        Ok(failed.then(|| (failing / 10).clamp(SHORTEST_REST, LONGEST_REST)))
    }

    async fn send(&self, tenant: Uuid, endpoint: Uuid, delivery: DueDelivery) -> Outcome {
        let at = Utc::now();
        let DueDelivery { event_id, generation, ref key_id, ref previous_key_id, .. } = delivery;
        let newest = self.keys.secret(key_id, tenant, endpoint, generation);
        let previous =
            previous_key_id.as_ref().and_then(|key| self.keys.secret(key, tenant, endpoint, generation - 1));
        let Some(newest) = newest else {
            tracing::error!(%tenant, %endpoint, "the key of a webhook's secret is not among APPOINTD_LINK_KEYS");
            return Outcome::unsent("secret_unavailable");
        };
        let url = delivery.url.clone();
        let body = match text(tenant, endpoint, delivery) {
            Ok(Some(body)) => body,
            Ok(None) => return Outcome::unsent("event_forgotten"),
            // A later version of the server may be able to.
            Err(error) => {
                tracing::error!(%tenant, %endpoint, %error, "an event cannot be written as JSON");
                return Outcome::unsent("event_unwritable");
            }
        };
        let signatures: Vec<String> = [Some(newest), previous]
            .iter()
            .flatten()
            .map(|secret| secret.sign(event_id, at, &body))
            .collect();
        let signature = signatures.join(" ");
        self.sender.post(Sent { url: &url, id: event_id.to_string(), at, signature, body }).await
    }
}

/// The body, as the very text that is signed. `None` if the event is not kept any more.
fn text(tenant: Uuid, endpoint: Uuid, delivery: DueDelivery) -> Result<Option<String>, serde_json::Error> {
    let (id, organization_name) = (delivery.event_id, delivery.organization_name);
    let event = match delivery.event_position {
        None => WebhookEvent::test(id, (tenant, organization_name), endpoint, delivery.created_at),
        position => {
            // All columns of one row of `messaging.events`, none of which can be null: without the row, all are.
            let (Some(timestamp), Some(actor_kind), Some(subject_id), Some(data)) =
                (delivery.occurred_at, delivery.actor_kind, delivery.subject_id, delivery.data)
            else {
                return Ok(None);
            };
            WebhookEvent {
                id,
                kind: delivery.kind,
                timestamp,
                position,
                organization_id: tenant,
                organization_name: Some(organization_name),
                actor: WebhookActor { kind: actor_kind, id: delivery.actor_id },
                subject_id,
                data: AnyObject(Value::Object(data)),
                previous: delivery.previous.map(|previous| AnyObject(Value::Object(previous))),
            }
        }
    };
    serde_json::to_string(&event.reduced_to(delivery.payload)).map(Some)
}

/// What follows from an attempt. A pause that the receiver asks for is no failed attempt.
fn next(outcome: &Outcome, state: WebhookDeliveryState, step: i16) -> Next {
    // Or sent again by hand, and it was delivered before.
    if outcome.error.is_none() || state == WebhookDeliveryState::Delivered {
        return Next { state: WebhookDeliveryState::Delivered, step, pause: None };
    }
    if let Some(pause) = outcome.retry_after {
        return Next { state: WebhookDeliveryState::Pending, step, pause: Some(pause) };
    }
    let pauses = usize::try_from(step).ok().and_then(|step| PAUSES.get(step));
    match pauses {
        Some(pause) if !outcome.is_gone() && outcome.error != Some("event_forgotten") => {
            Next { state: WebhookDeliveryState::Pending, step: step + 1, pause: Some(spread(*pause)) }
        }
        _ => Next { state: WebhookDeliveryState::Failed, step: step + 1, pause: None },
    }
}

/// The URL of an endpoint that was disabled and still is, and the reason.
pub async fn disabled(
    db: &WorkerDb,
    tenant: Uuid,
    endpoint: Uuid,
) -> Result<Option<(String, DisabledReason)>, db::Error> {
    let sql = sql!("messaging/webhook_endpoints_disabled.sql" as (String, DisabledReason));
    db.begin(tenant).commit_with(sql, &[&endpoint]).await
}

/// Deletes the deliveries of an organization that are not kept any more.
pub async fn forget(db: &WorkerDb, tenant: Uuid) -> Result<(), db::Error> {
    loop {
        let sql = sql!("messaging/webhook_deliveries_forget.sql" as (Uuid,));
        let forgotten =
            db.begin(tenant).commit_with_all(sql, &[&(Utc::now() - KEPT), &MOST_FORGOTTEN]).await?;
        if i64::try_from(forgotten.len()).is_ok_and(|deleted| deleted < MOST_FORGOTTEN) {
            return Ok(());
        }
    }
}
