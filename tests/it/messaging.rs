mod budget;
mod mail;
