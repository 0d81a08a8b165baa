mod closures;
mod schedules;
mod time_off;
mod wall_time;
pub mod working_hours;
