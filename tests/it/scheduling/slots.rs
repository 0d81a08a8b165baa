mod alternatives;
mod availability;
mod choose;
pub mod listing;
mod oracle;
mod rules;
