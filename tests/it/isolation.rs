//! Two organizations never see each other: `cargo test isolation` attacks the wall from every side it has, and checks
//! that the attacks and `appointd audit` find the faults that are planted for them.

pub mod attack;
mod context;
pub mod credentials;
mod faults;
mod foreign;
mod planted;
mod statements;
mod transport;
mod wall;
