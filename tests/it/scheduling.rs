pub mod booking;
mod catalog;
pub mod customers;
pub mod hours;
mod slots;
