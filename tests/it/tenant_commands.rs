//! `appointd tenant`: one organization moved, removed and adopted as a whole, and no other touched.

mod adopt;
mod export;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use appointd::{
    db::{FrontDoor, cluster::Cluster},
    identity::accounts,
};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::harness::{
    private_database,
    program::{as_owner, temporary, text},
    schemas,
};

async fn succeeds(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = as_owner(cluster, &[&["tenant"], arguments].concat()).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn fails(cluster: &Cluster, arguments: &[&str], reason: &str) {
    let output = as_owner(cluster, &[&["tenant"], arguments].concat()).await;
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

fn file(content: &str) -> PathBuf {
    let path = temporary("import");
    fs::write(&path, content).expect("a file");
    path
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
async fn organizations_are_suspended_reactivated_and_purged() {
    let (cluster, superuser) = private_database().await;
    let door = FrontDoor::new(&cluster.url("appointd_door", "appointd").parse().expect("a URL of ours"), 1);
    for slug in ["acme", "harbour"] {
        let registration = serde_json::from_value(json!({
            "email": format!("{slug}@example.com"),
            "password": "of no use",
            "organization_name": slug,
            "organization_slug": slug,
        }));
        let registration = registration.expect("a registration");
        accounts::register(&door, &registration, "no hash").await.expect("an organization");
    }
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

/// At 8 and 19 ms a row, as it was, this took minutes.
#[tokio::test]
async fn thousands_of_contacts_are_adopted_and_imported_in_seconds() {
    const CONTACTS: usize = 5_000;
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
    let export = temporary("export");
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
