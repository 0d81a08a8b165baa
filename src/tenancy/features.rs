//! What a plan has to include.

use crate::http::caller::features;

features! {
    /// Keys for programs.
    ApiAccess = "api_access",
    /// Own domains.
    CustomBranding = "custom_branding",
}
