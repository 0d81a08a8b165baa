mod appointments;
mod claims;
mod oracle;
mod providers;
mod races;
mod schedules;
mod services;
mod slots;
