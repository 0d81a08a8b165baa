//! The edge: HTTP in, HTTP out. Beside the `#[OpenApi]` impls of the modules the only code that knows poem. Reading
//! order: [`edge`] (what every request passes), [`headers`] (how it is read), [`client`] and [`forwarded`] (from where),
//! [`caller`] (who asks), [`limit`] and `allowance` (how often), [`computing`] (what takes longer), `query`, [`json`],
//! [`values`], [`name`] and [`secret`] (what comes in), [`problem`] and `framework` (every refusal), [`page`] (lists),
//! [`conditional`] (304), [`routes`] and [`description`] (what the description is used for).

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
    /// Accounts: registering, signing in and out, passwords, second factors, who am I.
    Identity,
    /// Organizations, the tenants everything else belongs to: members, invitations, plans, settings, domains, API keys.
    Tenancy,
    /// Contacts: the people an organization deals with.
    Crm,
    /// Services, providers and their hours, free slots, appointments.
    Scheduling,
    /// Health of this server, and the audit log.
    Operations,
}
