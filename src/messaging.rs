//! Events and jobs, streams of events, the worker that publishes and runs them, webhooks, messages to people, e-mail,
//! and the budgets that limit it.

pub mod alerts;
pub mod budget;
pub mod counts;
pub mod cron;
pub mod event_streams;
pub mod event_types;
pub mod events;
pub mod features;
pub mod feed;
pub mod jobs;
pub mod letters;
pub mod listener;
pub mod live;
pub mod mail;
pub mod messages;
pub mod notices;
pub mod page;
pub mod publisher;
pub mod queue;
pub mod rendering;
mod running;
pub mod sending;
pub mod smtp;
pub mod templates;
pub mod voice;
pub mod webhooks;
pub mod work_metrics;
pub mod worker;

use std::sync::Arc;

use event_streams::EventStreamsApi;
use event_types::{Catalogue, EventTypesApi, KnownEvent, events};
use events::EventsApi;
use jobs::JobsApi;
use live::Live;
use messages::MessagesApi;
use notices::Book;
use poem_openapi::OpenApi;
use templates::MessageTemplatesApi;
use webhooks::{
    addresses::Reach, deliveries::WebhookDeliveriesApi, endpoints::WebhookEndpointsApi, secrets::SecretKeys,
};

use crate::{
    db::Db,
    http::{
        module::{Apis, Module, Tag},
        problem::{AnsweredBy, FieldCode, ProblemCode, field_codes, problem_codes},
    },
};

/// What this module is.
pub enum Messaging {}

impl Module for Messaging {
    const NAME: &str = "messaging";
    const TAGS: &[Tag] = &[
        Tag {
            name: "Events",
            about: "What happened in the organization, to follow.",
            paths: &["/events", "/my/events", "/event-types"],
        },
        Tag {
            name: "Webhooks",
            about: "Events that are sent to other programs (Standard Webhooks 1.0).",
            paths: &["/webhook-endpoints", "/webhook-deliveries"],
        },
        Tag {
            name: "Messages",
            about: "What people are told about events, and the texts of it.",
            paths: &["/messages", "/message-templates"],
        },
        Tag { name: "Jobs", about: "What is done in the background.", paths: &["/jobs"] },
    ];
    const DELETED: &[&str] = &["webhook_endpoint"];
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        409 Named {
            "not_dead" = "The job is not dead.",
            "job_waiting" = "Another job of this kind with the same key waits or runs.",
            "webhook_endpoint_limit" = "The organization has the maximum number of webhook endpoints.",
            "endpoint_disabled" = "The webhook endpoint is disabled.",
            "template_exists" = "The organization has a text for this event, recipient and language.",
        }
        410 Named {
            "cursor_expired" = "Events after this position are not kept any more.",
        }
        429 Named {
            "stream_limit" = "Too many streams are open: close one, or wait `Retry-After` seconds.",
        }
    };
    const FIELDS: &[FieldCode] = field_codes! {
        "url_not_allowed" = "The URL is not https, or does not lead to a public address.",
        "unknown_variable" = "The template uses a variable that the message does not have.",
        "unknown_filter" = "The template uses a filter, test or function that does not exist.",
        "invalid_template" = "The template is malformed, or cannot be rendered.",
        "template_too_complex" = "Rendering the template takes too many steps.",
    };
}

/// The events of this module.
pub const EVENTS: &[KnownEvent] = events! {
    admin {
        "webhook_endpoint.created" = "A webhook endpoint was created.",
        "webhook_endpoint.updated" = "A webhook endpoint was changed.",
        "webhook_endpoint.disabled" = "A webhook endpoint was disabled; `data.disabled_reason` says why.",
        "webhook_endpoint.deleted" = "A webhook endpoint was deleted.",
    }
};

pub fn apis(
    db: Db,
    catalogue: Catalogue,
    live: Arc<Live>,
    book: Book,
    keys: SecretKeys,
    reach: Reach,
) -> Apis<Messaging, impl OpenApi> {
    let streams = EventStreamsApi { db: db.clone(), catalogue, live };
    Apis::new((
        EventsApi { db: db.clone(), catalogue },
        streams,
        EventTypesApi(catalogue),
        WebhookEndpointsApi { db: db.clone(), catalogue, keys, reach },
        WebhookDeliveriesApi(db.clone()),
        MessagesApi(db.clone()),
        MessageTemplatesApi { db: db.clone(), book },
        JobsApi(db),
    ))
}
