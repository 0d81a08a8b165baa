//! Transactions that take or free time: tried again where another was faster, and locked in one order.

use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Tx},
    http::problem::Failure,
    scheduling::slots::setback::Setback,
    sql,
};

/// What a transaction is about to free, move or count. All of it is locked in one statement: `resources_lock.sql`.
#[derive(Debug, Default)]
pub struct Locks {
    /// Services that are to be booked.
    pub services: Vec<Uuid>,
    /// Whether any provider may be booked, and not only those among `resources`.
    pub any_provider: bool,
    /// Providers, rooms, equipment and contacts.
    pub resources: Vec<Uuid>,
    /// Appointments whose time is to be freed.
    pub appointments: Vec<Uuid>,
    /// Holds whose time is to be freed.
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

/// The seat that is taken: the first one at first, and by those who lost a race a random one, or they would collide
/// at the next again.
pub fn seat_seed(attempt: usize) -> usize {
    if attempt == 0 {
        return 0;
    }
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize
}

/// Runs a transaction until it is decided, as [`Db::attempt`] does. Where expired holds may be in the way, `expire` comes
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
