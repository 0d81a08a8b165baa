//! Runs transactions that book, and repeats them after removing expired holds.

use super::{expiry, transaction::decide};
use crate::{
    db::{Context, Db, Tx},
    http::problem::Failure,
    messaging::mail::Mailer,
    scheduling::slots::setback::Setback,
};

/// Runs a transaction that books, and retries it as [`Db::attempt`] does. Expired holds are removed, and their time is
/// offered to the waitlist, in a separate transaction between two attempts: transactions that delete claims before they
/// insert others could deadlock.
pub async fn attempt<T, F>(
    db: &Db,
    mailer: &Mailer,
    context: Context,
    run: impl Fn(Tx, usize) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Setback>>,
{
    decide(db, context, || expiry::expire(db, mailer, context), run).await
}
