//! Values with rules: parsed once, where they come in, and right from then on. Each says its rule in the description.

mod addresses;
mod codes;
mod macros;
mod number;
mod text;
mod time;

pub use addresses::*;
pub use codes::*;
pub(crate) use macros::named_enum;
pub use number::*;
pub use text::*;
pub use time::*;
