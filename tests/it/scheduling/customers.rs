mod calendar;
mod guest;
mod guest_verification;
mod guest_waits;
pub mod guests;
mod letters;
mod my_appointments;
mod my_waits;
