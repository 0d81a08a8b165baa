//! Migrations meet databases that are in use.

use std::fs;

use appointd::db::{cluster::Cluster, migrate};
use tokio::task::spawn_blocking;

/// The last migration of the newest release: those behind it have to keep the rows that databases hold by then. Nothing
/// is released yet, so the last there is.
const RELEASED: u32 = 35;

#[tokio::test]
async fn a_database_in_use_is_brought_up_to_date_with_all_it_holds() {
    let cluster =
        spawn_blocking(|| Cluster::temporary(&[]).expect("PostgreSQL starts")).await.expect("no panic");
    let connect = async |role: &str, database: &str| {
        let url = cluster.url(role, database).parse().expect("a URL of ours");
        migrate::connect(&url).await.expect("the database answers")
    };
    let maintenance = connect("postgres", "postgres").await;
    maintenance.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    maintenance
        .batch_execute(include_str!("../../../sql/setup/create_database.sql"))
        .await
        .expect("a database");
    let superuser = connect("postgres", "appointd").await;
    superuser.batch_execute(include_str!("../../../sql/setup/database.sql")).await.expect("a schema");
    let owner = connect("appointd_owner", "appointd").await;
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
