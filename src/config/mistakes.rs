//! The errors in the settings.

/// All errors in the settings, one line each.
#[derive(Debug)]
pub struct Mistakes(pub Vec<String>);
