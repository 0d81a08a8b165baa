//! Operations for customers: guests without an account, customers with an account, and calendar programs.

pub mod calendar_feeds;
pub mod guest_access;
pub mod guest_appointments;
pub mod guest_holds;
pub mod guest_slots;
pub mod guest_stream;
pub mod guest_verification;
pub mod guest_waitlist;
pub mod ics;
pub mod my_appointment;
pub mod my_appointments;
pub mod my_holds;
pub mod my_slots;
pub mod my_waitlist;
pub mod online;
