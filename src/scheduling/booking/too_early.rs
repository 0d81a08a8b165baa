//! Actions that are possible only from some time on.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::appointment::{Appointment, AppointmentAction, CancelledBy};
use crate::{
    db::Tx,
    http::problem::{Failure, Problem},
    tenancy::settings,
};

/// 409 if an action that the status allows is not possible yet.
pub async fn check(
    tx: &mut Tx,
    appointment: &Appointment,
    action: AppointmentAction,
    by: CancelledBy,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if !action.from(by).contains(&appointment.status) {
        return Ok(());
    }
    let early = match action {
        AppointmentAction::CheckIn => settings::check_in_opens(tx).await?,
        AppointmentAction::Start | AppointmentAction::Complete | AppointmentAction::NoShow => {
            TimeDelta::zero()
        }
        AppointmentAction::Confirm
        | AppointmentAction::Decline
        | AppointmentAction::Cancel
        | AppointmentAction::Reschedule
        | AppointmentAction::Swap
        | AppointmentAction::Undo => return Ok(()),
    };
    if now < appointment.starts_at - early {
        let opens_at = (appointment.starts_at - early).to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let detail = format!("The action {} is possible from {opens_at} on.", action.name());
        return Err(Problem::conflict("too_early", detail).into());
    }
    Ok(())
}
