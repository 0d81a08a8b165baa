//! Who people are: accounts, passwords, signing in.

pub mod accounts;
pub mod passwords;
