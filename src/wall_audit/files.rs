//! The rules and the statements, written by build.rs.

include!(concat!(env!("OUT_DIR"), "/files.rs"));
