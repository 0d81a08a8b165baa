//! Organizations, the tenants: their members, invitations and API keys, plans, settings, branding and domains.

pub mod api_keys;
pub mod branding;
pub mod domains;
pub mod invitation_acceptance;
pub mod invitations;
pub mod members;
pub mod organizations;
pub mod settings;
pub mod subscriptions;
