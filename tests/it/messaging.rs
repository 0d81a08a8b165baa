mod budget;
mod letters;
pub mod mail;
