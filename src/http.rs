//! The edge: HTTP in, HTTP out. Beside the `#[OpenApi]` impls of the modules the only code that knows poem. Reading
//! order: [`edge`] (what every request passes), [`headers`] (how it is read), [`client`] and [`forwarded`] (from where),
//! [`caller`] (who asks), [`limit`] and `allowance` (how often), [`computing`] (what takes longer), `query`, [`json`],
//! [`values`], [`name`] and [`secret`] (what comes in), [`problem`] and `framework` (every refusal), [`page`] (lists),
//! [`conditional`] (304), [`module`], [`scope`], [`routes`] and [`description`] (what is described, and what the description
//! is used for).

mod allowance;
pub mod caller;
pub mod captcha;
pub mod client;
pub mod computing;
pub mod conditional;
pub mod cors;
pub mod description;
pub mod edge;
pub mod forwarded;
mod framework;
pub mod headers;
pub mod json;
pub mod limit;
mod mistakes;
pub mod module;
pub mod name;
pub mod page;
pub mod problem;
mod query;
pub mod routes;
mod schema;
pub mod scope;
pub mod secret;
pub mod token;
pub mod values;
