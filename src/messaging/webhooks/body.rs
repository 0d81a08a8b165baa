//! The body of a webhook: the event as `GET /api/v1/events` has it, for a program that knows nothing else.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    http::{json::AnyObject, values::named_enum},
    messaging::events::EventActorKind,
};

/// The type of tests.
pub const TEST: &str = "webhook.test";

named_enum! {
    /// What the bodies of webhooks contain.
    WebhookPayload {
        /// The object with the names of what it refers to.
        Full = "full",
        /// Ids and times: no names, texts, e-mail addresses or telephone numbers.
        Ids = "ids",
    }
}

/// The body of a webhook (Standard Webhooks 1.0). The request has the headers `webhook-id` (the id of the event: the
/// same if it is sent again), `webhook-timestamp` (when the request was sent, in seconds since 1970) and
/// `webhook-signature` (`v1,` and the signature in base64; two, separated by a space, while a secret is replaced).
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookEvent {
    /// The id of the event, as in the header `webhook-id`: the same if it is sent again.
    pub id: Uuid,
    /// The kind of the object and what happened to it: see `GET /api/v1/event-types`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The number of the event in the organization: see `GET /api/v1/events`. Absent from tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    pub organization_id: Uuid,
    /// Absent with `payload` `ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    pub actor: WebhookActor,
    /// The id of the object.
    pub subject_id: Uuid,
    /// The object after the event, with the names of what it refers to. If it was deleted: the object before that. With
    /// `payload` `ids`: only its ids, its status and its times.
    pub data: AnyObject,
    /// What the changed fields held before, with the names of what they referred to. Absent if the object is new or
    /// deleted, and with `payload` `ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<AnyObject>,
}

/// Who caused an event.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookActor {
    pub kind: EventActorKind,
    /// The account or API key. Absent for guests and the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// The ids of an object, with the time it has. No names, texts or addresses.
pub fn ids_of(data: Map<String, Value>) -> Map<String, Value> {
    const KEPT: [&str; 6] = ["id", "status", "starts_at", "ends_at", "created_at", "updated_at"];
    let is_kept = |key: &str| KEPT.contains(&key) || key.ends_with("_id") || key.ends_with("_ids");
    // What other systems call an id is text of people.
    data.into_iter().filter(|(key, _)| is_kept(key) && key != "external_id").collect()
}

impl WebhookEvent {
    /// A test, which is no event.
    pub fn test(
        id: Uuid,
        (organization_id, organization_name): (Uuid, String),
        endpoint: Uuid,
        timestamp: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            kind: TEST.to_owned(),
            timestamp,
            position: None,
            organization_id,
            organization_name: Some(organization_name),
            actor: WebhookActor { kind: EventActorKind::System, id: None },
            subject_id: endpoint,
            data: AnyObject(json!({ "endpoint_id": endpoint })),
            previous: None,
        }
    }

    /// The same event as an endpoint wants it.
    pub fn reduced_to(self, payload: WebhookPayload) -> Self {
        match (payload, self.data) {
            (WebhookPayload::Ids, AnyObject(Value::Object(data))) => {
                let data = AnyObject(Value::Object(ids_of(data)));
                Self { organization_name: None, data, previous: None, ..self }
            }
            (_, data) => Self { data, ..self },
        }
    }
}
