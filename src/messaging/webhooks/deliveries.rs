//! The deliveries of webhooks: what was sent and answered, and sending it again.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{body::TEST, endpoints::GET as GET_ENDPOINT};
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Admin, Member},
        if_match::{IfMatch, Single},
        json::{Created, Json, Replayable},
        page::{Cursor, Ids, Order, Page, Paging, any_of},
        problem::{ApiError, Deleting, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, List, Text, named_enum},
    },
    messaging::features::Integrations,
    operations::idempotency::Once,
    sql,
};

/// How many events one request recovers.
const MOST_RECOVERED: i64 = 10_000;

named_enum! {
    /// The state of a delivery.
    WebhookDeliveryState {
        /// It is sent, or sent again, at `next_at`.
        Pending = "pending",
        /// It was answered with 2xx.
        Delivered = "delivered",
        /// The last of ten attempts failed. It can be retried.
        Failed = "failed",
        /// The endpoint was disabled before it was delivered.
        Cancelled = "cancelled",
    }
}

/// An event on its way to an endpoint.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookDelivery {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    /// The id of the event: the `webhook-id` of all requests of the delivery.
    pub event_id: Uuid,
    /// The type of the event.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    pub state: WebhookDeliveryState,
    /// The number of requests that were sent, or tried.
    pub attempts: i16,
    /// When the next request is due. Absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// When it was first delivered. Absent if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// The requests, the oldest first. Only if one delivery is read by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Vec<WebhookAttempt>>,
}

row! {
    WebhookDelivery {
        id, endpoint_id, event_id, kind = type, state, attempts, next_at, delivered_at, created_at;
        log: None
    }
}

/// A request of a delivery.
#[derive(Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookAttempt {
    /// From 1.
    pub number: i16,
    /// When it ended.
    pub attempted_at: DateTime<Utc>,
    /// The HTTP status of the answer. Absent without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i16>,
    /// Why it failed: `error_status`, `gone` (410), `redirect` (redirects are not followed), `timeout`, `no_answer`,
    /// `connection_failed`, `tls_failed`, `name_not_found`, `address_not_allowed` (the URL does not lead to a public
    /// address), `secret_unavailable` (rotate the secret), `event_forgotten` (the event is not kept any more), or
    /// `event_unwritable` (an error of the server). Later versions may add codes. Absent if it did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The beginning of the body of the answer, at most 1,024 characters. Absent without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// A delivery with its requests.
struct Logged {
    delivery: WebhookDelivery,
    log: Vec<WebhookAttempt>,
}

row! {
    Logged { delivery: WebhookDelivery, log as json }
}

impl From<Logged> for WebhookDelivery {
    fn from(Logged { delivery, log }: Logged) -> Self {
        Self { log: Some(log), ..delivery }
    }
}

const GET: Sql<Logged> = sql!("messaging/webhook_deliveries_get.sql" as Logged);

const SINGLE: Single<Logged, WebhookDelivery> =
    Single::new(sql!("messaging/webhook_deliveries_lock_row.sql"), GET);

/// What became of a delivery that was to be retried: nothing if its endpoint is disabled.
struct Retried {
    enabled: bool,
    retried: bool,
}

row! {
    Retried { enabled, retried }
}

/// Which events to send again.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct WebhookRecovery {
    /// Events that happened at this instant or later, at most 90 days ago.
    pub since: Instant,
}

impl Example for WebhookRecovery {
    fn example() -> Self {
        Self { since: Instant::parse("2031-05-01T00:00:00Z").expect("an instant") }
    }
}

/// The number of deliveries that were made due.
#[derive(Debug, Object, Serialize)]
pub struct RecoveredWebhooks {
    /// At most 10,000: the oldest. Send the request again for more.
    pub deliveries: i64,
}

row! {
    RecoveredWebhooks { deliveries }
}

pub struct WebhookDeliveriesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl WebhookDeliveriesApi {
    /// Send a test webhook
    ///
    /// Sends an event of the type `webhook.test` to the endpoint, which is not in the list of events. The answer is the
    /// delivery: `GET /api/v1/webhook-deliveries/{delivery_id}` says what was answered. 409 `endpoint_disabled` if the
    /// endpoint is disabled.
    #[oai(path = "/webhook-endpoints/:endpoint_id/test", method = "post", operation_id = "send_test_webhook")]
    async fn test(
        &self,
        caller: Member<Admin, Integrations>,
        endpoint_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
    ) -> Result<Created<WebhookDelivery>, ApiError<Writing>> {
        let (context, id) = (Context::from(&caller), endpoint_id.0);
        let once = Once::new(&context, "send_test_webhook", idempotency_key.0, &id)?;
        let event = Uuid::new_v4();
        let delivery: WebhookDelivery = self
            .0
            .attempt(context, async |tx: Tx, _| {
                once.run(tx, async |tx| {
                    must_be_enabled(tx, id).await?;
                    let sql = sql!("messaging/webhook_deliveries_test.sql" as WebhookDelivery);
                    let added = tx.optional(sql, &[&id, &event, &TEST]).await?;
                    Ok(added.ok_or_else(Problem::not_found)?)
                })
                .await
            })
            .await?;
        Ok(once.created(format!("/api/v1/webhook-deliveries/{}", delivery.id), delivery))
    }

    /// Send missed webhooks again
    ///
    /// Makes all deliveries due that failed or were cancelled since an instant, and those of events that happened while
    /// the endpoint was disabled, in the order of the events. The `webhook-id` of an event is the same as before. 409
    /// `endpoint_disabled` if the endpoint is disabled: enable it first.
    #[oai(
        path = "/webhook-endpoints/:endpoint_id/recover",
        method = "post",
        operation_id = "recover_webhooks"
    )]
    async fn recover(
        &self,
        caller: Member<Admin, Integrations>,
        endpoint_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<WebhookRecovery>,
    ) -> Result<Replayable<RecoveredWebhooks>, ApiError<Writing>> {
        let (context, id) = (Context::from(&caller), endpoint_id.0);
        let once = Once::new(&context, "recover_webhooks", idempotency_key.0, &(id, &body.0))?;
        let since = body.0.since.0;
        let body: RecoveredWebhooks = self
            .0
            .attempt(context, async |tx: Tx, _| {
                once.run(tx, async |tx| {
                    must_be_enabled(tx, id).await?;
                    let sql = sql!("messaging/webhook_deliveries_recover.sql" as RecoveredWebhooks);
                    Ok(tx.one(sql, &[&id, &since, &MOST_RECOVERED]).await?)
                })
                .await
            })
            .await?;
        Ok(Replayable { body, replayed: once.is_replay() })
    }

    /// List the webhook deliveries
    ///
    /// The latest first. Deliveries are kept for 30 days.
    #[oai(path = "/webhook-deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Admin>,
        ids: Ids,
        /// Only deliveries to this endpoint.
        endpoint_id: Query<Option<Uuid>>,
        /// Only deliveries in one of these states. Can be repeated.
        state: Query<List<WebhookDeliveryState, 0, 4>>,
        /// Only events of this type. Can be repeated, up to 50 times.
        types: Query<List<Text<1, 100>, 0, 50>>,
        /// Only deliveries of the event with this id.
        event_id: Query<Option<Uuid>>,
        page: Paging,
    ) -> Result<Json<Page<WebhookDelivery>>, ApiError<Listing>> {
        let states: Option<Vec<&str>> = any_of(state.0.iter().map(|state| state.name()).collect());
        let types: Option<Vec<&str>> = any_of(types.0.iter().map(|name| &**name).collect());
        // Later than any that the database adds meanwhile.
        let end = Utc::now() + TimeDelta::days(1);
        let (_, before) = page.between(DateTime::UNIX_EPOCH, end, Order::Descending);
        let sql = sql!("messaging/webhook_deliveries_list.sql" as WebhookDelivery);
        let deliveries = self
            .0
            .all(
                &caller,
                sql,
                &[
                    &before.time,
                    &before.id,
                    &page.rows(),
                    &endpoint_id.0,
                    &states,
                    &types,
                    &event_id.0,
                    &ids.0,
                ],
            )
            .await?;
        Ok(Json(page.of(deliveries, |last| Cursor::new(last.created_at, last.id))))
    }

    /// Get a webhook delivery
    ///
    /// With its requests and what was answered.
    #[oai(path = "/webhook-deliveries/:delivery_id", method = "get", operation_id = "get_webhook_delivery")]
    async fn get(
        &self,
        caller: Member<Admin>,
        delivery_id: Path<Uuid>,
    ) -> Result<Json<WebhookDelivery>, ApiError<Reading>> {
        Ok(self.read(Context::from(&caller), delivery_id.0).await?)
    }

    /// Send a webhook again
    ///
    /// Makes a delivery due at once, with all its attempts and the same `webhook-id`. One that was delivered is sent
    /// once more and stays `delivered`. 409 `endpoint_disabled` if the endpoint is disabled.
    #[oai(
        path = "/webhook-deliveries/:delivery_id/retry",
        method = "post",
        operation_id = "retry_webhook_delivery"
    )]
    async fn retry(
        &self,
        caller: Member<Admin, Integrations>,
        delivery_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<WebhookDelivery>, ApiError<Deleting>> {
        let sql = sql!("messaging/webhook_deliveries_retry.sql" as Retried);
        let id: Params = &[&delivery_id.0];
        match if_match.change(&self.0, &caller, (&SINGLE, id), sql, id).await? {
            // With its requests, as it is read afterwards.
            Some(Retried { retried: true, .. }) => {
                Ok(self.read(Context::from(&caller), delivery_id.0).await?)
            }
            Some(Retried { enabled: false, .. }) => Err(disabled())?,
            // Without a delivery it was deleted meanwhile.
            _ => Err(Problem::not_found())?,
        }
    }
}

impl WebhookDeliveriesApi {
    async fn read(&self, caller: Context, delivery: Uuid) -> Result<Json<WebhookDelivery>, Failure> {
        let found = self.0.optional(caller, GET, &[&delivery]).await?;
        Ok(Json(found.ok_or_else(Problem::not_found)?.into()))
    }
}

/// 404 for an unknown endpoint, 409 for one that is disabled.
async fn must_be_enabled(tx: &mut Tx, endpoint: Uuid) -> Result<(), Failure> {
    match tx.optional(GET_ENDPOINT, &[&endpoint]).await? {
        Some(endpoint) if endpoint.enabled => Ok(()),
        Some(_) => Err(disabled().into()),
        None => Err(Problem::not_found().into()),
    }
}

fn disabled() -> Problem {
    Problem::conflict("endpoint_disabled", "The endpoint is disabled. Enable it first.")
}
