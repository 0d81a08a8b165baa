mod alternatives;
mod availability;
mod choose;
mod days;
pub mod listing;
mod oracle;
mod rules;
