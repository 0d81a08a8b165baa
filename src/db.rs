//! The only code that speaks to PostgreSQL. Reading order: `sql` (what may be sent), `error` (what comes back), `entry`
//! and `request` (who asks), `tx` (the wall's door), `guard` and `entering` (what it sends), `pool` and `connection`,
//! `attempt` (retries), `single` (one statement), then running it: [`migrate`], [`cluster`]. Imports nothing else of ours.

mod as_of;
mod attempt;
pub mod cluster;
mod connection;
mod entering;
mod entry;
mod error;
mod guard;
pub mod migrate;
mod pool;
mod request;
mod single;
pub mod sql;
mod tx;

pub use attempt::Transient;
pub use connection::{Unsuited, check_session};
pub use entry::{Context, Entry, Person, Who};
pub use error::Error;
pub use request::{Entered, REQUEST, Request};
pub use sql::{Binds, Params, Sql};
pub use tx::{Db, Tx};
