//! Operations of the system: health, the change log, deletions and idempotency keys.

pub mod audit;
pub mod deletions;
pub mod health;
pub mod idempotency;
