mod contacts;
mod preferences;
