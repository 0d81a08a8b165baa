//! The catalog: services, providers, their links to accounts, and resources.

pub mod provider_links;
pub mod providers;
pub mod resources;
pub mod service;
pub mod services;
