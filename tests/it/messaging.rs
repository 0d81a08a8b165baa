mod budget;
pub mod mail;
