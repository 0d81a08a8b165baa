//! The edge: HTTP in, HTTP out. Apart from the `#[OpenApi]` impls of the modules, the only code that knows poem. Reading
//! order: [`edge`] (what every request passes), [`headers`] (reading headers), [`client`] and [`forwarded`] (the
//! client's address and host), [`caller`] (credentials), [`limit`] and `allowance` (rate limits), [`computing`] (long
//! computations), `query`, [`json`], [`values`], [`name`] and [`secret`] (input), [`problem`] and `framework` (errors),
//! [`page`] (lists), [`conditional`] (304), [`routes`] and [`description`] (the API description and its uses).

mod allowance;
pub mod caller;
pub mod captcha;
pub mod client;
pub mod compression;
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
pub mod name;
pub mod page;
pub mod problem;
mod query;
pub mod routes;
mod schema;
pub mod secret;
pub mod token;
pub mod values;

/// One tag for each module.
#[derive(poem_openapi::Tags)]
#[oai(rename_all = "lowercase")]
pub enum Tag {
    /// Accounts: registration, sign-in, sessions, passwords and second factors.
    Identity,
    /// Organizations (tenants): members, invitations, plans, settings, branding, domains and API keys.
    Tenancy,
    /// Contacts: the people an organization deals with.
    Crm,
    /// Services, providers, working hours, slots, appointments and the waitlist.
    Scheduling,
    /// Health of the server, the change log, and deletions.
    Operations,
}
