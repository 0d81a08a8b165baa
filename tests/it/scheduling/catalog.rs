mod provider_links;
mod providers;
mod resources;
mod services;
