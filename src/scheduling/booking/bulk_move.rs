//! Moves all appointments of a provider in a period: to another provider, by some days or minutes, or both. One
//! transaction moves those that can be moved; the others stay where they are, and the answer says why.

use chrono::{DateTime, Datelike as _, Days, TimeDelta, Utc};
use chrono_tz::Tz;
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, AppointmentAction},
    book,
    moves::{self, Move, MoveOptions},
    offers::Notice,
    provider_period::{self, Kept, KeptAppointment},
    shift::{Candidate, Outcome, Refused, Shift},
    transaction::seat_seed,
};
use crate::{
    db::{Tx, row},
    http::{
        computing,
        json::or_default,
        problem::{FieldError, Problem},
        values::{InstantOrDate, Number, Text, TimeZone},
    },
    operations::idempotency::Once,
    scheduling::{
        hours::{
            period::{self, Bounds},
            wall_time,
        },
        slots::{
            availability::{Availability, Claim},
            load::{self, AvailabilityQuery},
            problems::unknown_provider,
            setback::Setback,
        },
    },
    sql,
    tenancy::organizations,
};

/// The maximum number of appointments that one request moves.
const MOST: usize = 100;

/// The maximum period of one request in days, by the clock.
const LONGEST_PERIOD: i64 = 7;

/// A move of all appointments in a period. At least one of `provider_id`, `days` and `minutes` changes something.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PeriodMove {
    /// The beginning of the period: an instant, or a date in `time_zone`.
    pub from: InstantOrDate,
    /// The end of the period, exclusive: an instant, or a date in `time_zone`. At most 7 days after `from`.
    pub to: InstantOrDate,
    /// The IANA time zone for dates, and in which appointments that are moved by days keep their time of day. Defaults
    /// to the organization's time zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
    /// The new provider, for all services of a visit. Defaults to the current one.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// By how many days later, to the same time of day; earlier if negative. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub days: Option<Number<-366, 366>>,
    /// By how many minutes later, after `days`; earlier if negative. Defaults to 0.
    #[serde(default)]
    #[oai(nullable)]
    pub minutes: Option<Number<-1439, 1439>>,
    /// The reason, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub reason: Option<Text<1, 500>>,
    /// Whether to ignore the rules for notice, horizon, hours, grid and limits. Taken time still cannot be booked.
    /// Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for PeriodMove {
    fn example() -> Self {
        serde_json::from_value(json!({
            "from": "2031-05-20",
            "to": "2031-05-21",
            "days": 7,
            "reason": "The provider is ill.",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// What became of the appointments in a period.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct MovedPeriod {
    /// The moved appointments, ordered by their new start.
    pub moved: Vec<Appointment>,
    /// The appointments that could not be moved, ordered by start.
    pub kept: Vec<KeptAppointment>,
}

impl PeriodMove {
    fn days(&self) -> i64 {
        self.days.map_or(0, |days| days.0.into())
    }

    fn minutes(&self) -> i64 {
        self.minutes.map_or(0, |minutes| minutes.0.into())
    }

    /// 422 if nothing would be moved.
    pub fn check(&self, provider: Uuid) -> Result<(), Problem> {
        let stays = self.provider_id.is_none_or(|new| new == provider);
        if stays && self.days() == 0 && self.minutes() == 0 {
            let detail = "expected another provider, or days or minutes other than 0";
            return Err(Problem::invalid_field("provider_id", "required", detail));
        }
        Ok(())
    }

    /// The new start of an appointment.
    fn start(&self, zone: Tz, start: DateTime<Utc>) -> DateTime<Utc> {
        let (days, date) = (self.days(), wall_time::date(zone, start));
        let moved = match days {
            0 => start,
            1.. => wall_time::same_time_on(zone, date + Days::new(days.unsigned_abs()), start),
            _ => wall_time::same_time_on(zone, date - Days::new(days.unsigned_abs()), start),
        };
        moved + TimeDelta::minutes(self.minutes())
    }
}

/// A provider who appointments are moved to.
struct Target {
    active: bool,
}

row! {
    Target { active }
}

/// Moves the appointments of a provider.
pub async fn move_all(
    mut tx: Tx,
    provider: Uuid,
    request: &PeriodMove,
    once: &Once,
    (number, now): (usize, DateTime<Utc>),
) -> Result<(MovedPeriod, Vec<Notice>), Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok((answer, Vec::new()));
    }
    provider_period::require(&mut tx, provider).await?;
    if let Some(target) = request.provider_id {
        let target = tx.optional(sql!("scheduling/providers_get.sql" as Target), &[&target]).await?;
        if !target.ok_or_else(unknown_provider)?.active {
            let detail = "expected the id of an active provider";
            Err(Problem::invalid_field("provider_id", "inactive", detail))?;
        }
    }
    let zone = match request.time_zone {
        Some(zone) => zone.0,
        None => organizations::time_zone(&mut tx).await?.0,
    };
    let bounds = Bounds { from: Some(request.from), to: Some(request.to), time_zone: None };
    let (from, to) = bounds.instants_in(zone);
    period::check_length(zone, from, to, LONGEST_PERIOD)?;
    let action = AppointmentAction::Reschedule;
    let (movable, mut kept) = provider_period::lock(&mut tx, provider, (from, to), action, MOST).await?;
    let how = MoveOptions {
        action,
        reason: request.reason.as_deref(),
        policy: book::policy(request.override_rules),
        seat_seed: seat_seed(number),
    };
    let wanted: Vec<Move> = movable
        .into_iter()
        .map(|appointment| {
            let start = request.start(zone, appointment.starts_at);
            Move { appointment, provider: request.provider_id, start }
        })
        .collect();
    let queue = moves::lock(&mut tx, &wanted).await?;
    let (reachable, unreachable): (Vec<Move>, Vec<Move>) =
        wanted.into_iter().partition(|one| (1970..=2999).contains(&one.start.year()));
    let Outcome { moves, refused } = plan(&mut tx, reachable, &how, now).await?;
    let ids: Vec<Uuid> = moves.iter().map(|one| one.appointment.id).collect();
    let mut moved = Vec::new();
    if !ids.is_empty() {
        moves::release(&mut tx, &ids).await?;
        moved = moves::write(&mut tx, &moves, &how).await?;
    }
    moved.sort_by_key(|appointment| (appointment.starts_at, appointment.id));
    kept.extend(refused.into_iter().chain(unreachable.into_iter().map(too_far)).map(Kept::from));
    let answer = MovedPeriod { moved, kept: provider_period::named(kept) };
    // Before the transaction continues as the scheduler.
    once.keep(&mut tx, &answer).await?;
    let notices = queue.offer(&mut tx, now).await?;
    tx.commit().await?;
    Ok((answer, notices))
}

impl From<Refused> for Kept {
    fn from(Refused { appointment, why }: Refused) -> Self {
        Self { appointment, code: why.code, detail: why.detail }
    }
}

/// The refusal of a start outside the years in which appointments can be.
fn too_far(one: Move) -> Refused {
    let why = FieldError::new("starts_at", "too_far", "The new start is not between 1970 and 2999.");
    Refused { appointment: one.appointment, why }
}

/// Loads what decides where the appointments can be moved to, and decides. The locks must be taken already.
async fn plan(
    tx: &mut Tx,
    moves: Vec<Move>,
    how: &MoveOptions<'_>,
    now: DateTime<Utc>,
) -> Result<Outcome, Setback> {
    let ids: Vec<Uuid> = moves.iter().map(|one| one.appointment.id).collect();
    let starts = moves.iter().map(|one| one.start);
    let (Some(from), Some(to)) = (starts.clone().min(), starts.max()) else {
        return Ok(Outcome::default());
    };
    let contacts: Vec<Uuid> = moves.iter().map(|one| one.appointment.contact_id).collect();
    // The old providers as well, in whose limits the moved appointments count.
    let mut providers: Vec<Uuid> =
        moves.iter().flat_map(|one| one.provider.into_iter().chain([one.appointment.provider_id])).collect();
    providers.sort_unstable();
    providers.dedup();
    let claims = tx.all(sql!("scheduling/claims_of_appointments.sql" as Claim), &[&ids]).await?;
    let mut services: Vec<Vec<Uuid>> = Vec::new();
    let mut kinds: Vec<Availability> = Vec::new();
    let mut candidates = Vec::with_capacity(moves.len());
    for wanted in moves {
        let wanted_services = wanted.appointment.services();
        let kind = match services.iter().position(|kind| *kind == wanted_services) {
            Some(kind) => kind,
            None => {
                // The other services of a visit may be performed by any provider.
                let any = wanted_services.len() > 1 && wanted.provider.is_none();
                let query = AvailabilityQuery {
                    services: &wanted_services,
                    providers: if any { &[] } else { &providers },
                    contacts: &contacts,
                    from,
                    to: to + TimeDelta::microseconds(1),
                    ignored: &ids,
                    now,
                };
                let availability = load::to_book(tx, &query).await?;
                if availability.services.len() != wanted_services.len() {
                    Err(Problem::internal())?;
                }
                kinds.push(availability);
                services.push(wanted_services);
                kinds.len() - 1
            }
        };
        let id = wanted.appointment.id;
        let claims = claims.iter().filter(|claim| claim.owner_id == id).cloned().collect();
        candidates.push(Candidate { wanted, claims, kind });
    }
    let shift = Shift { kinds, candidates, policy: how.policy, seat_seed: how.seat_seed };
    Ok(computing::inside(tx, true, move |deadline| Ok(shift.plan(deadline)?)).await?)
}
