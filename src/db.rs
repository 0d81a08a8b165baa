//! The only code that speaks to PostgreSQL. Reading order: `sql` (what may be sent), `tx` (the wall's door), `connection`,
//! `attempt` (again), `error` (what comes back), then running it: [`migrate`], [`cluster`]. Imports nothing else of ours.

mod as_of;
mod attempt;
pub mod cluster;
mod connection;
mod error;
pub mod migrate;
mod sql;
mod tx;

pub use attempt::Transient;
pub use connection::{Unsuited, check_session};
pub use error::Error;
pub use sql::{Binds, Sql};
pub use tx::{Context, Db, Entered, Entry, Params, Person, REQUEST, Request, Tx, Who};
