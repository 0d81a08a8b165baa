//! Organizations, the tenants: what they are and who belongs to them, what they may have, how they are reached.

pub mod api_keys;
pub mod branding;
pub mod domains;
pub mod invitation_acceptance;
pub mod invitations;
pub mod members;
pub mod organizations;
pub mod settings;
pub mod subscriptions;
