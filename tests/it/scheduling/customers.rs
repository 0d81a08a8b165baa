mod calendar;
mod guest_bounds;
pub mod guests;
mod my_appointments;
