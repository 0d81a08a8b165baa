//! Who people are: accounts, passwords and second factors, sessions.

pub mod accounts;
pub mod passwords;
pub mod recovery;
pub mod second_factors;
pub mod sessions;
