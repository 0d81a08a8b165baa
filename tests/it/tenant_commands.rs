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
    connect, eventually, private_database, private_database_with,
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
    let objects = async |arguments: &[&str]| -> Vec<Value> {
        let said = succeeds(&cluster, arguments).await;
        said.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    };
    let listed = objects(&["list", "--json"]).await;
    let listed: Vec<_> =
        listed.iter().map(|one| (&one["slug"], &one["status"], one["purge_after"].is_string())).collect();
    assert_eq!(
        listed,
        [(&json!("acme"), &json!("deleted"), true), (&json!("harbour"), &json!("deleted"), true)]
    );
    let purged = objects(&["--json", "purge"]).await;
    assert_eq!(
        (purged.len(), &purged[0]["organization"], &purged[0]["action"]),
        (1, &json!("acme"), &json!("purged"))
    );
    assert!(purged[0]["rows"].as_i64() > Some(5), "{purged:?}");
    assert_eq!(status("acme").await, None);
    assert_eq!(status("harbour").await.as_deref(), Some("deleted"));
    assert_eq!(succeeds(&cluster, &["purge"]).await, "");
}

/// With a statement for each row, as it was, this took minutes.
#[tokio::test]
async fn thousands_of_contacts_are_adopted_and_imported_in_a_few_statements() {
    const CONTACTS: usize = 5_000;
    let (cluster, superuser) = private_database_with(&["track_functions=all"]).await;
    let calls = async |function: &str| {
        // Counted when the session of the command has ended.
        eventually(async || {
            let sql = "select calls from pg_stat_user_functions where funcname = $1";
            superuser.query_opt(sql, &[&function]).await.expect("a count").map(|row| row.get::<_, i64>(0))
        })
        .await
    };
    let contacts: Vec<Value> = (0..CONTACTS)
        .map(|n| json!({ "id": n.to_string(), "first_name": "Grace", "last_name": format!("Hopper {n}") }))
        .collect();
    let data = json!({
        "organization": { "name": "Old", "slug": "old", "time_zone": "Europe/Berlin" },
        "members": [{ "email": "owner@old.example", "role": "owner" }],
        "contacts": contacts,
    });
    let path = file(&data.to_string());
    let said = succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await;
    assert!(said.contains(&format!("{} rows added", CONTACTS + 6)), "{said}");
    let export = temporary("export");
    let path = export.to_str().expect("text");
    succeeds(&cluster, &["export", "old", "--output", path]).await;
    succeeds(&cluster, &["delete", "old", "--yes"]).await;
    let said = succeeds(&cluster, &["import", path]).await;
    // The contacts, and an event of each.
    let rows: usize = said.split_whitespace().nth(2).and_then(|rows| rows.parse().ok()).expect("a number");
    assert!(rows > 2 * CONTACTS, "{said}");
    let count = "select count(*) from crm.contacts";
    assert_eq!(superuser.query_one(count, &[]).await.expect("a count").get::<_, i64>(0), CONTACTS as i64);
    // A thousand rows of one table at a time.
    for function in ["adopt_rows", "import_rows"] {
        let calls = calls(function).await;
        assert!(calls < 100, "{calls} calls of {function}");
    }
}

#[tokio::test]
async fn command_that_waits_for_a_lock_tries_again() {
    let (cluster, superuser) = private_database().await;
    let data = json!({
        "organization": { "name": "Old", "slug": "old", "time_zone": "Europe/Berlin" },
        "members": [{ "email": "owner@old.example", "role": "owner" }],
        "contacts": [{ "id": "1", "first_name": "Grace", "last_name": "Hopper" }],
    });
    let (adopted, exported) = (file(&data.to_string()), temporary("export"));
    let exported = exported.to_str().expect("text");
    let waits = async || -> bool {
        let sql = "select exists (select from pg_locks as l join pg_stat_activity as a using (pid)
                   where not l.granted and a.usename = 'appointd_owner')";
        superuser.query_one(sql, &[]).await.expect("a look").get(0)
    };
    let commands: [(&str, &[&str]); 4] = [
        ("crm.contacts", &["adopt", adopted.to_str().expect("text")]),
        ("tenancy.organizations", &["suspend", "old"]),
        ("crm.contacts", &["delete", "old", "--yes"]),
        ("crm.contacts", &["import", exported]),
    ];
    for (table, command) in commands {
        if command[0] == "delete" {
            succeeds(&cluster, &["export", "old", "--output", exported]).await;
        }
        let holder = connect(&cluster, "postgres", "appointd").await;
        holder.batch_execute(&format!("begin; lock table {table} in share mode")).await.expect("a lock");
        let releasing = async {
            // Until it waits, and has given up once.
            for waiting in [true, false] {
                eventually(async || (waits().await == waiting).then_some(())).await;
            }
            holder.batch_execute("commit").await.expect("an end");
        };
        let (said, ()) = futures_util::future::join(succeeds(&cluster, command), releasing).await;
        assert!(!said.is_empty(), "{command:?}");
    }
}
