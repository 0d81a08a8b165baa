//! The one way to try a transaction again. Each attempt is handed a transaction of its own and gives it back by returning,
//! so nothing that follows an attempt (looking for alternatives, the next attempt) runs while a connection is still taken.

use super::{
    entry::Entry,
    error::Error,
    tx::{Db, Tx},
};

/// Attempts at a transaction that others got in the way of, the first included.
const MOST_ATTEMPTS: usize = 20;

/// An error that may not happen again in a second attempt.
pub trait Transient: From<Error> {
    fn is_transient(&self) -> bool;
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        Error::is_transient(self)
    }
}

impl Db {
    /// Runs a transaction until it is decided: again after [`Error::Conflict`], which is a deadlock, a serialization failure
    /// or a lost race for a claim, and after [`Error::OutOfDate`]. The closure gets the transaction and the number of
    /// the attempt, from 0. After 20 attempts it fails with [`Error::Conflict`]: 503 `try_again`.
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
                Err(error) if error.is_transient() => {}
                decided => return decided,
            }
        }
        Err(Error::Conflict.into())
    }
}
