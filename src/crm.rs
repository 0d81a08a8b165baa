//! The people an organization deals with.

pub mod contacts;
