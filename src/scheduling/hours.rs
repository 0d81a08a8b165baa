//! Working hours, closures and time off: from wall time to instants.

pub mod closures;
pub mod period;
pub mod schedule;
pub mod schedules;
pub mod time_off;
pub mod wall_time;
pub mod working_hours;
