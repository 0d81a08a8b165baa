//! What is offered, by whom, when, and who has it. Reading order: [`services`], [`providers`], [`schedules`] (wall
//! time), [`wall_time`] and [`hours`] (wall time to instants), [`slots`] (which starts are free: pure),
//! [`availability`] (the rows behind that, and the listing), [`appointments`] (booking).

pub mod appointments;
pub mod availability;
pub mod hours;
pub mod providers;
pub mod schedules;
pub mod services;
pub mod slots;
pub mod wall_time;
