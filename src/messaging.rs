//! Telling people things.

pub mod mail;
