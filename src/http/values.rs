//! Types for validated values: parsed when a request arrives, and valid from then on. Each publishes its rule in the
//! API description.

mod addresses;
mod codes;
mod list;
mod macros;
mod number;
mod text;
mod time;

pub use addresses::*;
pub use codes::*;
pub use list::*;
pub(crate) use macros::named_enum;
pub use number::*;
pub use text::*;
pub use time::*;
