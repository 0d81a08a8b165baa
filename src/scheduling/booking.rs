//! Bookings: appointments, series, holds and the waitlist.

pub mod appointment;
pub mod appointments;
pub mod attempts;
pub mod book;
pub mod bulk;
pub mod change;
pub mod claims;
pub mod confirm;
pub mod expiry;
pub mod freed;
pub mod guest_booking;
pub mod guest_request;
pub mod hold;
pub mod holds;
pub mod named_appointment;
pub mod offers;
pub mod period;
pub mod reschedule;
pub mod series;
pub mod staff_calendar;
pub mod transaction;
pub mod transitions;
pub mod undo;
pub mod upkeep;
pub mod waitlist;
pub mod waitlist_entry;
