//! E-mail, and the budgets that limit it.

pub mod budget;
pub mod letters;
pub mod mail;
