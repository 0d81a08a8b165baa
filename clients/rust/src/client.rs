//! What progenitor generates, as it generates it.

#![allow(clippy::all, clippy::pedantic, unused_imports)]

include!(concat!(env!("OUT_DIR"), "/client.rs"));
