//! Two organizations never see each other: directly in SQL, as the role the server has, without the server. That the
//! HTTP door does not open either is tested for every operation in `coverage`.

pub mod attack;
mod catalog;
mod context;
mod door;
mod faults;
mod statements;
mod transport;
