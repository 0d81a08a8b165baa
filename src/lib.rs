//! appointd: many businesses that give appointments, one PostgreSQL. Row-level security decides who sees a row, an
//! exclusion constraint decides who gets a slot, and this is the HTTP door in front of them.
//!
//! The map of the house, in reading order. Arrows point one way: modules → [`http`], [`db`].
//!
//! * [`cli`], [`config`], [`dev`], [`tenant_commands`], [`wall_audit`]: the program: commands, settings, a system to try
//!   things on, one organization moved or removed as a whole, the wall looked at for holes
//! * [`server`]: the endpoint tree, listener, threads, shutdown
//! * [`api`]: the modules, listed
//! * [`http`]: the edge
//! * [`db`]: the wall's door
//! * [`messaging`], which sends e-mail
//! * the modules, each the same inside: one file a resource, holding its types, its operations and its statements
//! * [`demo`]: the data `appointd dev` starts with

// The futures of handlers nest deeper than the default of 128.
#![recursion_limit = "256"]

pub mod api;
pub mod cli;
pub mod config;
pub mod crm;
pub mod db;
pub mod demo;
pub mod dev;
pub mod http;
pub mod identity;
pub mod messaging;
pub mod operations;
pub mod scheduling;
pub mod server;
pub mod tenancy;
pub mod tenant_commands;
pub mod wall_audit;
