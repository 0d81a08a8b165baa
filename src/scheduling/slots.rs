//! Slots: which starts can be booked, and which resources a booking claims.

pub mod allocation;
pub mod alternatives;
pub mod availability;
pub mod choose;
pub mod cost;
pub mod days;
pub mod diary;
pub mod earliest;
pub mod guest_rules;
pub mod listing;
pub mod load;
pub mod matching;
pub mod period;
pub mod problems;
pub mod setback;
pub mod unknown_ids;
