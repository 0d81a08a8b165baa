//! The endpoints of webhooks, and their secrets.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::{addresses::Reach, body::WebhookPayload, secrets::SecretKeys};
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Admin, Member},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, Replayable, or_default, present},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, List, Number, Text, WebUrl, named_enum},
    },
    messaging::{event_types::Catalogue, features::Integrations},
    operations::idempotency::Once,
    sql,
};

/// The maximum number of endpoints of an organization.
const MOST: i64 = 20;

/// Hours for which the previous secret stays valid, 0 to 168.
type Overlap = Number<0, 168>;

/// The default overlap.
const DEFAULT_OVERLAP: Overlap = Number(24);

/// Types of events: exact ones, or all of a kind.
type Types = List<Text<1, 100>, 0, 50>;

named_enum! {
    /// Why an endpoint is disabled.
    DisabledReason {
        /// A member disabled it.
        Admin = "admin",
        /// It answered with 410.
        Gone = "gone",
        /// All attempts failed for five days.
        Failing = "failing",
        /// Its maker may no longer create endpoints: they were removed or demoted, or their API key was revoked.
        Maker = "maker",
    }
}

/// Where events of the organization are sent.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookEndpoint {
    pub id: Uuid,
    /// The URL that gets a POST for each event.
    pub url: String,
    /// Purpose of the endpoint. Absent if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The types of events that are sent. Empty: all.
    pub types: Vec<String>,
    pub payload: WebhookPayload,
    /// Whether events are sent.
    pub enabled: bool,
    /// Absent if it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Absent if it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<DateTime<Utc>>,
    /// When the first of the attempts failed that have all failed since. Absent if the last attempt succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when requests are signed with the previous secret too. Absent if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_valid_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Its maker: the account or API key that created it, or that last enabled it or changed its URL, types or payload.
    pub created_by: Uuid,
}

row! {
    WebhookEndpoint {
        id, url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since,
        previous_secret_valid_until = previous_valid_until, created_at, created_by
    }
}

/// A new endpoint with its secret.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct NewWebhookEndpointSecret {
    pub id: Uuid,
    /// The secret that verifies requests, for the libraries of Standard Webhooks. Returned only once; absent from a
    /// replayed answer (`Idempotency-Replayed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The endpoint as `GET /api/v1/webhook-endpoints/{endpoint_id}` returns it.
    pub endpoint: WebhookEndpoint,
}

/// A new secret of an endpoint.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct RotatedSecret {
    /// The new secret. Returned only once; absent from a replayed answer (`Idempotency-Replayed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until when requests are signed with the previous secret too. Absent if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_valid_until: Option<DateTime<Utc>>,
}

/// The number of a new secret, and how long the previous one is valid: what an idempotency key stores.
#[derive(Debug, Object, Serialize)]
struct Rotated {
    generation: i32,
    previous_valid_until: Option<DateTime<Utc>>,
}

row! {
    Rotated { generation, previous_valid_until }
}

/// A new endpoint.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewWebhookEndpoint {
    /// An https URL that leads to a public address.
    pub url: WebUrl,
    /// What it is for, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub description: Option<Text<1, 500>>,
    /// The types of events to send: types of `GET /api/v1/event-types`, or all of a kind, as in `appointment.*`. At
    /// most 50. Defaults to all.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub types: Types,
    /// What the bodies contain. Defaults to `full`.
    #[serde(default)]
    #[oai(nullable)]
    pub payload: Option<WebhookPayload>,
}

impl Example for NewWebhookEndpoint {
    fn example() -> Self {
        Self {
            url: WebUrl::parse("https://hooks.example.com/appointd").expect("a URL"),
            description: Text::parse("Sends confirmations to our CRM").ok(),
            types: [Text::parse("appointment.*").expect("text")].into_iter().collect(),
            payload: Some(WebhookPayload::Full),
        }
    }
}

/// Changes to an endpoint. Omitted fields are kept; `null` removes what can be absent.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct WebhookEndpointChanges {
    /// An https URL that leads to a public address.
    #[serde(default, deserialize_with = "present")]
    pub url: Option<WebUrl>,
    /// What it is for, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub description: MaybeUndefined<Text<1, 500>>,
    /// The types of events to send. Replaces all of them; empty: all.
    #[serde(default, deserialize_with = "present")]
    pub types: Option<Types>,
    #[serde(default, deserialize_with = "present")]
    pub payload: Option<WebhookPayload>,
    /// Whether events are sent. Disabling cancels deliveries that are due.
    #[serde(default, deserialize_with = "present")]
    pub enabled: Option<bool>,
}

impl Example for WebhookEndpointChanges {
    fn example() -> Self {
        Self {
            url: None,
            description: MaybeUndefined::Undefined,
            types: Some([Text::parse("appointment.created").expect("text")].into_iter().collect()),
            payload: None,
            enabled: Some(true),
        }
    }
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SecretRotation {
    /// For so many hours requests are signed with the previous secret too, 0 to 168. Defaults to 24.
    #[serde(default)]
    #[oai(nullable)]
    pub overlap_hours: Option<Overlap>,
}

impl Example for SecretRotation {
    fn example() -> Self {
        Self { overlap_hours: Some(DEFAULT_OVERLAP) }
    }
}

pub(super) const GET: Sql<WebhookEndpoint> = sql!("messaging/webhook_endpoints_get.sql" as WebhookEndpoint);

const SINGLE: Single<WebhookEndpoint> = Single::new(sql!("messaging/webhook_endpoints_lock_row.sql"), GET);

pub struct WebhookEndpointsApi {
    pub db: Db,
    pub catalogue: Catalogue,
    pub keys: SecretKeys,
    pub reach: Reach,
}

impl WebhookEndpointsApi {
    /// 422 unless webhooks may be sent to the URL.
    fn check_url(&self, url: &str) -> Result<(), Problem> {
        if Url::parse(url).is_ok_and(|url| self.reach.may_be_set(&url)) {
            return Ok(());
        }
        let detail = "expected an https URL that leads to a public address";
        Err(Problem::invalid_field("url", "url_not_allowed", detail))
    }

    /// 422 unless all are types of events, or kinds of them with `.*`.
    fn check_types(&self, types: &Types) -> Result<(), Problem> {
        let is_known = |name: &str| match name.strip_suffix(".*") {
            Some(kind) => self
                .catalogue
                .iter()
                .any(|event| event.name.split_once('.').is_some_and(|(of_event, _)| of_event == kind)),
            None => self.catalogue.has(name),
        };
        if types.iter().all(|name| is_known(name)) {
            return Ok(());
        }
        let detail = "expected types of GET /api/v1/event-types, or all of a kind, as in appointment.*";
        Err(Problem::invalid_field("types", "invalid_value", detail))
    }
}

#[OpenApi(prefix_path = "/api/v1")]
impl WebhookEndpointsApi {
    /// List the webhook endpoints
    ///
    /// In the order in which they were created. Secrets are never returned.
    #[oai(path = "/webhook-endpoints", method = "get", operation_id = "list_webhook_endpoints")]
    async fn list(
        &self,
        caller: Member<Admin>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<WebhookEndpoint>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let since = updated_since.0.map(|instant| instant.0);
        let sql = sql!("messaging/webhook_endpoints_list.sql" as WebhookEndpoint);
        let endpoints = self.db.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0, &since]).await?;
        Ok(Json(page.of(endpoints, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a webhook endpoint
    ///
    /// From now on it gets a POST for each event of its types, in the order of the events (Standard Webhooks 1.0: see
    /// `WebhookEvent`). The answer contains the secret that verifies them; it is returned only once. An answer with a
    /// status of 2xx within 15 seconds means that the event was received. It is sent nothing while the member who
    /// created it is suspended, and is disabled when they leave, are removed or are demoted below admin, or when the
    /// API key that created it is revoked. 403 `email_not_verified` until the e-mail address of the caller's account is
    /// verified. 409 `webhook_endpoint_limit` if the organization has 20 endpoints. 422 `url_not_allowed` on `url` if
    /// it is not https or does not lead to a public address.
    #[oai(path = "/webhook-endpoints", method = "post", operation_id = "create_webhook_endpoint")]
    async fn create(
        &self,
        caller: Member<Admin, Integrations>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewWebhookEndpoint>,
    ) -> Result<Created<NewWebhookEndpointSecret>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let new = body.0;
        let once = Once::new(&context, "create_webhook_endpoint", idempotency_key.0, &new)?;
        self.check_url(&new.url)?;
        self.check_types(&new.types)?;
        let (id, key) = (Uuid::now_v7(), self.keys.newest());
        let types: Vec<&str> = new.types.iter().map(|name| &**name).collect();
        let payload = new.payload.unwrap_or(WebhookPayload::Full).name();
        let endpoint: WebhookEndpoint = self
            .db
            .attempt(context, async |tx: Tx, _| {
                once.run(tx, async |tx| {
                    tx.all(sql!("messaging/webhook_endpoints_lock_all.sql"), &[]).await?;
                    let sql = sql!("messaging/webhook_endpoints_create.sql" as WebhookEndpoint);
                    let params: Params =
                        &[&id, &&*new.url, &new.description.as_deref(), &types, &payload, &key, &MOST];
                    let created = tx.optional(sql, params).await?;
                    Ok(created.ok_or_else(|| {
                        let detail = "The organization has 20 webhook endpoints. Delete one first.";
                        Problem::conflict("webhook_endpoint_limit", detail)
                    })?)
                })
                .await
            })
            .await?;
        let id = endpoint.id;
        let secret = (!once.is_replay()).then(|| self.keys.secret(key, caller.tenant(), id, 1)).flatten();
        let secret = secret.map(|secret| secret.reveal());
        Ok(once.created(
            format!("/api/v1/webhook-endpoints/{id}"),
            NewWebhookEndpointSecret { id, secret, endpoint },
        ))
    }

    /// Get a webhook endpoint
    #[oai(path = "/webhook-endpoints/:endpoint_id", method = "get", operation_id = "get_webhook_endpoint")]
    async fn get(
        &self,
        caller: Member<Admin>,
        endpoint_id: Path<Uuid>,
    ) -> Result<Json<WebhookEndpoint>, ApiError<Reading>> {
        let endpoint = self.db.optional(&caller, GET, &[&endpoint_id.0]).await?;
        Ok(Json(endpoint.ok_or_else(Problem::not_found)?))
    }

    /// Change a webhook endpoint
    ///
    /// Events that happened while it was disabled are sent by `POST …/recover`. The caller becomes its maker if they
    /// enable it or change its URL, types or payload; 403 `email_not_verified` if the e-mail address of their account
    /// is not verified. 422 `url_not_allowed` on `url` if it is not https or does not lead to a public address.
    #[oai(
        path = "/webhook-endpoints/:endpoint_id",
        method = "patch",
        operation_id = "update_webhook_endpoint"
    )]
    async fn update(
        &self,
        caller: Member<Admin>,
        endpoint_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<WebhookEndpointChanges>,
    ) -> Result<Json<WebhookEndpoint>, ApiError<Writing>> {
        let changes = body.0;
        if let Some(url) = &changes.url {
            self.check_url(url)?;
        }
        if let Some(types) = &changes.types {
            self.check_types(types)?;
        }
        let types: Option<Vec<&str>> =
            changes.types.as_ref().map(|types| types.iter().map(|name| &**name).collect());
        let endpoint = if_match
            .change(
                &self.db,
                &caller,
                (&SINGLE, &[&endpoint_id.0]),
                sql!("messaging/webhook_endpoints_update.sql" as WebhookEndpoint),
                &[
                    &endpoint_id.0,
                    &changes.url.as_deref(),
                    &!changes.description.is_undefined(),
                    &changes.description.value().map(|text| &**text),
                    &types,
                    &changes.payload.map(WebhookPayload::name),
                    &changes.enabled,
                ],
            )
            .await?;
        Ok(Json(endpoint.ok_or_else(Problem::not_found)?))
    }

    /// Delete a webhook endpoint
    ///
    /// Nothing more is sent to it. Its deliveries are deleted.
    #[oai(
        path = "/webhook-endpoints/:endpoint_id",
        method = "delete",
        operation_id = "delete_webhook_endpoint"
    )]
    async fn delete(
        &self,
        caller: Member<Admin>,
        endpoint_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&endpoint_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("messaging/webhook_endpoints_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Replace the secret of a webhook endpoint
    ///
    /// The answer contains the new secret; it is returned only once. During the overlap requests have two signatures,
    /// one of each secret, so that the receiver can be changed meanwhile.
    #[oai(
        path = "/webhook-endpoints/:endpoint_id/rotate-secret",
        method = "post",
        operation_id = "rotate_webhook_secret"
    )]
    async fn rotate(
        &self,
        caller: Member<Admin>,
        endpoint_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<SecretRotation>,
    ) -> Result<Replayable<RotatedSecret>, ApiError<Writing>> {
        let (context, id, key) = (Context::from(&caller), endpoint_id.0, self.keys.newest());
        let once = Once::new(&context, "rotate_webhook_secret", idempotency_key.0, &(id, &body.0))?;
        let overlap = body.0.overlap_hours.unwrap_or(DEFAULT_OVERLAP).0;
        let Rotated { generation, previous_valid_until } = self
            .db
            .attempt(context, async |tx: Tx, _| {
                once.run(tx, async |tx| {
                    if_match.check(tx, &SINGLE, &[&id]).await?;
                    let sql = sql!("messaging/webhook_endpoints_rotate.sql" as Rotated);
                    let rotated = tx.optional(sql, &[&id, &key, &overlap]).await?;
                    Ok(rotated.ok_or_else(Problem::not_found)?)
                })
                .await
            })
            .await?;
        let secret =
            (!once.is_replay()).then(|| self.keys.secret(key, caller.tenant(), id, generation)).flatten();
        let secret = secret.map(|secret| secret.reveal());
        Ok(Replayable { body: RotatedSecret { secret, previous_valid_until }, replayed: once.is_replay() })
    }
}
