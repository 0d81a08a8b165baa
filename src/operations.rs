//! Operations of the system: health, the change log, deletions and idempotency keys.

pub mod audit;
pub mod deletions;
pub mod health;
pub mod idempotency;

use poem_openapi::OpenApi;

use audit::AuditApi;
use deletions::DeletionsApi;
use health::HealthApi;

use crate::{
    db::Db,
    http::{
        module::{Apis, Module},
        problem::{AnsweredBy, ProblemCode, problem_codes},
    },
};

/// What this module is.
pub enum Operations {}

impl Module for Operations {
    const NAME: &str = "operations";
    const ABOUT: &str = "Health of this server, and the audit log.";
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        503 Named {
            "not_migrated" = "The database lacks migrations that this server needs.",
        }
    };
}

pub fn apis(db: Db) -> Apis<Operations, impl OpenApi> {
    Apis::new((AuditApi(db.clone()), DeletionsApi(db.clone()), HealthApi::new(db)))
}
