//! Exporting an organization and importing it again.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::Utc;
use futures_util::future::join_all;
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    harness::{
        Tenant, add_rows, load_demo, private_database, private_system,
        program::{as_owner, temporary, text},
        within,
    },
    tenant_commands::{everything, fails, file, succeeds},
};

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
             insert into tenancy.alerts (tenant_id) select id from tenancy.organizations;
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
             on conflict do nothing;
             -- Each follows the next one: more than an import sends at a time, in an order that it has to bear.
             insert into work.tasks (tenant_id, id, title, board_position, follows_id)
             select id, md5(n::text)::uuid, 'Task', n, case when n < 1200 then md5((n + 1)::text)::uuid end
             from tenancy.organizations, generate_series(1, 1200) as n
             where slug = 'acme'",
        )
        .await
        .expect("rows");
    for tenant in superuser.query("select id from tenancy.organizations", &[]).await.expect("organizations") {
        add_rows(superuser, tenant.get(0)).await;
    }
}

#[tokio::test]
async fn exported_organization_is_imported_unchanged() {
    let (cluster, superuser) = private_database().await;
    load_demo(&cluster, Utc::now()).await;
    furnish(&superuser).await;
    // Its members are in no other organization, and their sessions do not move.
    superuser.batch_execute("delete from identity.sessions").await.expect("no sessions");
    let before = everything(&superuser).await;
    assert!(succeeds(&cluster, &["list"]).await.contains("acme"));

    let export = temporary("export");
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
    fails(&cluster, &["delete", "unknown", "--yes"], "not found").await;
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
    let again = temporary("export");
    succeeds(&cluster, &["export", &id.to_string(), "--output", again.to_str().expect("text")]).await;
    let lines = |text: &str| text.lines().map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(lines(&fs::read_to_string(&again).expect("an export")), lines(&text));
    // Into a system that has never seen it or its people.
    let (elsewhere, _superuser) = private_database().await;
    succeeds(&elsewhere, &["import", path]).await;
    let there = succeeds(&elsewhere, &["export", "acme"]).await;
    assert_eq!(lines(&there), lines(&text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_during_bookings_is_one_snapshot() {
    const EXPORTS: usize = 6;
    let system = private_system(&["max_connections=100"]).await;
    let (elsewhere, _superuser) = private_database().await;
    within(system, async {
        let tenant = Tenant::new().await;
        let service = tenant.service().await;
        let contact = tenant.contact().await;
        let mut providers = Vec::new();
        for _ in 0..4 {
            providers.push(tenant.provider().await);
        }
        let (stop, booked) = (AtomicBool::new(false), AtomicUsize::new(0));
        let clients = (0..8).map(|client| {
            let (tenant, service, contact, providers) = (&tenant, &service, &contact, &providers);
            let (stop, booked) = (&stop, &booked);
            async move {
                let mut contact = contact.clone();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    if turn % 4 == 0 {
                        contact = tenant.contact().await;
                    }
                    let start = format!("20{:02}-05-{:02}T{:02}:00:00Z", 31 + turn % 9, 1 + client, 9 + turn % 7);
                    let body = json!({
                        "service_id": service, "provider_id": providers[turn % 4], "contact_id": contact, "starts_at": start,
                    });
                    let answer = tenant.staff.post("/api/v1/appointments", body).await;
                    if answer.status == 201 {
                        booked.fetch_add(1, Ordering::Relaxed);
                        let path = format!("/api/v1/appointments/{}/cancel", answer.created());
                        tenant.staff.post(&path, json!({})).await.expect(200);
                    }
                }
            }
        });
        let exporting = async {
            let mut exports = Vec::new();
            for _ in 0..EXPORTS {
                let path = temporary("export").display().to_string();
                let before = booked.load(Ordering::Relaxed);
                let output =
                    as_owner(&system.cluster, &["tenant", "export", &tenant.id.to_string(), "--output", &path]).await;
                assert!(output.status.success(), "{}", text(&output.stderr));
                exports.push((path, booked.load(Ordering::Relaxed) - before));
            }
            stop.store(true, Ordering::Relaxed);
            exports
        };
        let (exports, _) = futures_util::future::join(exporting, join_all(clients)).await;
        assert!(exports.iter().filter(|(_, booked)| *booked > 0).count() > EXPORTS / 2, "bookings went on: {exports:?}");
        for (path, _) in exports {
            let output = as_owner(&elsewhere, &["tenant", "import", &path]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
            let output = as_owner(&elsewhere, &["tenant", "delete", &tenant.id.to_string(), "--yes"]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    })
    .await;
}
