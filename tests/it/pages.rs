//! Pages for people.

mod account;
mod booking;
mod brand;
mod browser;
mod catalog;
mod foreign;
mod formats;
mod manage;
mod unsubscribe;
