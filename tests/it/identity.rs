mod accounts;
mod recovery;
mod second_factors;
mod sessions;
