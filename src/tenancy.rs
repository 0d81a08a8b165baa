//! Organizations: the tenants.

pub mod organizations;
