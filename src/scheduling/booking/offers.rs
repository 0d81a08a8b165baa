//! Offers freed time to the waitlist. In the order of the entries, it searches a start that can be booked and uses the
//! freed time; each entry found gets a hold with a deadline.
//!
//! A transaction that frees the time of an appointment or hold has four steps: [`Queue::read`] (find the entries),
//! [`Locks`] (lock everything at once), free the time, [`Queue::offer`]. Time freed in other ways (hours, closures,
//! rules of a service, deleted contacts), and time that one transaction cannot finish, is recorded in
//! `scheduling.freed_time` by the database and offered by [`expiry`](super::expiry) some seconds later.

use std::{collections::BTreeSet, slice};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    freed::{FreedTime, Need, NotedTime, Waiting},
    hold::{self, HeldTime},
    transaction::Locks,
};
use crate::{
    db::{Pass, Tx, row},
    http::{
        computing::{self, Deadline},
        problem::Failure,
        values::TimeZone,
    },
    messaging::{
        letters::{Item, Offered, Place},
        mail::Mailer,
    },
    scheduling::slots::{
        availability::{Allocation, Availability, Enforcement, Provider, StartRequest},
        choose::best,
        load::{self, AvailabilityQuery},
        setback::Setback,
    },
    sql,
};

/// The maximum number of entries that one transaction tries. The sweep continues with the next.
const MOST_ENTRIES: usize = 20;

/// The maximum number of rows of freed time that one transaction reads.
pub(super) const MOST_NOTES: i64 = 500;

/// The maximum period of one search.
const LONGEST_LOOK: TimeDelta = TimeDelta::days(31);

/// A buffer before a start is at most half a day, and an appointment with its buffers a day.
const REACH_BEFORE: TimeDelta = TimeDelta::hours(24);

const REACH_AFTER: TimeDelta = TimeDelta::hours(12);

/// Limits are per day and week.
const WEEK: TimeDelta = TimeDelta::days(7);

/// An entry that was offered time, with the content of its e-mail.
#[derive(Debug)]
pub struct Notice {
    entry: Uuid,
    /// Of the entry, for the guest's link.
    proof: Pass,
    email: Option<String>,
    service: String,
    provider: String,
    place: Place,
    starts_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(Debug)]
struct OfferNotice {
    tenant_id: Uuid,
    email: Option<String>,
    service_name: String,
    provider_name: String,
    organization_name: String,
    time_zone: TimeZone,
    proof: Option<Vec<u8>>,
}

row! {
    OfferNotice { tenant_id, email, service_name, provider_name, organization_name, time_zone, proof }
}

/// Entries that may match freed time, in their order.
pub struct Queue {
    entries: Vec<Waiting>,
    /// Whether more entries follow.
    more: bool,
}

impl Queue {
    /// Reads the entries that may match time that will be freed. Call it before taking the locks.
    pub async fn read(tx: &mut Tx, times: &[(DateTime<Utc>, DateTime<Utc>)]) -> Result<Self, Failure> {
        Self::after(tx, times, DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()).await
    }

    pub(super) async fn after(
        tx: &mut Tx,
        times: &[(DateTime<Utc>, DateTime<Utc>)],
        created_at: DateTime<Utc>,
        id: Uuid,
    ) -> Result<Self, Failure> {
        // Limits an infinite end to an instant after every entry.
        let far = Utc::now() + TimeDelta::days(10 * 366);
        let (starts, ends): (Vec<_>, Vec<_>) = times.iter().map(|(from, to)| (*from, (*to).min(far))).unzip();
        let most = i32::try_from(MOST_ENTRIES + 1).unwrap_or(i32::MAX);
        tx.all(sql!("scheduling/waitlist_guard.sql"), &[]).await?;
        let sql = sql!("scheduling/waitlist_waiting.sql" as Waiting);
        let mut entries = tx.all(sql, &[&starts, &ends, &created_at, &id, &most]).await?;
        let more = entries.len() > MOST_ENTRIES;
        entries.truncate(MOST_ENTRIES);
        Ok(Self { entries, more })
    }

    /// Adds the locks that offering needs.
    pub fn add_to(&self, mut locks: Locks) -> Locks {
        for entry in &self.entries {
            locks.services.push(entry.service);
            locks.resources.push(entry.contact);
            match entry.provider {
                Some(provider) => locks.resources.push(provider),
                None => locks.any_provider = true,
            }
        }
        locks
    }

    /// Offers the time that this transaction has freed. Must be its last step, because it continues as the scheduler.
    pub async fn offer(&self, tx: &mut Tx, now: DateTime<Utc>) -> Result<Vec<Notice>, Setback> {
        if self.entries.is_empty() {
            return Ok(Vec::new());
        }
        tx.all(sql!("app/become_scheduler.sql"), &[]).await?;
        let sql = sql!("scheduling/freed_time_take.sql" as NotedTime);
        let noted = tx.all(sql, &[&true, &MOST_NOTES]).await?;
        let freed: Vec<_> = noted.into_iter().map(FreedTime::from).collect();
        self.offer_all(tx, &freed, now).await
    }

    pub(super) async fn offer_all(
        &self,
        tx: &mut Tx,
        freed: &[FreedTime],
        now: DateTime<Utc>,
    ) -> Result<Vec<Notice>, Setback> {
        let mut notices = Vec::new();
        for entry in &self.entries {
            let locked = tx.optional(sql!("scheduling/waitlist_lock.sql"), &[&entry.id]).await?;
            if locked.is_none() {
                continue;
            }
            if let Some(plan) = entry.first_start(tx, freed, now).await? {
                notices.push(hold(tx, entry, &plan, now).await?);
            }
        }
        let ids: Vec<Uuid> = freed.iter().map(|freed| freed.id).collect();
        match self.entries.last().filter(|_| self.more) {
            Some(last) => {
                tx.all(sql!("scheduling/freed_time_continue.sql"), &[&ids, &last.created_at, &last.id])
                    .await?
            }
            None => tx.all(sql!("scheduling/freed_time_clear.sql"), &[&ids]).await?,
        };
        Ok(notices)
    }
}

/// Holds a slot for an entry.
async fn hold(
    tx: &mut Tx,
    entry: &Waiting,
    plan: &Allocation,
    now: DateTime<Utc>,
) -> Result<Notice, Setback> {
    let seconds = offer_seconds(plan.starts_at(), now);
    let hold = hold::insert(tx, Uuid::now_v7(), plan, seconds, false, Some(entry.id)).await?;
    tx.all(sql!("scheduling/waitlist_update.sql"), &[&entry.id, &"offered", &None::<Uuid>, &vec!["waiting"]])
        .await?;
    let sql = sql!("scheduling/offer_notice.sql" as OfferNotice);
    let notice = tx.one(sql, &[&entry.id]).await?;
    let OfferNotice { tenant_id, email, service_name, provider_name, organization_name, time_zone, proof } =
        notice;
    let proof = proof.as_deref().and_then(Pass::read).ok_or_else(|| sql.unreadable("proof"))?;
    Ok(Notice {
        entry: entry.id,
        proof,
        email,
        service: service_name,
        provider: provider_name,
        place: Place { id: tenant_id, organization: organization_name, time_zone },
        starts_at: hold.starts_at,
        expires_at: hold.expires_at,
    })
}

/// The duration of an offer: until the start, but at most an hour and at least a minute.
fn offer_seconds(starts_at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (starts_at - now).clamp(TimeDelta::minutes(1), TimeDelta::hours(1)).num_seconds() as f64
}

impl Waiting {
    /// The best start for the entry: by how it uses the freed time ([`Need`]), then the earliest.
    async fn first_start(
        &self,
        tx: &mut Tx,
        freed: &[FreedTime],
        now: DateTime<Utc>,
    ) -> Result<Option<Allocation>, Setback> {
        let (Some(first), Some(last)) =
            (freed.iter().map(|freed| freed.from).min(), freed.iter().map(|freed| freed.to).max())
        else {
            return Ok(None);
        };
        let own = |from: DateTime<Utc>, to: DateTime<Utc>| (self.from.max(from).max(now), self.to.min(to));
        let near = own(first - REACH_BEFORE, saturating(last, REACH_AFTER));
        let looked = self.look(tx, near, freed, now).await?;
        // If a limit is no longer reached, the whole day or week can be booked again.
        let week = own(first - REACH_BEFORE - WEEK, saturating(last, REACH_AFTER + WEEK));
        let counts = freed.iter().any(|freed| freed.may_count_for(self));
        let may_be_limited = looked.limited || near.0 >= near.1;
        if looked.found.is_none() && may_be_limited && counts && week != near {
            return Ok(self.look(tx, week, freed, now).await?.found.map(|(_, plan)| plan));
        }
        Ok(looked.found.map(|(_, plan)| plan))
    }

    async fn look(
        &self,
        tx: &mut Tx,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        freed: &[FreedTime],
        now: DateTime<Utc>,
    ) -> Result<Looked, Setback> {
        let services = [self.service];
        let mut looked = Looked::default();
        let mut since = from;
        while since < to {
            let until = to.min(since + LONGEST_LOOK);
            let query = AvailabilityQuery {
                services: &services,
                providers: self.provider.as_slice(),
                contacts: slice::from_ref(&self.contact),
                from: since,
                to: until,
                ignored: &[],
                now,
            };
            let availability = load::to_book(tx, &query).await?;
            if !availability.services.iter().any(|rules| rules.active) {
                break;
            }
            looked.limited = availability.has_limits();
            let (entry, freed) = (self.clone(), freed.to_vec());
            let found = computing::inside(tx, true, move |deadline| {
                Ok(entry.search(&availability, since, until, &freed, deadline))
            });
            looked.keep(found.await?);
            if matches!(looked.found, Some((Need::Start, _))) {
                break;
            }
            since = until;
        }
        Ok(looked)
    }

    /// The best start in a period, or the best found before the deadline: freeing time must not fail because the search
    /// is expensive.
    fn search(
        &self,
        availability: &Availability,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        freed: &[FreedTime],
        deadline: &Deadline,
    ) -> Option<(Need, Allocation)> {
        let candidates: Vec<&Provider> = availability
            .candidates()
            .filter(|provider| self.provider.is_none_or(|wanted| wanted == provider.id))
            .collect();
        let starts: BTreeSet<DateTime<Utc>> =
            candidates.iter().flat_map(|provider| availability.starts(provider, from, to)).collect();
        let mut looked = Looked::default();
        for start in starts {
            if deadline.check().is_err() {
                break;
            }
            let request = StartRequest {
                start,
                with: self.provider,
                contact: Some(self.contact),
                policy: Enforcement::Full,
                seat_seed: 0,
            };
            let mut plans: Vec<(Need, &Provider, Allocation)> = candidates
                .iter()
                .filter_map(|provider| {
                    let plan = availability.plan(provider, request).ok()?;
                    let needs = freed.iter().filter_map(|freed| freed.is_needed(self, &plan, availability));
                    Some((needs.min()?, *provider, plan))
                })
                .collect();
            if let Some(need) = plans.iter().map(|(need, ..)| *need).min() {
                plans.retain(|(other, ..)| *other == need);
                let plans = plans.into_iter().map(|(_, provider, plan)| (provider, plan));
                looked.keep(best(availability, start, plans).map(|plan| (need, plan)));
            }
            if matches!(looked.found, Some((Need::Start, _))) {
                break;
            }
        }
        looked.found
    }
}

#[derive(Default)]
struct Looked {
    found: Option<(Need, Allocation)>,
    /// Whether the service or a provider has a limit.
    limited: bool,
}

impl Looked {
    fn keep(&mut self, other: Option<(Need, Allocation)>) {
        if let Some((need, plan)) = other
            && self.found.as_ref().is_none_or(|(found, _)| need < *found)
        {
            self.found = Some((need, plan));
        }
    }
}

fn saturating(instant: DateTime<Utc>, more: TimeDelta) -> DateTime<Utc> {
    instant.checked_add_signed(more).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Removes holds whose rows are locked, and offers their time. Entries that they were offered to get the given status.
pub(super) async fn free_holds(
    tx: &mut Tx,
    holds: &[HeldTime],
    status: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Notice>, Setback> {
    let times: Vec<_> = holds.iter().map(|hold| (hold.starts_at, hold.ends_at)).collect();
    let queue = Queue::read(tx, &times).await?;
    let locks = Locks { holds: holds.iter().map(|hold| hold.id).collect(), ..Locks::default() };
    let locks = queue.add_to(locks);
    locks.take(tx).await?;
    tx.all(sql!("scheduling/holds_remove.sql"), &[&locks.holds, &status]).await?;
    queue.offer(tx, now).await
}

/// Sends e-mails to the entries that have an address.
pub fn tell(mailer: &Mailer, notices: &[Notice]) {
    for notice in notices {
        let Some(email) = &notice.email else {
            continue;
        };
        let Some(link) = mailer.managing_link("waitlist-entry", notice.place.id, notice.entry, notice.proof)
        else {
            tracing::error!(tenant = %notice.place.id, "an offer was not mailed: nothing signs links here");
            continue;
        };
        let Notice { service, provider, place, starts_at, expires_at, .. } = notice;
        let item = Item { service, provider, starts_at: *starts_at };
        mailer.send(Offered { place, item, expires_at: *expires_at, link: &link }.to(email));
    }
}
