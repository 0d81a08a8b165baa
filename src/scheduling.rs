//! What is offered, by whom, when, and who has it. Reading order: [`services`], [`providers`], [`resources`]; when they
//! work: [`schedules`], [`closures`], [`time_off`] (wall time), [`wall_time`] and [`hours`] (wall time to instants);
//! [`slots`] (which starts can be booked, and what that takes: pure), [`availability`] (the rows behind that, and the
//! listing); [`attempts`] (transactions and their locks), [`offers`] (freed time for the waitlist); [`booking`],
//! [`appointments`], [`transitions`], [`undo`], [`moving`], [`series`], [`holds`], [`waitlist`]; the outside: [`online`],
//! [`guests`], [`guest_waits`], [`guest_verification`], [`my_appointments`], [`my_waits`], [`calendar`], [`ics`], [`letters`];
//! and [`upkeep`].

pub mod appointments;
pub mod attempts;
pub mod availability;
pub mod booking;
pub mod calendar;
pub mod closures;
pub mod guest_verification;
pub mod guest_waits;
pub mod guests;
pub mod holds;
pub mod hours;
pub mod ics;
pub mod letters;
pub mod moving;
pub mod my_appointments;
pub mod my_waits;
pub mod offers;
pub mod online;
pub mod provider_links;
pub mod providers;
pub mod resources;
pub mod schedules;
pub mod series;
pub mod services;
pub mod slots;
pub mod time_off;
pub mod transitions;
pub mod undo;
pub mod upkeep;
pub mod waitlist;
pub mod wall_time;
