mod closures;
mod schedules;
mod time_off;
pub mod working_hours;
