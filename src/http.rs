//! The edge: HTTP in, HTTP out. Apart from the `#[OpenApi]` impls of the modules and the pages, the only code that
//! knows poem. Reading order: [`edge`] (what every request passes), [`headers`] (reading headers), [`client`] and
//! [`forwarded`] (the client's address and host), [`certificate`] (TLS), [`caller`] (credentials), [`limit`] and
//! `allowance` (rate limits), [`computing`] (long computations), `query`, [`json`], [`values`], [`name`] and [`secret`]
//! (input), [`problem`] and `framework` (errors), [`page`] (lists), [`event_stream`], [`conditional`], [`versions`] and
//! [`if_match`] (304 and 412), [`compression`] and [`document`], [`module`] (what a module declares), [`deprecation`],
//! [`described`], [`routes`] and [`description`] (the API description and its uses).

mod allowance;
pub mod caller;
pub mod captcha;
pub mod certificate;
pub mod client;
pub mod compression;
pub mod computing;
pub mod conditional;
pub mod cors;
pub mod deferred;
pub mod deprecation;
pub mod described;
pub mod description;
pub mod document;
pub mod edge;
pub mod event_stream;
pub mod forwarded;
mod framework;
pub mod headers;
pub mod if_match;
pub mod json;
pub mod limit;
mod malformed;
mod mistakes;
pub mod module;
pub mod name;
pub mod page;
pub mod problem;
pub mod query;
pub mod routes;
mod schema;
pub mod secret;
pub mod token;
pub mod values;
pub mod versions;
