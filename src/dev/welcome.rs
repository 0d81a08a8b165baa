//! What the terminal shows once everything runs: where things are, sign-ins, and lines to paste.

use std::{error::Error, fmt::Write as _, net::SocketAddr};

use uuid::Uuid;

use super::{
    bookable::{Bookable, bookable, objects, written},
    running::Running,
};
use crate::{
    db::{Context, DatabaseUrl, Db, FrontDoor, Who, cluster, migrate},
    demo::{self, DEMOS},
    identity::passwords::Policy,
};

const COUNT: &str = include_str!("../../sql/dev/count.sql");
const ENTER: &str = include_str!("../../sql/dev/enter.sql");

/// The roles of the database; how many appointments each counts, and why.
const ROLES: [(&str, &str); 4] = [
    ("postgres", "The superuser: no policy binds it. It counts those of all organizations."),
    (
        "appointd_owner",
        "The owner of the tables, who migrates. Policies bind it too, and it is refused\n\
         (row_security is off) rather than shown a part: \"would be affected\".",
    ),
    ("appointd_api", "The server. It has entered no organization, so no row is visible: 0."),
    ("appointd_auditor", "`appointd audit`. It reads catalogs and no rows: \"permission denied\"."),
];

pub(super) async fn text(running: &Running) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let host = match running.address {
        address if address.ip().is_unspecified() => {
            SocketAddr::from(([127, 0, 0, 1], address.port())).to_string()
        }
        address => address.to_string(),
    };
    let url = |role: &str| cluster::url(&running.sockets, role, "appointd");
    let psql = cluster::psql();
    writeln!(
        text,
        "
appointd is running at http://{host}
Ctrl-C stops it; its data is kept. In another terminal, `appointd dev --show`
prints this again.

Pages      http://{host}/
API docs   http://{host}/docs
Outbox     http://{outbox} (e-mails, and webhooks to this URL)
E-mails    {mails}

SIGN-INS
",
        outbox = running.outbox,
        mails = running.mails.display()
    )?;
    writeln!(text, "{:<24}  {:<9}  {:<8}  organization", "e-mail", "password", "role")?;
    for demo in &DEMOS {
        for (index, person) in demo.sign_ins.iter().enumerate() {
            let organization = match index {
                0 => format!("{} (slug {})", demo.organization, demo.slug),
                _ => demo.organization.to_owned(),
            };
            writeln!(
                text,
                "{:<24}  {:<9}  {:<8}  {organization}",
                person.email, person.password, person.role
            )?;
        }
    }
    writeln!(
        text,
        "
Here a password needs {} characters and nothing else. `appointd serve` requires
{} that are hard to guess.",
        Policy::Development.shortest(),
        Policy::Strict.shortest()
    )?;
    let database: DatabaseUrl = url("appointd_api").parse()?;
    // For the reason, if it cannot: a pool tells none.
    migrate::connect(&database).await?;
    let db = Db::new(&database, 1);
    let Some(context) = demo::enter_first(&FrontDoor::new(&url("appointd_door").parse()?, 1)).await? else {
        writeln!(text, "\nThe demo data is not as it was. `appointd dev --reset` loads it again.")?;
        return Ok(text);
    };
    let slot = match objects(&db, context).await?.service_id {
        Some(service) => {
            bookable(&db, context, service).await.map_err(|error| -> Box<dyn Error> { error })?
        }
        None => None,
    };
    let books = slot.is_some();
    booking(&mut text, &host, slot)?;
    if books {
        webhook(&mut text, &host, running.outbox)?;
    }
    writeln!(text, "\nONE DATABASE, FOUR ROLES: HOW MANY APPOINTMENTS EACH SEES")?;
    for (role, shows) in ROLES {
        writeln!(text, "\n{shows}\n{psql} '{}' -c '{}'", url(role), statement(COUNT))?;
    }
    entering(&mut text, &psql, &url("appointd_api"), context)?;
    Ok(text)
}

/// The lines of a file of SQL without its comment.
fn statement(file: &str) -> String {
    let lines: Vec<_> = file.lines().filter(|line| !line.starts_with("--")).collect();
    lines.join("\n")
}

/// Lines that book a slot.
fn booking(text: &mut String, host: &str, slot: Option<Bookable>) -> Result<(), Box<dyn Error>> {
    let Some(Bookable { service, provider, starts_at, .. }) = slot else {
        writeln!(
            text,
            "\nThe first organization has no free slot in the next two weeks.\n\
             `appointd dev --reset` loads the demo data again."
        )?;
        return Ok(());
    };
    let (owner, slug) = (&DEMOS[0].sign_ins[0], DEMOS[0].slug);
    writeln!(
        text,
        r#"
BOOK AN APPOINTMENT: 201 Created; the second time, 409 Conflict

TOKEN=$(curl -s http://{host}/api/v1/auth/login \
  -H 'content-type: application/json' \
  -d '{{"email":"{email}","password":"{password}",
       "organization_slug":"{slug}"}}' |
  sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -i http://{host}/api/v1/appointments \
  -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \
  -d '{{"service_id":"{service}",
       "provider_id":"{provider}",
       "starts_at":"{starts_at}",
       "contact":{{"first_name":"Lise","last_name":"Meitner"}}}}'"#,
        email = owner.email,
        password = owner.password,
        starts_at = written(starts_at),
    )?;
    Ok(())
}

/// Lines that send events to the outbox.
fn webhook(text: &mut String, host: &str, outbox: SocketAddr) -> Result<(), Box<dyn Error>> {
    writeln!(
        text,
        r#"
SEND EVENTS TO THE OUTBOX: then book again, and open http://{outbox}

curl -i http://{host}/api/v1/webhook-endpoints \
  -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \
  -d '{{"url":"http://{outbox}"}}'"#
    )?;
    Ok(())
}

/// Lines that enter an organization in psql, as the server does for each request.
fn entering(text: &mut String, psql: &str, url: &str, context: Context) -> Result<(), Box<dyn Error>> {
    let Who::Session { account, session, secret } = context.who else {
        return Err("an owner is a person".into());
    };
    let (demo, tenant) = (&DEMOS[0], context.tenant);
    let (organization, email) = (demo.organization, demo.sign_ins[0].email);
    writeln!(
        text,
        "
ENTER {} AS THE SERVER DOES: ITS APPOINTMENTS, AND NO OTHERS

The session is one of {email}; it lasts a day.

{psql} '{url}' \\
  -v tenant={tenant} \\
  -v account={account} \\
  -v session={session} \\
  -v secret={} <<'SQL'
{}
SQL
",
        organization.to_uppercase(),
        Uuid::from_bytes(secret.0).simple(),
        statement(ENTER)
    )?;
    Ok(())
}
