//! What a plan has to include.

use crate::http::caller::features;

features! {
    /// Webhooks.
    Integrations = "integrations",
}
