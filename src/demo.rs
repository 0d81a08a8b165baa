//! The demo data of `appointd dev`: three organizations of different trades in different time zones. Created by the
//! functions and statements that serve requests, so it contains only what requests can create.

mod bookings;
mod data;
mod loaded;
mod tasks;

use std::{collections::HashMap, net::IpAddr};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crm::contacts::{self, NewContact},
    db::{Context, Db, FrontDoor, Params, Person, Who},
    http::{
        if_match::IfMatch,
        secret::{OneTime, Refresh, Secret},
        values::TimeZone,
    },
    identity::{
        accounts::{self, Registration},
        passwords,
        sign_in::AccountToSignIn,
    },
    operations::idempotency::Once,
    scheduling::{
        catalog::{
            providers::{self, NewProvider},
            service::NewService,
            services,
        },
        hours::{schedule::Schedule, schedules},
    },
    sql,
    tenancy::{
        invitation_acceptance,
        invitations::{self, NewInvitation},
    },
};

use loaded::Loaded;

pub use data::{CONTACTS, DEMOS, Demo, SignIn};
pub use loaded::Error;

/// The lifetime of the sessions that loading uses, in seconds.
const SESSION_SECONDS: f64 = 86_400.0;

/// Loads all demo data. No person is told about it, until [`notify`] is called for the organizations, which it returns.
pub async fn load(db: &Db, door: &FrontDoor, now: DateTime<Utc>) -> Result<Vec<Context>, Error> {
    let mut people = HashMap::new();
    let mut organizations = Vec::new();
    for demo in &DEMOS {
        organizations.push(organization(db, door, demo, &mut people, now).await?);
    }
    // A person is booked by one organization at a time once they are known in both.
    for loaded in &organizations {
        link_people(db, door, loaded, &people).await?;
    }
    for loaded in &organizations {
        bookings::load(db, loaded, now).await?;
        let colleague = loaded.demo.sign_ins[1..].iter().find(|person| person.role != "customer");
        let colleague = colleague.and_then(|person| people.get(person.email).copied());
        tasks::load(db, loaded, colleague, now).await?;
    }
    Ok(organizations.iter().map(|loaded| loaded.context).collect())
}

/// From now on customers get e-mails.
pub async fn notify(db: &Db, organizations: &[Context]) -> Result<(), Error> {
    for context in organizations {
        settings(db, *context, None, true).await?;
    }
    Ok(())
}

/// Accounts by e-mail address.
type People = HashMap<&'static str, Uuid>;

async fn organization(
    db: &Db,
    door: &FrontDoor,
    demo: &'static Demo,
    people: &mut People,
    now: DateTime<Utc>,
) -> Result<Loaded, Error> {
    let zone = TimeZone::parse(demo.time_zone).map_err(Error)?;
    let context = found(db, door, demo, people).await?;
    let contacts = contacts(db, context).await?;
    for person in &demo.sign_ins[1..] {
        join(db, door, context, person, &contacts, people).await?;
    }
    let mut resources = HashMap::new();
    for resource in demo.resources {
        let id = Uuid::now_v7();
        let params: Params = &[&id, &resource.kind, &resource.name];
        db.one(context, sql!("scheduling/resources_create.sql"), params).await?;
        resources.insert(resource.name, id);
    }
    let rules: Vec<_> = demo
        .weekdays
        .iter()
        .flat_map(|weekday| {
            demo.hours.iter().map(move |(from, to)| json!({ "weekday": weekday, "from": from, "to": to }))
        })
        .collect();
    let schedule: Schedule = example(json!({ "time_zone": demo.time_zone, "rules": rules }))?;
    let mut providers = Vec::new();
    for provider in demo.providers {
        let account = provider.email.and_then(|email| people.get(email));
        let new: NewProvider = example(json!({ "name": provider.name, "account_id": account }))?;
        let id = providers::create(db, context, &new, &Once::without_key()).await?.id;
        schedules::set(db, context, id, &schedule, &IfMatch::absent()).await?;
        providers.push(id);
    }
    let mut services = Vec::new();
    for service in demo.services {
        let performers = demo.providers.iter().zip(&providers);
        let performers: Vec<_> = performers
            .filter(|(provider, _)| service.providers.contains(&provider.name))
            .map(|(_, id)| id)
            .collect();
        let needs: Vec<_> = service.needs.iter().filter_map(|name| resources.get(name)).collect();
        let new: NewService = example(json!({
            "name": service.name,
            "duration_minutes": service.minutes,
            "slot_step_minutes": service.step,
            "price_amount": service.price,
            "price_currency": demo.currency,
            "capacity": service.seats,
            "requires_approval": service.requires_approval,
            "provider_ids": performers,
            "required_resources": if needs.is_empty() { json!([]) } else { json!([needs]) },
        }))?;
        services.push(services::create(db, context, &new, &Once::without_key()).await?.id);
    }
    let loaded = Loaded { demo, context, zone, contacts, services, providers };
    bookings::absences(db, &loaded, now).await?;
    Ok(loaded)
}

/// Registers the owner with the organization.
async fn found(db: &Db, door: &FrontDoor, demo: &Demo, people: &mut People) -> Result<Context, Error> {
    let owner = &demo.sign_ins[0];
    let registration: Registration = example(json!({
        "email": owner.email,
        "password": owner.password,
        "full_name": owner.name,
        "organization_name": demo.organization,
        "organization_slug": demo.slug,
        "time_zone": demo.time_zone,
    }))?;
    let (account, tenant) = accounts::register(door, &registration, &hash(owner)?).await?;
    people.insert(owner.email, account);
    let context = enter(door, account, tenant).await?;
    verify(db, door, context, owner.email).await?;
    db.one(
        context,
        sql!("tenancy/organizations_update.sql"),
        &[&None::<&str>, &None::<&str>, &None::<&str>, &true, &Some(demo.slug)],
    )
    .await?;
    db.all(context, sql!("tenancy/subscriptions_update.sql"), &[&demo.plan_type, &Vec::<String>::new()])
        .await?;
    // What is loaded is not told to the people in it.
    settings(db, context, Some(demo.exclusive_members), false).await?;
    Ok(context)
}

/// Changes whether members belong to other organizations, if it is said, and whether customers get e-mails. They are
/// reminded a day and two hours ahead.
async fn settings(
    db: &Db,
    context: Context,
    exclusive_members: Option<bool>,
    notifies: bool,
) -> Result<(), Error> {
    let (text, flag, number) = (None::<&str>, None::<bool>, None::<i32>);
    let params: Params = &[
        &text,
        &text,
        &text,
        &Some(notifies),
        &flag,
        &flag,
        &number,
        &flag,
        &exclusive_members,
        &None::<Vec<String>>,
        &number,
        &number,
        &number,
        &flag,
        &Some(vec![1440, 120]),
        &false,
        &number,
        &false,
        &text,
    ];
    db.one(context, sql!("tenancy/settings_update.sql"), params).await?;
    Ok(())
}

fn hash(person: &SignIn) -> Result<String, Error> {
    passwords::hash(person.password).ok_or_else(|| Error("hashing failed".to_owned()))
}

async fn contacts(db: &Db, context: Context) -> Result<Vec<Uuid>, Error> {
    let mut tx = db.begin(context);
    let mut ids = Vec::new();
    for (first_name, last_name) in CONTACTS {
        let email = format!("{first_name}.{last_name}@example.com").to_lowercase();
        let new: NewContact =
            example(json!({ "first_name": first_name, "last_name": last_name, "email": email }))?;
        ids.push(contacts::create(&mut tx, &new).await?);
    }
    tx.commit().await?;
    Ok(ids)
}

/// Invites a person, who accepts: with the account they have, or a new one.
async fn join(
    db: &Db,
    door: &FrontDoor,
    context: Context,
    person: &'static SignIn,
    contacts: &[Uuid],
    people: &mut People,
) -> Result<(), Error> {
    let known = CONTACTS.iter().zip(contacts).find(|((first_name, last_name), _)| {
        person.email == format!("{first_name}.{last_name}@example.com").to_lowercase()
    });
    let contact = known.map(|(_, id)| id).filter(|_| person.role == "customer");
    let invitation: NewInvitation =
        example(json!({ "email": person.email, "role": person.role, "contact_id": contact }))?;
    let (_, to_send) = invitations::invite(db, context, &invitation, &Once::without_key()).await?;
    let Some((_, _, token)) = to_send else {
        return Ok(());
    };
    match people.get(person.email) {
        Some(account) => invitation_acceptance::accept(door, &token, *account, None, None).await?,
        None => {
            let account = Uuid::now_v7();
            let hash = hash(person)?;
            invitation_acceptance::accept(door, &token, account, Some(person.name), Some(&hash)).await?;
            people.insert(person.email, account);
        }
    }
    Ok(())
}

/// Has the people of providers with a sign-in accept that they are these providers.
async fn link_people(db: &Db, door: &FrontDoor, loaded: &Loaded, people: &People) -> Result<(), Error> {
    for (provider, id) in loaded.demo.providers.iter().zip(&loaded.providers) {
        let Some(account) = provider.email.and_then(|email| people.get(email)) else {
            continue;
        };
        let context = enter(door, *account, loaded.context.tenant).await?;
        let sql = sql!("scheduling/provider_links_accept.sql");
        db.one(person(context)?, sql, &[&loaded.context.tenant, id]).await?;
    }
    Ok(())
}

/// Verifies the e-mail address of an owner, which is required for invitations. No e-mail is sent here.
async fn verify(db: &Db, door: &FrontDoor, context: Context, email: &str) -> Result<(), Error> {
    let person = person(context)?;
    let token = Secret::<OneTime>::draw(person.account, person.account);
    db.one(person, sql!("identity/tokens_add.sql"), &[&&token.hash()[..], &email, &3600f64]).await?;
    door.one(person, sql!("identity/accounts_verify_email.sql"), &[&person.session, &&token.hash()[..]])
        .await?;
    Ok(())
}

fn person(context: Context) -> Result<Person, Error> {
    match context.who {
        Who::Session { account, session, secret } => Ok(Person { account, session, secret }),
        _ => Err(Error("only people sign in".to_owned())),
    }
}

/// A session of a member, entered as the owner of its organization where the account is that.
async fn enter(door: &FrontDoor, account: Uuid, tenant: Uuid) -> Result<Context, Error> {
    let session = Uuid::now_v7();
    let secret = Secret::<Refresh>::draw(account, session).of_session();
    let address = IpAddr::from([127, 0, 0, 1]);
    door.gate(
        sql!("identity/sessions_start.sql"),
        &[
            &account,
            &session,
            &Some(tenant),
            &"cookie",
            &&secret.hash()[..],
            &None::<&[u8]>,
            &SESSION_SECONDS,
            &Some("appointd dev"),
            &address,
            &None::<&str>,
            &None::<&str>,
            &None::<i64>,
            &None::<&[u8]>,
        ],
    )
    .await?;
    Ok(Context { tenant, who: Who::Session { account, session, secret }, needs: "owner", feature: None })
}

/// A context for the first demo organization; `None` if it was changed so that its owner cannot enter.
pub async fn enter_first(door: &FrontDoor) -> Result<Option<Context>, Error> {
    let address = IpAddr::from([127, 0, 0, 1]);
    let sql = sql!("identity/accounts_sign_in.sql" as AccountToSignIn);
    let AccountToSignIn { account_id, memberships, .. } =
        door.gate(sql, &[&DEMOS[0].sign_ins[0].email, &address]).await?;
    let tenant = memberships.iter().flatten().next().map(|membership| membership.organization_id);
    match account_id.zip(tenant) {
        Some((account, tenant)) => Ok(Some(enter(door, account, tenant).await?)),
        None => Ok(None),
    }
}

fn example<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error(error.to_string()))
}
