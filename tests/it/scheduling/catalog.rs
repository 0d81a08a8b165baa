mod provider_links;
mod providers;
mod services;
