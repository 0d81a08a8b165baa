pub mod booking;
mod catalog;
pub mod customers;
mod hours;
mod slots;
