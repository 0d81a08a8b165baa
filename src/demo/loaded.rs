//! What loading the demo data has come to, or why it failed.

use uuid::Uuid;

use super::data::Demo;
use crate::{
    db::Context,
    http::{
        problem::{Failure, Problem},
        values::TimeZone,
    },
};

/// Why loading failed, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("the demo data could not be loaded: {0}")]
pub struct Error(pub(super) String);

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let problem = Problem::from(failure);
        Self(format!("{}: {} {:?}", problem.code, problem.detail, problem.errors))
    }
}

impl From<crate::db::Error> for Error {
    fn from(error: crate::db::Error) -> Self {
        Self(error.to_string())
    }
}

/// An organization that has been loaded.
pub(super) struct Loaded {
    pub demo: &'static Demo,
    /// Of its owner.
    pub context: Context,
    pub zone: TimeZone,
    /// As [`CONTACTS`](super::data::CONTACTS).
    pub contacts: Vec<Uuid>,
    /// As the services of the demo.
    pub services: Vec<Uuid>,
    pub providers: Vec<Uuid>,
}
