//! Running the system: health, and the audit log.

pub mod audit;
pub mod health;
pub mod idempotency;
