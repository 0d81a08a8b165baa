mod bounds;
mod listing;
mod oracle;
mod rules;
