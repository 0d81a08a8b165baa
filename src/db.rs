//! The only code that talks to PostgreSQL; imports no other module. Reading order: `sql` (statements), `row` (rows as
//! values), `error` (errors), `entry` and `request` (the caller), `tx` (the door: transactions of a tenant), `guard`
//! and `entering` (what the door sends), `pool` and `connection`, `attempt` (retries), `single` (operations of one
//! statement), `front_door` and `worker` (other roles: before the caller is known, and in the background), [`listen`]
//! (notifications), `url` and `tls` (how a database is reached), then operating a database: [`migrate`], [`cluster`].

mod as_of;
mod attempt;
pub mod cluster;
mod connection;
mod entering;
mod entry;
mod error;
mod front_door;
mod guard;
pub mod listen;
pub mod migrate;
mod pool;
mod request;
pub mod row;
mod single;
pub mod sql;
mod tls;
mod tx;
mod url;
mod worker;

pub use attempt::Transient;
pub use connection::{Unsuited, check_session};
pub use entry::{Context, Entry, Pass, Person, Who};
pub use error::Error;
pub use front_door::FrontDoor;
pub use request::{Entered, REQUEST, Request};
pub(crate) use row::row;
pub use row::{Columns, FromRow, Keyed, Unread};
pub use sql::{Binds, Params, Sql};
pub use tx::{Db, Tx};
pub use url::{DatabaseUrl, UrlError};
pub use worker::WorkerDb;
