//! Booking: an organization with a service, a provider and a contact.

use std::{sync::mpsc, thread::available_parallelism};

use appointd::http::{computing, problem::Failure};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Actor, Answer, Tenant, merged, system};

pub const APPOINTMENTS: &str = "/api/v1/appointments";

/// An organization in which appointments can be booked.
pub struct BookingFixture {
    pub tenant: Tenant,
    /// Takes 30 minutes, and starts every 15.
    pub service: String,
    pub provider: String,
    pub contact: String,
}

/// All computing threads that an organization may use at once, taken.
pub struct ThreadsTaken {
    free: Vec<mpsc::Sender<()>>,
    busy: Vec<tokio::task::JoinHandle<Result<bool, Failure>>>,
}

impl ThreadsTaken {
    pub fn of(organization: Uuid) -> Self {
        let share = available_parallelism().map_or(2, usize::from).max(2) / 2;
        let (mut free, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..share {
            let (sender, receiver) = mpsc::channel::<()>();
            free.push(sender);
            let place = computing::place_inside(organization);
            busy.push(tokio::spawn(place.compute(move |_| Ok(receiver.recv().is_ok()))));
        }
        Self { free, busy }
    }

    pub async fn free(self) {
        drop(self.free);
        for busy in self.busy {
            busy.await.expect("a thread").expect("a result");
        }
    }
}

impl BookingFixture {
    pub async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// Its service has these rules.
    pub async fn with(rules: Value) -> Self {
        let tenant = Tenant::new().await;
        let service = json!({ "name": "Service", "duration_minutes": 30, "slot_step_minutes": 15 });
        let service = tenant.service_with(merged(service, &rules)).await;
        let (provider, contact) = (tenant.provider().await, tenant.contact().await);
        Self { tenant, service, provider, contact }
    }

    /// What books the service for the contact.
    pub fn body(&self, start: &str) -> Value {
        json!({ "service_id": self.service, "contact_id": self.contact, "starts_at": start })
    }

    /// What books the service for the customer who sends it.
    pub fn own_body(&self, start: &str) -> Value {
        json!({ "service_id": self.service, "starts_at": start })
    }

    pub async fn book(&self, start: &str) -> String {
        self.try_book(start).await.created()
    }

    /// Books for a new contact, or is refused.
    pub async fn seat(&self, start: &str) -> Answer {
        let mut body = self.own_body(start);
        body["contact"] = json!({ "first_name": "New", "last_name": "One" });
        self.tenant.staff.post(APPOINTMENTS, body).await
    }

    /// Books, or is refused.
    pub async fn try_book(&self, start: &str) -> Answer {
        self.tenant.staff.post(APPOINTMENTS, self.body(start)).await
    }

    pub async fn act(&self, id: &str, action: &str, body: Value) -> Answer {
        self.tenant.staff.post(&format!("{APPOINTMENTS}/{id}/{action}"), body).await
    }

    pub async fn get(&self, id: &str) -> Value {
        self.tenant.viewer.get(&format!("{APPOINTMENTS}/{id}")).await.expect(200)
    }

    pub async fn hold(&self, start: &str) -> Answer {
        self.tenant.staff.post("/api/v1/holds", self.own_body(start)).await
    }

    /// The customer of the organization, whose contact is the one of the fixture.
    pub async fn customer(&self) -> Actor {
        self.tenant.link_contact(&self.contact, self.tenant.customer.account).await;
        self.tenant.customer.clone()
    }

    /// Moves an appointment in time, as only waiting could: with all it takes, past every rule.
    pub async fn shift(&self, id: &str, starts_at: DateTime<Utc>) {
        let id: Uuid = id.parse().expect("an id");
        let superuser = system().superuser().await;
        for sql in [
            "update scheduling.shared_claims as s
             set
                 starts_at = s.starts_at + ($2::timestamptz - a.starts_at),
                 ends_at = s.ends_at + ($2::timestamptz - a.starts_at)
             from scheduling.claims as c, scheduling.appointments as a
             where a.id = $1 and c.appointment_id = a.id and s.claim_id = c.id",
            "update scheduling.claims as c
             set
                 starts_at = c.starts_at + ($2::timestamptz - a.starts_at),
                 ends_at = c.ends_at + ($2::timestamptz - a.starts_at),
                 service_starts_at = c.service_starts_at + ($2::timestamptz - a.starts_at)
             from scheduling.appointments as a
             where a.id = $1 and c.appointment_id = a.id",
            "update scheduling.appointment_segments as g
             set
                 starts_at = g.starts_at + ($2::timestamptz - a.starts_at),
                 ends_at = g.ends_at + ($2::timestamptz - a.starts_at)
             from scheduling.appointments as a
             where a.id = $1 and g.appointment_id = a.id",
            "update scheduling.appointments
             set starts_at = $2::timestamptz, ends_at = ends_at + ($2::timestamptz - starts_at)
             where id = $1",
        ] {
            superuser.execute(sql, &[&id, &starts_at]).await.expect("another time");
        }
    }

    /// Lets a hold expire, as only waiting could.
    pub async fn expire(&self, hold: &str) {
        let id: Uuid = hold.parse().expect("an id");
        let superuser = system().superuser().await;
        for sql in [
            "update scheduling.holds set expires_at = now() - interval '1 second' where id = $1",
            "update scheduling.claims set expires_at = now() - interval '1 second'
             where hold_id = $1 and expires_at is not null",
        ] {
            superuser.execute(sql, &[&id]).await.expect("an expiry");
        }
    }
}

/// Runs `sql/audit/bookings.sql` about one organization: those of other tests may be broken on purpose.
pub async fn expect_sound_bookings(tenant: &Tenant) {
    let audit = include_str!("../../../sql/audit/bookings.sql");
    let sql = format!("select finding, id from ({audit}) as f where tenant_id = $1");
    let rows = system().superuser().await.query(&sql, &[&tenant.id]).await.expect("an audit");
    let findings: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, Uuid>(1))).collect();
    assert_eq!(findings, Vec::<String>::new());
}

/// Inserts so many holds that expire then, without claims, all in one transaction.
pub async fn insert_holds(holds: &[(&BookingFixture, u32, &str)]) {
    let insert = |(fixture, count, expires): &(&BookingFixture, u32, &str)| {
        format!(
            "insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
             select '{}', gen_random_uuid(), '{}', '{}', '2032-01-01T00:00Z', '2032-01-01T00:30Z', {expires}
             from generate_series(1, {count});",
            fixture.tenant.id, fixture.service, fixture.provider
        )
    };
    let inserts: String = holds.iter().map(insert).collect();
    system().superuser().await.batch_execute(&format!("begin; {inserts} commit")).await.expect("holds");
}
