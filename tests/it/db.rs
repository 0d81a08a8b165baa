mod as_of;
mod data_model;
mod dba;
mod migrations;
mod pooler;
mod schema;
mod sql_style;
pub mod statements;
mod tx;
