//! Wall time to instants: when work is done.

pub mod closures;
pub mod schedule;
pub mod schedules;
pub mod time_off;
pub mod wall_time;
pub mod working_hours;
