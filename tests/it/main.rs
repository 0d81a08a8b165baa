//! The tests, one binary: a tree like the one of `src`, on one private PostgreSQL and one real server, with
//! organizations of its own for each test. That they can share a database is itself what is tested.

mod cli;
mod config;
mod crm;
mod db;
mod demo;
mod deploy;
mod dev;
mod docs;
mod harness;
mod house;
mod http;
mod identity;
mod isolation;
mod messaging;
mod mutants;
mod operations;
mod pages;
mod scheduling;
mod server;
mod tenancy;
mod tenant_commands;
mod wall_audit;
mod work;
