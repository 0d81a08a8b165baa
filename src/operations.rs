//! Running the server: health.

pub mod health;
