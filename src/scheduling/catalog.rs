//! What is offered, by whom and where.

pub mod provider_links;
pub mod providers;
pub mod resources;
pub mod service;
pub mod services;
