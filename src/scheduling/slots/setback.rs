//! Why an attempt to book ended without a decision, so that it may be retried.

use crate::{db, http::problem::Failure};

/// Why an attempt ended without a decision.
#[derive(Debug)]
pub enum Setback {
    /// Expired holds may block the time. They are removed, and the attempt is repeated.
    HoldsExpired,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Setback {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Another transaction took the time first; the attempt is repeated.
pub fn lost_race() -> db::Error {
    db::Error::Conflict
}
