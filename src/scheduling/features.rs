//! What a plan has to include.

use crate::http::caller::features;

features! {
    /// Services, providers, appointments.
    Appointments = "appointments",
}
