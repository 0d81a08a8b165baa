//! Accounts, passwords, second factors and sessions.

pub mod accounts;
pub mod door;
pub mod key_set;
pub mod memberships;
pub mod passwords;
pub mod recovery;
pub mod second_factors;
pub mod sessions;
pub mod sign_in;
