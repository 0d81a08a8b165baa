//! The edge: HTTP in, HTTP out. Beside the `#[OpenApi]` impls of the modules the only code that knows poem. Reading
//! order: [`edge`] (what every request passes), [`caller`] (who asks), [`json`] and [`text`] (what comes in),
//! [`problem`] (every refusal), [`page`] (lists), [`routes`] and [`description`] (what the description is used for).

pub mod caller;
pub mod description;
pub mod edge;
pub mod json;
pub mod page;
pub mod problem;
pub mod routes;
mod schema;
pub mod text;
pub mod token;

/// One tag for each module.
#[derive(poem_openapi::Tags)]
#[oai(rename_all = "lowercase")]
pub enum Tag {
    /// Accounts: registering, signing in, who am I.
    Identity,
    /// The organization a token is for: the tenant everything else belongs to.
    Tenancy,
    /// Contacts: the people an organization deals with.
    Crm,
    /// Services, providers and their hours, free slots, appointments.
    Scheduling,
    /// Health of this server.
    Operations,
}
