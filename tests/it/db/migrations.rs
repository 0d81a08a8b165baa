//! Migrating: databases that are in use, and who may migrate.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use chrono::{Months, Utc};
use tokio_postgres::Client;

use crate::harness::{
    Tenant, connect, private_database, private_system,
    program::{appointd, as_owner, expect_serve_to_refuse, text},
    unmigrated_database, within,
};

/// The last migration of the newest release: those behind it have to keep the rows that databases hold by then. Nothing
/// is released yet, so the last there is.
const RELEASED: u32 = 35;

#[tokio::test]
async fn database_in_use_is_migrated_with_its_rows() {
    let (cluster, superuser) = unmigrated_database().await;
    let owner = connect(&cluster, "appointd_owner", "appointd").await;
    owner.batch_execute("create table app.migrations (version integer)").await.expect("a table");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/migrations");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut released = false;
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "sql")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let version: u32 = name[1..5].parse().expect("a number");
        let sql = fs::read_to_string(path).expect("a file");
        owner.batch_execute("begin").await.expect("a transaction");
        owner.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        owner.batch_execute("commit").await.expect("a commit");
        if version == RELEASED {
            released = true;
            superuser.batch_execute(ROWS).await.expect("rows");
        }
    }
    assert!(released, "there is no migration {RELEASED}");
    let row = superuser
        .query_one(
            "select
                 (select count(*) from tenancy.organizations o
                  join tenancy.settings s on s.tenant_id = o.id
                  join tenancy.branding b on b.tenant_id = o.id
                  join tenancy.subscriptions p on p.tenant_id = o.id),
                 (select count(*) from tenancy.members where status = 'active'),
                 (select count(*) from scheduling.appointments),
                 (select count(*) from pg_class where relkind in ('r', 'p') and relrowsecurity and not relforcerowsecurity)",
            &[],
        )
        .await
        .expect("counts");
    let counts: [i64; 4] = [row.get(0), row.get(1), row.get(2), row.get(3)];
    assert_eq!(counts, [2, 6, 2, 0]);
}

/// What a database in use holds, in short.
const ROWS: &str = "
    insert into identity.accounts (id, email, password_hash)
    select gen_random_uuid(), n || '@example.com', 'x' from generate_series(1, 3) as n;
    insert into tenancy.organizations (id, name, slug)
    select gen_random_uuid(), 'O' || n, 'o' || n from generate_series(1, 2) as n;
    insert into tenancy.settings (tenant_id) select id from tenancy.organizations;
    insert into tenancy.branding (tenant_id) select id from tenancy.organizations;
    insert into tenancy.subscriptions (tenant_id) select id from tenancy.organizations;
    insert into tenancy.members (tenant_id, account_id, role)
    select o.id, a.id, 'owner' from tenancy.organizations o cross join identity.accounts a;
    insert into crm.contacts (tenant_id, id, first_name, last_name)
    select id, id, 'Grace', 'Hopper' from tenancy.organizations;
    insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes)
    select id, id, 'Haircut', 30, 15 from tenancy.organizations;
    insert into scheduling.resources (tenant_id, id, kind) select id, id, 'provider' from tenancy.organizations;
    insert into scheduling.providers (tenant_id, id, name) select id, id, 'Ada' from tenancy.organizations;
    insert into scheduling.appointments
        (tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, created_by)
    select id, id, id, id, id, now(), now() + interval '30 minutes', id from tenancy.organizations";

#[tokio::test]
async fn migrating_as_another_role_is_refused_and_changes_nothing() {
    let (cluster, superuser) = unmigrated_database().await;
    // Prepared, and never migrated: both say what to do.
    expect_serve_to_refuse(cluster.url("appointd_api", "appointd"), "run `appointd migrate`").await;
    let objects = async || -> i64 {
        let count = "select count(*) from pg_class where oid >= 16384";
        superuser.query_one(count, &[]).await.expect("a count").get(0)
    };
    assert_eq!(objects().await, 0);
    superuser
        .batch_execute(
            "create role member login in role appointd_owner; grant connect on database appointd to member",
        )
        .await
        .expect("a member of the owner");
    for role in ["postgres", "member"] {
        let output =
            appointd(&["migrate"], &[("APPOINTD_OWNER_DATABASE_URL", cluster.url(role, "appointd"))]).await;
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{role}");
        assert!(
            said.contains(&format!("connected as role \"{role}\"")) && said.contains("appointd_owner"),
            "{said}"
        );
        assert_eq!(objects().await, 0, "{role}");
    }
    let output = as_owner(&cluster, &["migrate"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let others = "select count(*) from pg_class where oid >= 16384 and relowner <> 'appointd_owner'::regrole
                  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = pg_class.oid and d.deptype = 'e')";
    assert_eq!(superuser.query_one(others, &[]).await.expect("a count").get::<_, i64>(0), 0);
}

/// The partition of the month that `migrate` makes last.
fn newest_partition() -> String {
    let month = Utc::now().checked_add_months(Months::new(3)).expect("a month");
    format!("audit_events_{}", month.format("%Y_%m"))
}

async fn partition_exists(superuser: &Client) -> bool {
    let query = "select exists (select from pg_inherits where inhrelid = to_regclass('operations.' || $1))";
    superuser.query_one(query, &[&newest_partition()]).await.expect("a look").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "waits for timeouts of locks, ten seconds"]
async fn migrating_under_a_long_reader_delays_no_write_and_names_it() {
    let system = private_system(&["max_connections=100"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let superuser = system.superuser().await;
        superuser
            .batch_execute(&format!("drop table operations.{}", newest_partition()))
            .await
            .expect("a month without a partition");
        // As pg_dump does, for as long as it runs.
        let reader = system.superuser().await;
        reader
            .batch_execute(
                "set application_name = 'pg_dump'; begin isolation level repeatable read, read only;
                 do $$ declare t regclass; begin
                     for t in select c.oid from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p') loop
                         execute format('lock table %s in access share mode', t);
                     end loop;
                 end $$",
            )
            .await
            .expect("a reader");
        let migrating = as_owner(&system.cluster, &["migrate", "--patience", "5"]);
        let migrated = AtomicBool::new(false);
        let writing = async {
            let mut longest = Duration::ZERO;
            let mut written = 0;
            while !migrated.load(Ordering::Relaxed) {
                let began = Instant::now();
                // Every write goes into the log, which is what is being partitioned.
                tenant.contact().await;
                longest = longest.max(began.elapsed());
                written += 1;
            }
            (longest, written)
        };
        let migrating = async {
            let output = migrating.await;
            migrated.store(true, Ordering::Relaxed);
            output
        };
        let (output, (longest, written)) = futures_util::future::join(migrating, writing).await;
        assert_eq!(output.status.code(), Some(75), "{}", text(&output.stderr));
        let pid: i32 = reader.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
        let holder = format!("pid {pid} (pg_dump as postgres)");
        assert!(text(&output.stderr).contains(&holder), "{holder}: {}", text(&output.stderr));
        assert!(!partition_exists(&superuser).await);
        assert!(written > 5 && longest < Duration::from_millis(2200), "{written} written, {longest:?} for one");

        // Who reads ends while it tries: then it is done.
        let ending = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            reader.batch_execute("commit").await.expect("an end");
        };
        let (output, ()) = futures_util::future::join(as_owner(&system.cluster, &["migrate"]), ending).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(partition_exists(&superuser).await);
        // As the others are: same columns, indexes, rules.
        let output = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .arg("audit")
            .env("APPOINTD_AUDITOR_DATABASE_URL", system.cluster.url("appointd_auditor", "appointd"))
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    })
    .await;
}

#[tokio::test]
async fn owner_waiting_for_a_lock_times_out() {
    let (cluster, superuser) = private_database().await;
    superuser
        .batch_execute("begin; lock table operations.audit_events in access share mode")
        .await
        .expect("a reader");
    let owner = connect(&cluster, "appointd_owner", "appointd").await;
    let refused =
        owner.batch_execute("begin; lock table operations.audit_events").await.expect_err("a refusal");
    assert_eq!(refused.code().map(|code| code.code().to_owned()).as_deref(), Some("55P03"));
}
