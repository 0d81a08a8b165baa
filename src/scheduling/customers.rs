//! What customers see and do: guests with a link, customers with an account, calendar programs.

pub mod calendar;
pub mod guest;
pub mod guest_verification;
pub mod guest_waits;
pub mod guests;
pub mod ics;
pub mod letters;
pub mod my_appointments;
pub mod my_waits;
pub mod online;
