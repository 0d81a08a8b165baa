mod budget;
mod cron;
mod events;
mod jobs;
mod letters;
pub mod mail;
mod publishing;
mod running;
mod worker;
