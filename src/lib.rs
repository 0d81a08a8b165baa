//! appointd: appointments for many businesses in one PostgreSQL. Row-level security decides who sees a row, an
//! exclusion constraint decides who gets a slot, and this program serves them over HTTP.
//!
//! The modules in reading order. Dependencies point one way: modules → [`http`], [`db`].
//!
//! * [`cli`], [`config`], [`dev`], [`tenant_commands`], [`wall_audit`]: commands, settings, a development system,
//!   operations on a whole organization, the audit of tenant isolation
//! * [`server`]: the endpoint tree, listener, threads, shutdown
//! * [`api`]: the list of modules
//! * [`pages`]: pages for people: booking, and what links in e-mails lead to
//! * [`http`]: the edge
//! * [`db`]: the door to the database
//! * [`messaging`]: events, jobs, webhooks, and messages by e-mail
//! * [`pem`]: certificates and private keys in files
//! * [`metrics`]: what the process counts; all others may count
//! * the modules, such as [`crm`]: all with the same structure, one file for each resource of the API, with its types,
//!   its operations and its statements
//! * [`demo`]: the demo data of `appointd dev`

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
pub mod metrics;
pub mod operations;
pub mod pages;
pub mod pem;
pub mod scheduling;
pub mod server;
pub mod tenancy;
pub mod tenant_commands;
pub mod terminal;
pub mod wall_audit;
pub mod work;
