//! Services, providers, hours, slots and appointments. Five submodules, each of which imports only those before it:
//! [`hours`] (wall time to instants), [`slots`] (which starts can be booked), [`booking`] (appointments, holds,
//! waitlist), [`catalog`] (services, providers, resources), [`customers`] (guests, customers, calendars).

pub mod booking;
pub mod catalog;
pub mod customers;
pub mod hours;
pub mod slots;
