mod api_keys;
mod authority;
mod domains;
mod invitations;
mod members;
mod organizations;
mod settings;
mod subscriptions;
