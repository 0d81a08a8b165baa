//! `appointd tenant`: one organization moved, removed and adopted as a whole, and no other touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use appointd::{
    db::{Db, cluster::Cluster},
    demo,
};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::{add_rows, private_database, schemas};

async fn appointd(cluster: &Cluster, arguments: &[&str]) -> Output {
    let url = cluster.url("appointd_owner", "appointd");
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_appointd"))
            .arg("tenant")
            .args(arguments)
            .env("APPOINTD_OWNER_DATABASE_URL", url)
            .output()
            .expect("the program runs")
    })
    .await
    .expect("no panic")
}

async fn succeeds(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = appointd(cluster, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn fails(cluster: &Cluster, arguments: &[&str], reason: &str) {
    let output = appointd(cluster, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

fn file(content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("appointd-{}", Uuid::new_v4()));
    fs::write(&path, content).expect("a file");
    path
}

/// Rows of every kind that the demo has none of.
async fn furnish(superuser: &Client) {
    superuser
        .batch_execute(
            "insert into tenancy.invitations (tenant_id, id, email, role, token_hash, expires_at, created_by)
             select id, gen_random_uuid(), 'i@example.com', 'viewer', sha256('x'), 'infinity', id from tenancy.organizations;
             insert into tenancy.api_keys (tenant_id, id, name, secret_hash, role, scopes, created_by)
             select id, gen_random_uuid(), 'Key', sha256('x'), 'viewer', '{crm:read}', id from tenancy.organizations;
             insert into tenancy.domains (tenant_id, id, domain, challenge, verified_at)
             select id, gen_random_uuid(), slug || '.example', 'x', now() from tenancy.organizations;
             insert into tenancy.verified_domains (domain, organization_id) select slug || '.example', id from tenancy.organizations;
             insert into tenancy.former_names (kind, name, organization_id) select 'slug', slug || '-before', id from tenancy.organizations;
             insert into tenancy.usage_days (tenant_id, day, requests) select id, '2026-01-01', 7 from tenancy.organizations;
             insert into scheduling.schedule_overrides (tenant_id, provider_id, date, from_minutes, to_minutes)
             select tenant_id, provider_id, '2031-12-24', '{600}', '{720}' from scheduling.schedules;
             insert into scheduling.schedule_travels (tenant_id, provider_id, starts_on, ends_on, time_zone)
             select tenant_id, provider_id, '2031-12-24', '2031-12-25', 'UTC' from scheduling.schedules;
             insert into scheduling.closures (tenant_id, id, starts_on, ends_on, name)
             select id, gen_random_uuid(), '2031-12-24', '2031-12-25', 'Closed' from tenancy.organizations;
             insert into scheduling.time_off (tenant_id, id, provider_id, starts_at, ends_at)
             select tenant_id, gen_random_uuid(), id, '2031-12-24', '2031-12-25' from scheduling.providers;
             insert into scheduling.service_providers (tenant_id, service_id, provider_id)
             select s.tenant_id, s.id, p.id from scheduling.services s join scheduling.providers p using (tenant_id)
             on conflict do nothing;
             insert into scheduling.resources (tenant_id, id, kind, name)
             select id, id, 'room', 'Room' from tenancy.organizations;
             insert into scheduling.service_resources (tenant_id, service_id, requirement, resource_id)
             select tenant_id, id, 1, tenant_id from scheduling.services on conflict do nothing;
             insert into scheduling.series (tenant_id, id, frequency, every, occurrences, time_zone)
             select id, id, 'weekly', 1, 2, 'UTC' from tenancy.organizations;
             insert into scheduling.appointment_segments (tenant_id, appointment_id, position, service_id, provider_id, starts_at, ends_at)
             select distinct on (tenant_id) tenant_id, id, 1, service_id, provider_id, starts_at, ends_at from scheduling.appointments;
             insert into scheduling.appointment_transitions (tenant_id, appointment_id, id, action, from_status, to_status)
             select distinct on (tenant_id) tenant_id, id, id, 'confirm', 'pending', 'confirmed' from scheduling.appointments;
             insert into scheduling.waitlist_entries (tenant_id, id, service_id, contact_id, from_instant, to_instant, status)
             select distinct on (tenant_id) tenant_id, id, service_id, contact_id, '2031-12-24', '2031-12-25', 'offered' from scheduling.appointments;
             insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id)
             select distinct on (tenant_id) tenant_id, id, service_id, provider_id, '2031-12-24', '2031-12-25', 'infinity', id from scheduling.appointments;
             insert into scheduling.guest_bookings (tenant_id, hold_id, first_name, last_name, email)
             select tenant_id, id, 'Guest', 'One', 'guest@example.com' from scheduling.holds;
             insert into scheduling.guest_requests (tenant_id, kind, subject)
             select id, 'address', sha256('x') from tenancy.organizations;
             insert into scheduling.claims (tenant_id, id, resource_id, hold_id, starts_at, ends_at)
             select tenant_id, id, provider_id, id, starts_at, ends_at from scheduling.holds;
             insert into scheduling.freed_time (tenant_id, starts_at, ends_at, freed_at)
             select id, '2031-12-24', 'infinity', 'infinity' from tenancy.organizations;
             insert into scheduling.calendar_feeds (tenant_id, id, name, token_hash, created_by)
             select id, id, 'Feed', sha256('x'), id from tenancy.organizations;
             update scheduling.providers p set account_id = m.account_id
             from tenancy.members m
             where m.tenant_id = p.tenant_id and m.role = 'owner' and p.id = (select min(q.id::text)::uuid from scheduling.providers q where q.tenant_id = p.tenant_id);
             insert into scheduling.provider_link_requests (tenant_id, provider_id, account_id)
             select distinct on (p.tenant_id) p.tenant_id, p.id, m.account_id
             from scheduling.providers p join tenancy.members m on m.tenant_id = p.tenant_id and m.role <> 'owner'
             order by p.tenant_id, p.id desc
             on conflict do nothing;
             insert into scheduling.shared_claims (tenant_id, claim_id, provider_id, account_id, starts_at, ends_at)
             select distinct on (c.tenant_id) c.tenant_id, c.id, p.id, p.account_id, c.starts_at, c.ends_at
             from scheduling.claims c join scheduling.providers p on p.tenant_id = c.tenant_id and p.id = c.resource_id
             where p.account_id is not null
             on conflict do nothing",
        )
        .await
        .expect("rows");
    for tenant in superuser.query("select id from tenancy.organizations", &[]).await.expect("organizations") {
        add_rows(superuser, tenant.get(0)).await;
    }
}

/// Everything in the database, by table: every row as text.
async fn everything(superuser: &Client) -> BTreeMap<String, BTreeSet<String>> {
    let tables = superuser
        .query(
            "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any ($1)",
            &[&schemas(superuser).await],
        )
        .await
        .expect("tables");
    let mut all = BTreeMap::new();
    for table in tables {
        let table: String = table.get(0);
        let rows = superuser.query(&format!("select t::text from {table} t"), &[]).await.expect("rows");
        all.insert(table, rows.iter().map(|row| row.get(0)).collect());
    }
    all
}

#[tokio::test]
async fn an_organization_exported_deleted_and_imported_is_as_it_was_and_no_other_is_touched() {
    let (cluster, superuser) = private_database().await;
    let db = Db::new(&cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), 4);
    demo::load(&db, Utc::now()).await.expect("the demo data");
    furnish(&superuser).await;
    // Its members are in no other organization, and their sessions do not move.
    superuser.batch_execute("delete from identity.sessions").await.expect("no sessions");
    let before = everything(&superuser).await;
    assert!(succeeds(&cluster, &["list"]).await.contains("acme"));

    let export = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("appointd-{}", Uuid::new_v4()));
    let path = export.to_str().expect("text");
    succeeds(&cluster, &["export", "acme", "--output", path]).await;
    let text = fs::read_to_string(&export).expect("an export");
    let id: Uuid = superuser
        .query_one("select id from tenancy.organizations where slug = 'acme'", &[])
        .await
        .expect("an organization")
        .get(0);
    let others: Vec<Uuid> = superuser
        .query("select id from tenancy.organizations where slug <> 'acme'", &[])
        .await
        .expect("organizations")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(!others.iter().any(|other| text.contains(&other.to_string())), "nothing of any other");
    // Every table with rows of tenants is in it, also one that is made tomorrow.
    let tables =
        superuser.query("select relation::text from app.tenant_tables()", &[]).await.expect("tables");
    for table in tables {
        let table: String = table.get(0);
        assert!(text.contains(&format!(r#""relation": "{table}""#)), "{table} is exported");
    }

    fails(&cluster, &["import", path], "delete it first").await;
    fails(&cluster, &["export", "harbour", "--output", path], "File exists").await;
    fails(&cluster, &["delete", "acme"], "--yes").await;
    fails(&cluster, &["delete", "nobody", "--yes"], "not found").await;
    succeeds(&cluster, &["delete", "acme", "--yes"]).await;
    let after = everything(&superuser).await;
    for (table, rows) in &before {
        let left: BTreeSet<_> = if table == "identity.accounts" || table == "app.migrations" {
            rows.clone()
        } else {
            rows.iter().filter(|row| !row.contains(&id.to_string())).cloned().collect()
        };
        assert_eq!(after[table], left, "{table} after deleting");
    }
    // Half an import is none.
    let whole: Vec<_> = text.lines().collect();
    let (rows, _end) = whole.split_at(whole.len() - 1);
    for lines in [&whole[..20], rows] {
        let torn = file(&lines.join("\n"));
        fails(&cluster, &["import", torn.to_str().expect("text")], "incomplete").await;
    }
    let wrong = r#"{"relation": "crm.contacts", "row": {"first_name": "x"}}"#;
    let torn = file(&[rows, &[wrong]].concat().join("\n"));
    fails(&cluster, &["import", torn.to_str().expect("text")], "null value").await;
    let smuggled = text.replace(&id.to_string(), &others[0].to_string());
    let smuggled = smuggled.replacen(&others[0].to_string(), &id.to_string(), 1);
    let smuggled = file(&smuggled);
    fails(&cluster, &["import", smuggled.to_str().expect("text")], "row-level security").await;
    assert_eq!(everything(&superuser).await, after);

    succeeds(&cluster, &["import", path]).await;
    let restored = everything(&superuser).await;
    for (table, rows) in &before {
        assert_eq!(&restored[table], rows, "{table} after importing");
    }
    let again = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("appointd-{}", Uuid::new_v4()));
    succeeds(&cluster, &["export", &id.to_string(), "--output", again.to_str().expect("text")]).await;
    let lines = |text: &str| text.lines().map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(lines(&fs::read_to_string(&again).expect("an export")), lines(&text));
    // Into a system that has never seen it or its people.
    let (elsewhere, _superuser) = private_database().await;
    succeeds(&elsewhere, &["import", path]).await;
    let there = succeeds(&elsewhere, &["export", "acme"]).await;
    assert_eq!(lines(&there), lines(&text));
}

#[tokio::test]
async fn organizations_are_suspended_reactivated_and_purged() {
    let (cluster, superuser) = private_database().await;
    let db = Db::new(&cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), 4);
    demo::load(&db, Utc::now()).await.expect("the demo data");
    let status = async |slug: &str| -> Option<String> {
        let row = superuser
            .query_opt("select status from tenancy.organizations where slug = $1", &[&slug])
            .await
            .expect("a look");
        row.map(|row| row.get(0))
    };
    succeeds(&cluster, &["suspend", "acme"]).await;
    assert_eq!(status("acme").await.as_deref(), Some("suspended"));
    succeeds(&cluster, &["reactivate", "acme"]).await;
    assert_eq!(status("acme").await.as_deref(), Some("active"));
    for (slug, when) in [("acme", "now() - interval '1 minute'"), ("harbour", "now() + interval '1 day'")] {
        superuser
            .batch_execute(&format!(
                "update tenancy.organizations set status = 'deleted', deleted_at = now(), purge_after = {when} where slug = '{slug}'"
            ))
            .await
            .expect("a deletion");
    }
    fails(&cluster, &["reactivate", "harbour"], "deleted by its owner").await;
    assert!(succeeds(&cluster, &["purge"]).await.contains("purged acme"));
    assert_eq!(status("acme").await, None);
    assert_eq!(status("harbour").await.as_deref(), Some("deleted"));
    assert_eq!(succeeds(&cluster, &["purge"]).await, "");
}

#[tokio::test]
async fn data_of_another_system_is_adopted_once_and_what_is_new_later() {
    let (cluster, superuser) = private_database().await;
    let mut data = json!({
        "organization": { "name": "Default", "slug": "default", "time_zone": "Europe/Berlin" },
        "members": [
            { "email": "Owner@old.example", "role": "owner", "password_hash": bcrypt::hash("an old password", 4).expect("a hash") },
            { "email": "m@old.example", "full_name": "Mel", "role": "member" },
        ],
        "contacts": [{ "id": "17", "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" }],
        "providers": [{ "id": "dr-1", "name": "Dr. One" }, { "id": "dr-2", "name": "Dr. Two" }],
        "services": [{ "id": "cut", "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15 }],
    });
    let adopt = async |data: &Value| {
        let path = file(&data.to_string());
        succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await
    };
    assert!(adopt(&data).await.contains("14 rows added"));
    let before = everything(&superuser).await;
    assert!(adopt(&data).await.contains(" 0 rows added"));
    assert_eq!(everything(&superuser).await, before, "a second time changes nothing");
    data["contacts"]
        .as_array_mut()
        .expect("a list")
        .push(json!({ "id": "18", "first_name": "Ada", "last_name": "Lovelace" }));
    assert!(adopt(&data).await.contains(" 1 rows added"));
    let hash: String = superuser
        .query_one("select password_hash from identity.accounts where email = 'owner@old.example'", &[])
        .await
        .expect("an account")
        .get(0);
    assert!(hash.starts_with("$2b$"));

    for (change, reason) in [
        (json!({ "members": [] }), "needs an owner"),
        (
            json!({ "members": [{ "email": "x@y.example", "role": "owner", "password_hash": "plain" }] }),
            "neither Argon2 nor bcrypt",
        ),
        (
            json!({ "contacts": [{ "id": "1", "first_name": "", "last_name": "x" }] }),
            "contacts[0].first_name: expected 1 to 100",
        ),
        (
            json!({ "services": [{ "id": "1", "name": "x", "duration_minutes": 0, "slot_step_minutes": 5 }] }),
            "services[0].duration_minutes",
        ),
        (json!({ "rooms": [] }), "unknown field"),
        // More than the plan allows: all of it or nothing.
        (
            json!({ "providers": (0..9).map(|n| json!({ "id": n.to_string(), "name": "P" })).collect::<Vec<_>>() }),
            "plan_limit_providers",
        ),
    ] {
        let mut wrong = data.clone();
        for (field, value) in change.as_object().expect("an object") {
            wrong[field] = value.clone();
        }
        let before = everything(&superuser).await;
        let path = file(&wrong.to_string());
        fails(&cluster, &["adopt", path.to_str().expect("text")], reason).await;
        assert_eq!(everything(&superuser).await, before);
    }
}

#[tokio::test]
async fn schedules_and_appointments_are_adopted_take_their_time_and_conflicts_are_named() {
    let (cluster, superuser) = private_database().await;
    let mut data = json!({
        "organization": { "name": "Old", "slug": "old", "time_zone": "Europe/Berlin" },
        "members": [{ "email": "owner@old.example", "role": "owner" }],
        "contacts": [{ "id": "17", "first_name": "Grace", "last_name": "Hopper" }],
        "providers": [{
            "id": "dr-1",
            "name": "Dr. One",
            "schedule": {
                "time_zone": "Europe/Berlin",
                "rules": [
                    { "weekday": "monday", "from": "09:00", "to": "12:00" },
                    { "weekday": "monday", "from": "13:00", "to": "24:00", "valid_from": "2026-12-01" },
                ],
                "overrides": [{ "date": "2031-12-24", "intervals": [{ "from": "10:00", "to": "12:00" }] }],
                "travels": [{ "starts_on": "2031-02-01", "ends_on": "2031-02-12", "time_zone": "Asia/Tokyo" }],
            },
        }],
        "services": [{ "id": "cut", "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15 }],
        "appointments": [
            { "id": "a", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2031-05-05T09:00:00Z" },
            { "id": "b", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17",
              "starts_at": "2031-05-05T11:30:00+02:00", "ends_at": "2031-05-05T10:30:00Z", "note": "long" },
            { "id": "c", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2020-05-05T09:00:00Z", "status": "completed" },
            { "id": "d", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2031-05-05T09:00:00Z", "status": "cancelled" },
        ],
    });
    let adopt = async |data: &Value| {
        let path = file(&data.to_string());
        succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await
    };
    adopt(&data).await;
    let row = superuser
        .query_one(
            "select
                 (select string_agg(format('%s %s-%s', weekday, from_minute, to_minute), ', ' order by from_minute) from scheduling.schedule_rules),
                 (select count(*) from scheduling.schedule_overrides), (select count(*) from scheduling.schedule_travels),
                 (select string_agg(format('%s %s', status, extract(epoch from ends_at - starts_at)::int / 60), ', ' order by status, ends_at) from scheduling.appointments),
                 (select count(*) from scheduling.claims)",
            &[],
        )
        .await
        .expect("rows");
    assert_eq!(row.get::<_, &str>(0), "1 540-720, 1 780-1440");
    assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(2)), (1, 1));
    assert_eq!(row.get::<_, &str>(3), "cancelled 30, completed 30, confirmed 30, confirmed 60");
    // Of the two that are to come: the provider's time and the contact's.
    assert_eq!(row.get::<_, i64>(4), 4);
    let wrong = superuser.query(include_str!("../../sql/audit/bookings.sql"), &[]).await.expect("a look");
    assert!(wrong.is_empty(), "{}", wrong.len());
    let before = everything(&superuser).await;
    assert!(adopt(&data).await.contains(" 0 rows added"));
    assert_eq!(everything(&superuser).await, before, "a second time changes nothing");

    for (change, reason) in [
        (json!({ "starts_at": "2031-05-05T09:15:00Z" }), "claims_no_overlap"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "service_id": "shave" }), "ends_at: needed"),
        (json!({ "starts_at": "2031-05-05T12:00:00" }), "appointments[4].starts_at"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "contact_id": "18" }), "appointments_contact_fkey"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "status": "maybe" }), "appointments[4].status"),
    ] {
        let mut wrong = data.clone();
        let mut appointment = data["appointments"][0].clone();
        appointment["id"] = json!("e");
        for (field, value) in change.as_object().expect("an object") {
            appointment[field] = value.clone();
        }
        wrong["appointments"].as_array_mut().expect("a list").push(appointment);
        let path = file(&wrong.to_string());
        fails(&cluster, &["adopt", path.to_str().expect("text")], reason).await;
        assert_eq!(everything(&superuser).await, before);
    }
    data["providers"][0]["schedule"]["rules"][1]["from"] = json!("11:00");
    let path = file(&data.to_string());
    fails(&cluster, &["adopt", path.to_str().expect("text")], "providers[0].schedule.rules[1]").await;
}

/// At 8 and 19 ms a row, as it was, this took minutes.
#[tokio::test]
async fn tens_of_thousands_of_rows_are_adopted_exported_and_imported_in_seconds() {
    const CONTACTS: usize = 20_000;
    let (cluster, superuser) = private_database().await;
    let contacts: Vec<Value> = (0..CONTACTS)
        .map(|n| json!({ "id": n.to_string(), "first_name": "Grace", "last_name": format!("Hopper {n}") }))
        .collect();
    let data = json!({
        "organization": { "name": "Old", "slug": "old", "time_zone": "Europe/Berlin" },
        "members": [{ "email": "owner@old.example", "role": "owner" }],
        "contacts": contacts,
    });
    let began = std::time::Instant::now();
    let path = file(&data.to_string());
    let said = succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await;
    assert!(said.contains(&format!("{} rows added", CONTACTS + 6)), "{said}");
    let adopted = began.elapsed();
    let export = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("appointd-{}", Uuid::new_v4()));
    let path = export.to_str().expect("text");
    succeeds(&cluster, &["export", "old", "--output", path]).await;
    succeeds(&cluster, &["delete", "old", "--yes"]).await;
    let began = std::time::Instant::now();
    let said = succeeds(&cluster, &["import", path]).await;
    let imported = began.elapsed();
    // The contacts, and an event of each.
    let rows: usize = said.split_whitespace().nth(2).and_then(|rows| rows.parse().ok()).expect("a number");
    assert!(rows > 2 * CONTACTS, "{said}");
    let count = "select count(*) from crm.contacts";
    assert_eq!(superuser.query_one(count, &[]).await.expect("a count").get::<_, i64>(0), CONTACTS as i64);
    println!("adopted {CONTACTS} rows in {adopted:?}, imported {rows} in {imported:?}");
    assert!(adopted.as_secs() < 30 && imported.as_secs() < 30, "{adopted:?}, {imported:?}");
}
