//! Operations of the system: health, the change log, deletions and idempotency keys.

pub mod audit;
pub mod deletions;
pub mod health;
pub mod idempotency;

use poem_openapi::OpenApi;

use audit::AuditApi;
use deletions::DeletionsApi;
use health::{HealthApi, Stopping};

use crate::{
    db::Db,
    http::{
        module::{Apis, Module, Tag},
        problem::{AnsweredBy, ProblemCode, problem_codes},
    },
};

/// What this module is.
pub enum Operations {}

impl Module for Operations {
    const NAME: &str = "operations";
    const TAGS: &[Tag] = &[
        Tag { name: "Audit log", about: "Who changed what, and when.", paths: &["/audit-events"] },
        Tag {
            name: "Deletions",
            about: "What was deleted, for programs that keep a copy.",
            paths: &["/deletions"],
        },
        Tag { name: "Health", about: "Whether this server works.", paths: &["/health"] },
    ];
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        503 Named {
            "not_migrated" = "The database lacks migrations that this server needs.",
            "server_stopping" = "The server is about to stop; send requests to another.",
        }
    };
}

pub fn apis(db: Db, stopping: Stopping) -> Apis<Operations, impl OpenApi> {
    Apis::new((AuditApi(db.clone()), DeletionsApi(db.clone()), HealthApi::new(db, stopping)))
}
