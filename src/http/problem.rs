//! Errors as RFC 9457 problem details with a stable `code`. A handler fails with [`ApiError`]; its type parameter lists
//! the statuses that the operation can answer with, so that code and description agree.

mod api_error;
mod codes;
mod details;
mod failure;

pub use api_error::*;
pub use codes::*;
pub use details::*;
pub use failure::*;
