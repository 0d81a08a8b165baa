//! Every refusal: RFC 9457 problem details with a stable `code`. A handler fails with [`ApiError`], whose parameter
//! says which statuses its operation can answer with, so that the description and the code are one line.

mod details;
mod failure;
mod refused;

pub use details::*;
pub use failure::*;
pub use refused::*;
