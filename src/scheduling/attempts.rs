//! Transactions that take or free time: tried again where another was faster, and locked in one order.

use uuid::Uuid;

use super::offers;
use crate::{
    db::{self, Context, Db, Tx},
    http::problem::Failure,
    messaging::mail::Mailer,
    sql,
};

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
pub fn lost() -> Setback {
    db::Error::Conflict.into()
}

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
    let run = &run;
    db.attempt(context, move |tx, number| async move {
        match run(tx, number).await {
            Ok(decided) => Ok(decided),
            Err(Setback::HoldsExpired) => {
                offers::expire(db, mailer, context.tenant).await?;
                Err(db::Error::Conflict.into())
            }
            Err(Setback::Failed(failure)) => Err(failure),
        }
    })
    .await
}

/// The seat that is taken: the first one at first, and by those who lost a race a random one, or they would collide
/// at the next again.
pub fn luck(attempt: usize) -> usize {
    if attempt == 0 {
        return 0;
    }
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize
}

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
