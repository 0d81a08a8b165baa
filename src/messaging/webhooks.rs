//! Webhooks (Standard Webhooks 1.0): events are sent to endpoints of an organization.

pub mod addresses;
mod body;
pub mod deliveries;
pub mod delivering;
pub mod endpoints;
pub mod secrets;
pub mod sender;

use poem_openapi::{Webhook, payload::Json};

use body::WebhookEvent;

/// The requests that are sent: the description of the server gets the schema of their bodies from here.
#[Webhook]
pub trait Requests {
    /// An event
    #[oai(method = "post")]
    fn event(&self, event: Json<WebhookEvent>);
}
