//! Some weeks of appointments and what became of them. The past ones were booked in the past, which is why the clock is
//! passed in everywhere.

use chrono::{DateTime, Datelike as _, Days, TimeDelta, Utc, Weekday};
use uuid::Uuid;

use super::{
    data::CONTACTS,
    loaded::{Error, Loaded},
};
use crate::{
    db::Db,
    http::{if_match::Precondition, problem::Failure, values::Instant},
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{
            appointment::{Appointment, AppointmentAction, AppointmentStatus},
            appointments::NewAppointment,
            book::{self, Who},
            transitions::{TransitionRequest, transition},
            waitlist::{self, NewEntry},
        },
        hours::wall_time,
        slots::{
            availability::Enforcement,
            listing::{People, Slot},
            load::{self, AvailabilityQuery},
        },
    },
    sql,
};

const WEEKS_BEHIND: u64 = 2;
const WEEKS_AHEAD: u64 = 3;
/// How many appointments of a service are tried for each provider and week.
const A_WEEK: usize = 4;

/// Closes the organization for a day, and has a provider away for three, before anything is booked.
pub(super) async fn absences(db: &Db, loaded: &Loaded, now: DateTime<Utc>) -> Result<(), Error> {
    let today = wall_time::date(loaded.zone.0, now);
    let midweek = |from: u64| {
        let mut days = (from..from + 7).map(|days| today + Days::new(days));
        days.find(|date| date.weekday() == Weekday::Wed).unwrap_or(today)
    };
    if let Some(name) = loaded.demo.closure {
        let date = midweek(8);
        let sql = sql!("scheduling/closures_create.sql");
        db.one(loaded.context, sql, &[&Uuid::now_v7(), &date, &date, &name]).await?;
    }
    for (provider, id) in loaded.demo.providers.iter().zip(&loaded.providers) {
        if provider.is_away {
            let at = |date| wall_time::instant(loaded.zone.0, date, 0);
            let first = midweek(1);
            let (from, to) = (at(first), at(first + Days::new(3)));
            db.one(
                loaded.context,
                sql!("scheduling/time_off_create.sql"),
                &[&Uuid::now_v7(), id, &from, &to],
            )
            .await?;
        }
    }
    Ok(())
}

/// Books, and has what is past run its course.
pub(super) async fn load(db: &Db, loaded: &Loaded, now: DateTime<Utc>) -> Result<(), Error> {
    let mut calendar = Calendar { db, loaded, now, draw: 0, booked: Vec::new() };
    let services = || loaded.demo.services.iter().zip(&loaded.services);
    // First, while all participants and the provider have time.
    for (service, id) in services().filter(|(service, _)| service.seats > 1) {
        calendar.classes(*id, service.seats as usize).await?;
    }
    for (_, id) in services().filter(|(service, _)| service.seats == 1) {
        calendar.weeks(*id).await?;
    }
    calendar.run_its_course().await
}

struct Calendar<'a> {
    db: &'a Db,
    loaded: &'a Loaded,
    now: DateTime<Utc>,
    draw: u64,
    booked: Vec<Appointment>,
}

impl Calendar<'_> {
    /// Any sequence will do, as long as it is the same on every machine.
    fn pick(&mut self, below: usize) -> usize {
        self.draw += 1;
        (self.draw.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % below.max(1)
    }

    /// The free slots of a service in a week, as they were at its beginning.
    async fn slots(&self, service: Uuid, from: DateTime<Utc>) -> Result<Vec<Slot>, Error> {
        let to = from + Days::new(7);
        let services = [service];
        let query = AvailabilityQuery {
            services: &services,
            providers: &[],
            contacts: &[],
            from,
            to,
            ignored: &[],
            now: from,
        };
        let mut tx = self.db.begin(self.loaded.context);
        let availability = load::to_list(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(availability.slots(from, to, People::default(), availability.zone, false).unwrap_or_default())
    }

    async fn weeks(&mut self, service: Uuid) -> Result<(), Error> {
        for week in 0..WEEKS_BEHIND + WEEKS_AHEAD {
            let from = self.now - Days::new(7 * WEEKS_BEHIND) + Days::new(7 * week);
            let slots = self.slots(service, from).await?;
            for provider in &self.loaded.providers {
                let free = slots.iter().filter(|slot| slot.provider_ids.contains(provider));
                let starts: Vec<_> = free.map(|slot| slot.starts_at).collect();
                for _ in 0..starts.len().min(A_WEEK) {
                    let start = starts[self.pick(starts.len())];
                    let contact = self.pick(CONTACTS.len());
                    self.book(service, *provider, start, contact).await?;
                }
            }
        }
        Ok(())
    }

    /// Three group sessions: one that was given, one with free seats, and a full one that a contact waits for.
    async fn classes(&mut self, service: Uuid, seats: usize) -> Result<(), Error> {
        for (days, participants) in [(-6, seats - 1), (2, seats / 2), (6, seats)] {
            let from = self.now + TimeDelta::days(days);
            let slots = self.slots(service, from).await?;
            let Some(slot) = slots.first() else {
                continue;
            };
            for contact in 0..participants {
                self.book(service, slot.provider_ids[0], slot.starts_at, contact).await?;
            }
            if participants == seats {
                let entry = NewEntry {
                    id: Uuid::now_v7(),
                    service,
                    provider: None,
                    period: (slot.starts_at, slot.starts_at + TimeDelta::minutes(1)),
                    who: Who::Known(self.loaded.contacts[seats]),
                    guest: None,
                    policy: Enforcement::ClaimsOnly,
                };
                let (mailer, once) = (Mailer::nowhere(), Once::without_key());
                waitlist::join(self.db, &mailer, self.loaded.context, &entry, &once).await?;
            }
        }
        Ok(())
    }

    /// Books a day before the start, or not if that is taken.
    async fn book(
        &mut self,
        service: Uuid,
        provider: Uuid,
        starts_at: DateTime<Utc>,
        contact: usize,
    ) -> Result<(), Error> {
        let new = NewAppointment {
            service_id: service,
            provider_id: Some(provider),
            starts_at: Instant(starts_at),
            contact_id: Some(self.loaded.contacts[contact]),
            contact: None,
            and_then: None,
            note: None,
            override_rules: false,
            external_id: None,
            metadata: None,
        };
        let order = new.order().map_err(Failure::from)?;
        let booked_at = starts_at - TimeDelta::days(1);
        let (mailer, once) = (Mailer::nowhere(), Once::without_key());
        match book::book(self.db, &mailer, self.loaded.context, &order, &once, booked_at).await {
            Ok(appointment) => {
                self.booked.push(appointment);
                Ok(())
            }
            // The same start drawn twice, the same contact for two at once, or the person is booked elsewhere.
            Err(Failure::Problem(problem))
                if ["slot_unavailable", "contact_busy", "already_booked"].contains(&problem.code) =>
            {
                Ok(())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// What has begun was approved if it had to be, and was given, called off or missed; or it is going on.
    async fn run_its_course(mut self) -> Result<(), Error> {
        use AppointmentAction::{Cancel, CheckIn, Complete, Confirm, NoShow, Start};
        for appointment in std::mem::take(&mut self.booked) {
            let Appointment { id, status, starts_at, ends_at, .. } = appointment;
            if starts_at > self.now {
                continue;
            }
            let day_before = starts_at - TimeDelta::hours(20);
            if status == AppointmentStatus::Pending {
                self.take(id, Confirm, None, day_before).await?;
            }
            let late = (starts_at + TimeDelta::minutes(10)).min(self.now);
            match self.pick(10) {
                0 => self.take(id, Cancel, Some("The customer is ill."), day_before).await?,
                1 => self.take(id, NoShow, None, late).await?,
                _ => {
                    self.take(id, CheckIn, None, starts_at).await?;
                    let (action, at) =
                        if ends_at <= self.now { (Complete, ends_at) } else { (Start, starts_at) };
                    self.take(id, action, None, at).await?;
                }
            }
        }
        Ok(())
    }

    async fn take(
        &self,
        appointment: Uuid,
        action: AppointmentAction,
        reason: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (following, precondition) = (false, &Precondition::none());
        let done = TransitionRequest { action, reason, following, precondition };
        let once = Once::without_key();
        transition(self.db, &Mailer::nowhere(), self.loaded.context, appointment, done, &once, at).await?;
        Ok(())
    }
}
