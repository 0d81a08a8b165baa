//! Retries transactions. Each attempt gets a new transaction and ends it by returning, so code that follows an attempt
//! (searching for alternatives, the next attempt) never holds a connection.

use super::{
    entry::Entry,
    error::Error,
    tx::{Db, Tx},
};
use crate::metrics;

/// The maximum number of attempts, including the first.
const MOST_ATTEMPTS: usize = 20;

/// An error that may be transient, so that another attempt may succeed.
pub trait Transient: From<Error> {
    fn is_transient(&self) -> bool;
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        Error::is_transient(self)
    }
}

impl Db {
    /// Runs a transaction and retries it after [`Error::Conflict`] (a deadlock, a serialization failure or a lost race
    /// for a claim) and [`Error::OutOfDate`]. The closure gets the transaction and the number of the attempt, from 0.
    /// After 20 attempts it fails with [`Error::Conflict`]: 503 `try_again`.
    pub async fn attempt<T, E, F>(
        &self,
        entry: impl Into<Entry>,
        run: impl Fn(Tx, usize) -> F,
    ) -> Result<T, E>
    where
        E: Transient,
        F: Future<Output = Result<T, E>>,
    {
        let entry = entry.into();
        for number in 0..MOST_ATTEMPTS {
            match run(self.begin(entry), number).await {
                Err(error) if error.is_transient() => metrics::count_retry(),
                decided => return decided,
            }
        }
        Err(Error::Conflict.into())
    }
}
