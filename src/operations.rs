//! Running the system: health, and the audit log.

pub mod audit;
pub mod deletions;
pub mod health;
pub mod idempotency;
