//! The tests, one binary: a tree like the one of `src`, on one private PostgreSQL and one real server, with organizations
//! of its own for each test. That they can share a database is itself what is tested.

mod audit;
mod computing;
mod connections;
mod coverage;
mod creating;
mod crm;
mod data_model;
mod dev;
mod edge;
mod entering;
mod harness;
mod headers;
mod house;
mod identity;
mod isolation;
mod limits;
mod messaging;
mod migrations;
mod mistakes;
mod mutants;
mod openapi;
mod operated;
mod operations;
mod parsers;
mod pooler;
mod scheduling;
mod serve;
mod sql_style;
mod statements;
mod syncing;
mod tenancy;
mod tenant;
mod tx;
mod upkeep;
mod wall;
