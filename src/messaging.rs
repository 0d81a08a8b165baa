//! Telling people things.

pub mod budget;
pub mod mail;
