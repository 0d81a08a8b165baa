//! Transactions that book or free time: they take their locks in one order and are retried after a lost race.

use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Tx},
    http::problem::Failure,
    scheduling::slots::setback::Setback,
    sql,
};

/// What a transaction will book, free, move or count. All of it is locked by one statement, `resources_lock.sql`.
#[derive(Debug, Default)]
pub struct Locks {
    /// Services to book.
    pub services: Vec<Uuid>,
    /// Whether any provider may be booked, not only those in `resources`.
    pub any_provider: bool,
    /// Providers, rooms, equipment and contacts.
    pub resources: Vec<Uuid>,
    /// Appointments whose time will be freed.
    pub appointments: Vec<Uuid>,
    /// Holds whose time will be freed.
    pub holds: Vec<Uuid>,
}

impl Locks {
    pub async fn take(&self, tx: &mut Tx) -> Result<(), Failure> {
        let Self { services, any_provider, resources, appointments, holds } = self;
        tx.all(
            sql!("scheduling/resources_lock.sql"),
            &[services, any_provider, resources, appointments, holds],
        )
        .await?;
        Ok(())
    }
}

/// Selects a seat. The first attempt takes the lowest free seat; retries pick a random one so that losers of a race do
/// not collide again.
pub fn seat_seed(attempt: usize) -> usize {
    if attempt == 0 {
        return 0;
    }
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize
}

/// Runs a transaction and retries it as [`Db::attempt`] does. If expired holds may block the time, calls `expire`
/// before the next attempt.
pub async fn decide<T, E, F>(
    db: &Db,
    context: Context,
    expire: impl Fn() -> E,
    run: impl Fn(Tx, usize) -> F,
) -> Result<T, Failure>
where
    E: Future<Output = Result<(), Failure>>,
    F: Future<Output = Result<T, Setback>>,
{
    let (run, expire) = (&run, &expire);
    db.attempt(context, move |tx, number| async move {
        match run(tx, number).await {
            Ok(decided) => Ok(decided),
            Err(Setback::HoldsExpired) => {
                expire().await?;
                Err(db::Error::Conflict.into())
            }
            Err(Setback::Failed(failure)) => Err(failure),
        }
    })
    .await
}
