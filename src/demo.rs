//! The demo data of `appointd dev`: three organizations of different trades in different time zones. Created by the
//! functions that serve requests, so it contains only what requests can create.

use std::net::IpAddr;

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crm::contacts::NewContact,
    db::{Context, Db, Person, Who},
    http::{
        problem::{Failure, Problem},
        secret::{OneTime, Secret},
        values::Instant,
    },
    identity::{
        accounts::{self, Registration},
        passwords,
    },
    messaging::mail::Mailer,
    scheduling::{
        booking::{appointments::NewAppointment, book},
        catalog::{
            providers::{self, NewProvider},
            service::NewService,
            services,
        },
        hours::{schedule::Schedule, schedules},
        slots::{
            listing::People,
            load::{self, AvailabilityQuery},
        },
    },
    sql,
    tenancy::{
        invitation_acceptance,
        invitations::{self, NewInvitation},
    },
};

/// A demo organization and its sign-ins.
pub struct Demo {
    pub organization: &'static str,
    pub slug: &'static str,
    pub trade: &'static str,
    pub time_zone: &'static str,
    pub plan_type: &'static str,
    /// E-mail address, password, name, role. The first is the owner.
    pub sign_ins: &'static [(&'static str, &'static str, &'static str, &'static str)],
    providers: &'static [&'static str],
    /// Name, minutes, step.
    services: &'static [(&'static str, i32, i32)],
    /// From, to.
    hours: &'static [(&'static str, &'static str)],
    weekdays: &'static [&'static str],
}

/// The organizations of the demo.
pub const DEMOS: [Demo; 3] = [
    Demo {
        organization: "Acme Salon",
        slug: "acme",
        trade: "salon",
        time_zone: "America/New_York",
        plan_type: "enterprise",
        sign_ins: &[
            ("admin@acme.com", "admin123", "Alice Acme", "owner"),
            ("member@acme.com", "member123", "Mel Member", "staff"),
        ],
        providers: &["Sofia Marino", "Jonas Berg", "Aiko Tanaka", "Leila Haddad"],
        services: &[("Haircut", 45, 15), ("Colouring", 120, 30), ("Beard trim", 20, 10)],
        hours: &[("09:00", "13:00"), ("14:00", "19:00")],
        weekdays: &["tuesday", "wednesday", "thursday", "friday", "saturday"],
    },
    Demo {
        organization: "TechStart Clinic",
        slug: "techstart",
        trade: "clinic",
        time_zone: "Europe/Berlin",
        plan_type: "pro",
        sign_ins: &[
            ("admin@techstart.com", "admin123", "Theo Start", "owner"),
            ("dev@techstart.com", "dev123", "Devi Start", "staff"),
        ],
        providers: &["Dr. Ngozi Okafor", "Dr. Pavel Novák", "Dr. Ines Silva"],
        services: &[("Consultation", 20, 10), ("Check-up", 40, 20), ("Vaccination", 10, 10)],
        hours: &[("08:00", "12:00"), ("13:00", "16:30")],
        weekdays: &["monday", "tuesday", "wednesday", "thursday", "friday"],
    },
    Demo {
        organization: "Harbour Homes",
        slug: "harbour",
        trade: "estate agency",
        time_zone: "Asia/Singapore",
        plan_type: "basic",
        sign_ins: &[("admin@harbour.com", "admin123", "Hana Harbour", "owner")],
        providers: &["Wei Ling Tan", "Arjun Rao", "Mei Chen"],
        services: &[("Viewing", 30, 30), ("Valuation", 60, 30)],
        hours: &[("10:00", "20:00")],
        weekdays: &["monday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    },
];

const CUSTOMERS: [(&str, &str); 12] = [
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Alan", "Turing"),
    ("Katherine", "Johnson"),
    ("Edsger", "Dijkstra"),
    ("Barbara", "Liskov"),
    ("Donald", "Knuth"),
    ("Radia", "Perlman"),
    ("Tony", "Hoare"),
    ("Frances", "Allen"),
    ("Niklaus", "Wirth"),
    ("Margaret", "Hamilton"),
];

const WEEKS_BEHIND: u64 = 2;
const WEEKS_AHEAD: u64 = 3;

/// Why loading failed, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("the demo data could not be loaded: {0}")]
pub struct Error(String);

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let problem = Problem::from(failure);
        Self(format!("{}: {} {:?}", problem.code, problem.detail, problem.errors))
    }
}

impl From<crate::db::Error> for Error {
    fn from(error: crate::db::Error) -> Self {
        Self(error.to_string())
    }
}

/// Loads all demo data.
pub async fn load(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    for demo in &DEMOS {
        let context = organization(demo, db).await?;
        let mut service_ids = Vec::new();
        for (name, minutes, step) in demo.services {
            let new: NewService = example(json!({
                "name": name, "duration_minutes": minutes, "slot_step_minutes": step,
            }))?;
            service_ids.push(services::create(db, context, &new, None).await?.id);
        }
        for name in demo.providers {
            let new: NewProvider = example(json!({ "name": name }))?;
            let provider = providers::create(db, context, &new, None).await?.id;
            let rules: Vec<_> = demo
                .weekdays
                .iter()
                .flat_map(|weekday| {
                    demo.hours
                        .iter()
                        .map(move |(from, to)| json!({ "weekday": weekday, "from": from, "to": to }))
                })
                .collect();
            let schedule: Schedule = example(json!({ "time_zone": demo.time_zone, "rules": rules }))?;
            schedules::set(db, context, provider, &schedule).await?;
        }
        book(db, context, &service_ids, now).await?;
    }
    Ok(())
}

async fn organization(demo: &Demo, db: &Db) -> Result<Context, Error> {
    let hash = |password| passwords::hash(password).ok_or_else(|| Error("hashing failed".to_owned()));
    let mut people = demo.sign_ins.iter();
    let Some((email, password, name, _)) = people.next() else {
        return Err(Error("an organization needs an owner".to_owned()));
    };
    let registration: Registration = example(json!({
        "email": email,
        "password": password,
        "full_name": name,
        "organization_name": demo.organization,
        "organization_slug": demo.slug,
        "time_zone": demo.time_zone,
    }))?;
    let (account, tenant) = accounts::register(db, &registration, &hash(password)?).await?;
    let context = enter(db, account, tenant).await?;
    verify(db, context, email).await?;
    db.one(
        context,
        sql!("tenancy/organizations_update.sql"),
        &[&None::<&str>, &None::<&str>, &None::<&str>, &true, &Some(demo.slug)],
    )
    .await?;
    db.all(context, sql!("tenancy/subscriptions_update.sql"), &[&demo.plan_type, &Vec::<String>::new()])
        .await?;
    for (email, password, name, role) in people {
        let invitation: NewInvitation = example(json!({ "email": email, "role": role }))?;
        let (_, _, token, _) = invitations::invite(db, context, &invitation, None).await?;
        let hash = hash(password)?;
        invitation_acceptance::accept(db, &token, Uuid::now_v7(), Some(name), Some(&hash)).await?;
    }
    Ok(context)
}

/// Verifies the e-mail address of an owner, which is required for invitations. No e-mail is sent here.
async fn verify(db: &Db, context: Context, email: &str) -> Result<(), Error> {
    let Who::Session { account, session } = context.who else {
        return Err(Error("an owner is a person".to_owned()));
    };
    let (person, token) = (Person { account, session }, Secret::<OneTime>::draw(account, account));
    db.one(person, sql!("identity/tokens_add.sql"), &[&&token.hash()[..], &email, &3600f64]).await?;
    db.one(person, sql!("identity/accounts_verify_email.sql"), &[&session, &&token.hash()[..]]).await?;
    Ok(())
}

/// Starts a session of an owner that expires after an hour.
async fn enter(db: &Db, account: Uuid, tenant: Uuid) -> Result<Context, Error> {
    let session = Uuid::now_v7();
    let address = IpAddr::from([127, 0, 0, 1]);
    db.gate(
        sql!("identity/sessions_start.sql"),
        &[
            &account,
            &session,
            &Some(tenant),
            &"cookie",
            &None::<&[u8]>,
            &3600f64,
            &Some("appointd dev"),
            &address,
            &None::<&str>,
            &None::<&str>,
            &None::<i64>,
            &None::<&[u8]>,
        ],
    )
    .await?;
    Ok(Context { tenant, who: Who::Session { account, session }, needs: "owner", feature: None })
}

/// A context for the first demo organization; `None` if it was changed so that its owner cannot enter.
pub async fn enter_first(db: &Db) -> Result<Option<Context>, Error> {
    let address = IpAddr::from([127, 0, 0, 1]);
    let row = db.gate(sql!("identity/accounts_sign_in.sql"), &[&DEMOS[0].sign_ins[0].0, &address]).await?;
    let (account, memberships): (Option<Uuid>, Option<serde_json::Value>) = (row.get(1), row.get(5));
    let tenant = memberships.and_then(|memberships| memberships[0]["organization_id"].as_str()?.parse().ok());
    match account.zip(tenant) {
        Some((account, tenant)) => Ok(Some(enter(db, account, tenant).await?)),
        None => Ok(None),
    }
}

/// Books some weeks of appointments. Past ones are booked as of the past; this is why functions take the time as an
/// argument.
async fn book(db: &Db, context: Context, services: &[Uuid], now: DateTime<Utc>) -> Result<(), Error> {
    let start = now - Days::new(7 * WEEKS_BEHIND);
    let mut contact_ids = Vec::new();
    // Any sequence works if it is the same on every machine.
    let mut draw = (0u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33);
    let mut pick = move |below: usize| draw.next().map_or(0, |drawn| drawn as usize % below);

    for week in 0..WEEKS_BEHIND + WEEKS_AHEAD {
        let (from, to) = (start + Days::new(7 * week), start + Days::new(7 * (week + 1)));
        for service in services {
            let mut tx = db.begin(context);
            let services = [*service];
            let query = AvailabilityQuery {
                services: &services,
                provider: None,
                contacts: &[],
                from,
                to,
                ignored: &[],
                now: from,
            };
            let availability = load::to_list(&mut tx, &query).await?;
            tx.commit().await?;
            let slots =
                availability.slots(from, to, People::default(), availability.zone, false).unwrap_or_default();
            for provider in &availability.providers {
                let free = slots.iter().filter(|slot| slot.provider_ids.contains(&provider.id));
                let starts: Vec<_> = free.map(|slot| slot.starts_at).collect();
                for _ in 0..starts.len().min(6) {
                    let starts_at = starts[pick(starts.len())];
                    let (first_name, last_name) = CUSTOMERS[pick(CUSTOMERS.len())];
                    let contact: NewContact = example(json!({
                        "first_name": first_name,
                        "last_name": last_name,
                        "email": format!("{first_name}.{last_name}@example.com"),
                    }))?;
                    let known = contact_ids.iter().find(|(name, _)| *name == last_name).map(|(_, id)| *id);
                    let new = NewAppointment {
                        service_id: *service,
                        provider_id: Some(provider.id),
                        starts_at: Instant(starts_at),
                        contact_id: known,
                        contact: known.is_none().then_some(contact),
                        and_then: None,
                        note: None,
                        override_rules: false,
                    };
                    let order = new.order().map_err(Failure::from)?;
                    // Booked a day before it starts.
                    let booked_at = starts_at - TimeDelta::days(1);
                    match book::book(db, &Mailer::nowhere(), context, &order, None, booked_at).await {
                        Ok(appointment) if known.is_none() => {
                            contact_ids.push((last_name, appointment.contact_id));
                        }
                        Ok(_) => {}
                        // The same start was drawn twice, or the same customer for overlapping appointments.
                        Err(Failure::Problem(problem))
                            if ["slot_unavailable", "contact_busy"].contains(&problem.code) => {}
                        Err(failure) => return Err(failure.into()),
                    }
                }
            }
        }
    }
    Ok(())
}

fn example<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error(error.to_string()))
}
