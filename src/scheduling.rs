//! What is offered, by whom, when, and who has it. Five wings, each of which knows those before it and no other:
//! [`hours`] (wall time to instants), [`slots`] (which starts can be booked, and what that takes), [`booking`] (who has
//! which time), [`catalog`] (what is offered, by whom and where), [`customers`] (guests, customers, calendars).

pub mod booking;
pub mod catalog;
pub mod customers;
pub mod hours;
pub mod slots;
