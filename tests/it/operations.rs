mod audit;
mod deletions;
mod health;
mod idempotency;
