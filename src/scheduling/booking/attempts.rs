//! Transactions that take time, tried again after expired holds were removed.

use super::{expiry, transaction::decide};
use crate::{
    db::{Context, Db, Tx},
    http::problem::Failure,
    messaging::mail::Mailer,
    scheduling::slots::setback::Setback,
};

/// Runs a transaction that takes time until it is decided, as [`Db::attempt`] does. Expired holds are removed, and their
/// time is offered to the waitlist, in a transaction of their own between two attempts: a transaction that deletes
/// claims before it inserts others could wait for one that waits for it.
pub async fn attempt<T, F>(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    run: impl Fn(Tx, usize) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Setback>>,
{
    decide(db, context, || expiry::expire(db, mailer, context.tenant), run).await
}
