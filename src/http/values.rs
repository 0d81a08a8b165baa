//! Types for validated values: parsed when a request arrives, and valid from then on. Each publishes its rule in the
//! API description.

mod addresses;
mod codes;
mod list;
pub(crate) mod macros;
mod metadata;
mod number;
mod text;
mod time;

pub use addresses::*;
pub use codes::*;
pub use list::*;
pub(crate) use macros::{from_column, named_enum};
pub use metadata::*;
pub use number::*;
pub use text::*;
pub use time::*;
