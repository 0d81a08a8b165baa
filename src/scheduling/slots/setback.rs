//! Why a transaction that takes time ended without a decision.

use crate::{db, http::problem::Failure};

/// Why an attempt ended without a decision.
#[derive(Debug)]
pub enum Setback {
    /// Expired holds may be in the way. They are removed, and the attempt is made again.
    HoldsExpired,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Setback {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Another transaction took the time first: look again.
pub fn lost_race() -> Setback {
    db::Error::Conflict.into()
}
