//! Events and jobs, the worker that publishes and runs them, e-mail, and the budgets that limit it.

pub mod budget;
pub mod counts;
pub mod cron;
pub mod event_types;
pub mod events;
pub mod jobs;
pub mod letters;
pub mod mail;
pub mod publisher;
pub mod queue;
mod running;
pub mod worker;

use event_types::{Catalogue, EventTypesApi};
use events::EventsApi;
use jobs::JobsApi;
use poem_openapi::OpenApi;

use crate::{
    db::Db,
    http::{
        module::{Apis, Module, Tag},
        problem::{AnsweredBy, ProblemCode, problem_codes},
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
        Tag { name: "Jobs", about: "What is done in the background.", paths: &["/jobs"] },
    ];
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        409 Named {
            "not_dead" = "The job is not dead.",
            "job_waiting" = "Another job of this kind with the same key waits or runs.",
        }
        410 Named {
            "cursor_expired" = "Events after this position are not kept any more.",
        }
    };
}

pub fn apis(db: Db, catalogue: Catalogue) -> Apis<Messaging, impl OpenApi> {
    Apis::new((EventsApi { db: db.clone(), catalogue }, EventTypesApi(catalogue), JobsApi(db)))
}
