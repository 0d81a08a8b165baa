//! Operations for customers: guests without an account, customers with an account, and calendar programs.

pub mod calendar;
pub mod guest;
pub mod guest_entry;
pub mod guest_slots;
pub mod guest_verification;
pub mod guest_waits;
pub mod guests;
pub mod ics;
pub mod my_appointments;
pub mod my_slots;
pub mod my_waits;
pub mod online;
