//! The wall's door: after a failed, dropped or refused transaction the next one finds a clean connection, and soon.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use appointd::{
    db::{Context, DatabaseUrl, Db, Error, FrontDoor, Sql, Who},
    identity::accounts,
    sql,
    tenancy::organizations::Organization,
};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use uuid::Uuid;

use crate::harness::{Actor, Tenant, private_database, secret_of, system};

const CONTACTS: Sql = sql!("crm/contacts_list.sql");

/// Whenever they changed.
const NEVER: Option<chrono::DateTime<chrono::Utc>> = None;

/// How long the next user may wait for the connection.
const A_MOMENT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn transaction_without_statements_takes_no_connection() {
    let tenant = Tenant::new().await;
    let db = system().db(1);
    let first = db.begin(tenant.context());
    // Of the one connection there is.
    db.one(tenant.context(), sql!("tenancy/organizations_get.sql"), &[])
        .await
        .expect("the connection is free");
    first.commit().await.expect("nothing to commit");
}

#[tokio::test]
async fn failed_transaction_is_not_committed() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    let mut tx = db.begin(tenant.context());
    let id = Uuid::now_v7();
    let create = sql!("crm/contacts_create.sql");
    tx.one(
        create,
        &[&id, &"Grace", &"Hopper", &None::<&str>, &None::<&str>, &None::<&str>, &None::<serde_json::Value>],
    )
    .await
    .expect("a contact");
    let again = tx
        .one(
            create,
            &[
                &id,
                &"Grace",
                &"Hopper",
                &None::<&str>,
                &None::<&str>,
                &None::<&str>,
                &None::<serde_json::Value>,
            ],
        )
        .await;
    assert!(matches!(again, Err(Error::Constraint(name)) if name == "contacts_pkey"));
    assert!(matches!(
        tx.all(CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>]).await,
        Err(Error::Failed)
    ));
    assert!(matches!(tx.commit().await, Err(Error::Failed)));
    let rows = db
        .all(tenant.context(), CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
        .await
        .expect("a clean connection");
    assert!(rows.is_empty());
}

#[tokio::test]
async fn refused_entry_leaves_a_clean_connection() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    let stranger = Context {
        who: Who::Session {
            account: Uuid::now_v7(),
            session: tenant.owner.session,
            secret: secret_of(tenant.owner.session),
        },
        ..tenant.context()
    };
    for _ in 0..3 {
        let refused = db
            .all(stranger, CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
            .await;
        assert!(matches!(refused, Err(Error::NotAMember)));
        db.all(tenant.context(), CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
            .await
            .expect("a clean connection");
        let mut tx = db.begin(stranger);
        assert!(matches!(
            tx.all(CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>]).await,
            Err(Error::NotAMember)
        ));
        drop(tx);
        db.all(tenant.context(), CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
            .await
            .expect("a clean connection");
    }
    let viewer = Context { who: tenant.viewer.who(), needs: "staff", ..tenant.context() };
    let refused =
        db.all(viewer, CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>]).await;
    assert!(matches!(refused, Err(Error::RoleTooLow { held, .. }) if held == "viewer"));
}

/// What the next user of the one connection finds: no tenant, no open transaction, and no long wait.
async fn expect_clean(db: &Db, what: &str) {
    let started = Instant::now();
    db.gate(sql!("operations/server_check.sql"), &[]).await.expect("a connection");
    let waited = started.elapsed();
    assert!(waited < A_MOMENT, "after {what} the next one waited {waited:?}");
}

/// Holds a row that the statement of a test then waits for.
async fn locked(tenant: &Tenant) -> tokio_postgres::Client {
    let superuser = system().superuser().await;
    superuser
        .batch_execute(&format!(
            "begin; select from tenancy.organizations where id = '{}' for update",
            tenant.id
        ))
        .await
        .expect("a lock");
    superuser
}

#[tokio::test]
async fn dropped_transaction_leaves_a_clean_connection() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    other.contact().await;
    let db = system().db(1);
    let update = sql!("tenancy/organizations_update.sql");
    let lock = locked(&tenant).await;
    let admin = Context { needs: "admin", ..tenant.context() };
    for millis in [0, 1, 2, 3, 5, 10, 20, 50, 100, 200] {
        // In one train, and in a transaction of several statements.
        let alone = async {
            db.one(admin, update, &[&Some("taken over"), &None::<&str>, &None::<&str>, &false, &None::<&str>])
                .await
        };
        assert!(timeout(Duration::from_millis(millis), alone).await.is_err(), "the row is locked");
        expect_clean(&db, "a train").await;
        let several = async {
            let mut tx = db.begin(admin);
            tx.one(sql!("tenancy/organizations_get.sql"), &[]).await?;
            tx.one(update, &[&Some("taken over"), &None::<&str>, &None::<&str>, &false, &None::<&str>])
                .await?;
            tx.commit().await
        };
        assert!(timeout(Duration::from_millis(millis), several).await.is_err(), "the row is locked");
        expect_clean(&db, "several statements").await;
        let theirs = db
            .all(other.context(), CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
            .await
            .expect("the next tenant");
        assert_eq!(theirs.len(), 1);
    }
    // No statement still waits for the row: dropped ones were cancelled, long before their own limit of 4 seconds.
    let pid: i32 = lock.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let waiting = system()
        .superuser()
        .await
        .query("select query from pg_stat_activity where $1 = any (pg_blocking_pids(pid))", &[&pid])
        .await
        .expect("who waits");
    assert!(waiting.is_empty(), "{} statements go on", waiting.len());
    lock.batch_execute("rollback").await.expect("a rollback");
    let get = sql!("tenancy/organizations_get.sql" as Organization);
    assert_ne!(db.one(tenant.context(), get, &[]).await.expect("a row").name, "taken over");
}

#[tokio::test]
async fn panic_in_a_transaction_rolls_back() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    let panicking = AssertUnwindSafe(async {
        let mut tx = db.begin(tenant.context());
        tx.one(
            sql!("crm/contacts_create.sql"),
            &[
                &Uuid::now_v7(),
                &"Grace",
                &"Hopper",
                &None::<&str>,
                &None::<&str>,
                &None::<&str>,
                &None::<serde_json::Value>,
            ],
        )
        .await
        .expect("a contact");
        panic!("as a bug would");
    });
    assert!(panicking.catch_unwind().await.is_err());
    expect_clean(&db, "a panic").await;
    let rows = db
        .all(tenant.context(), CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
        .await
        .expect("rows");
    assert!(rows.is_empty());
}

#[tokio::test]
async fn statement_waiting_for_a_lock_times_out() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    let lock = locked(&tenant).await;
    let admin = Context { needs: "admin", ..tenant.context() };
    let update = sql!("tenancy/organizations_update.sql");
    let started = Instant::now();
    let refused =
        db.one(admin, update, &[&Some("x"), &None::<&str>, &None::<&str>, &false, &None::<&str>]).await;
    assert!(matches!(refused, Err(Error::Timeout)), "the lock timeout of the role");
    assert!(started.elapsed() < Duration::from_secs(6));
    expect_clean(&db, "a timeout").await;
    drop(lock);
}

#[tokio::test]
async fn connections_ended_by_the_database_are_replaced() {
    let tenant = Tenant::new().await;
    // Ours are told from those of other tests by their name.
    let url: DatabaseUrl = system().cluster.url("appointd_api", "appointd").parse().expect("a URL of ours");
    // One tenant has half of them.
    let db = Db::new(&url.named("to be ended"), 8);
    let read_all = || async {
        let reads = (0..4).map(|_| async {
            db.all(
                tenant.context(),
                CONTACTS,
                &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>],
            )
            .await
            .map(drop)
        });
        futures_util::future::try_join_all(reads).await
    };
    read_all().await.expect("four connections");
    let ended = system()
        .superuser()
        .await
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be ended'",
            &[],
        )
        .await
        .expect("an end");
    assert_eq!(ended, 4);
    tokio::time::sleep(Duration::from_millis(100)).await;
    read_all().await.expect("new connections");
}

#[tokio::test]
async fn changed_column_type_fails_no_request() {
    let (cluster, superuser) = private_database().await;
    let db = Db::new(&cluster.url("appointd_api", "appointd").parse().expect("a URL of ours"), 4);
    let door = FrontDoor::new(&cluster.url("appointd_door", "appointd").parse().expect("a URL of ours"), 1);
    let registration = serde_json::from_value(json!({
        "email": "ada@example.com",
        "password": "of no use",
        "organization_name": "Ada",
        "organization_slug": "ada",
    }));
    let (account, tenant) = accounts::register(&door, &registration.expect("a registration"), "no hash")
        .await
        .expect("an organization");
    let session = Uuid::now_v7();
    superuser
        .execute(
            "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
             values ($1, $2, $3, 'token', sha256(uuid_send($2)), 'infinity')",
            &[&account, &session, &tenant],
        )
        .await
        .expect("a session");
    let who = Who::Session { account, session, secret: secret_of(session) };
    let context = Context { tenant, who, needs: "viewer", feature: None };
    let read_all = || async {
        let reads = (0..4).map(|_| async {
            db.all(context, CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
                .await
                .map(drop)
        });
        futures_util::future::try_join_all(reads).await
    };
    read_all().await.expect("four connections, each with the statement prepared");
    superuser
        .batch_execute(
            "drop trigger keep_updated_at on crm.contacts;
             alter table crm.contacts alter column email type varchar(320);
             call app.date_changes('crm.contacts')",
        )
        .await
        .expect("a change of type");
    // One after the other: each meets another connection, and its second attempt yet another.
    for _ in 0..4 {
        db.all(context, CONTACTS, &[&Uuid::nil(), &9i64, &NEVER, &None::<Vec<Uuid>>, &None::<&str>])
            .await
            .expect("the statement is prepared again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_clients_leave_whole_bookings() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let token = tenant.staff.token.clone().expect("a token");
    let mut vanished = Vec::new();
    for n in 0..60u64 {
        let body = json!({
            "service_id": service,
            "provider_id": provider,
            "contact_id": contact,
            "starts_at": format!("2031-11-{:02}T{:02}:00:00Z", 1 + n / 8, 9 + n % 8),
        })
        .to_string();
        let request = format!(
            "POST /api/v1/appointments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        vanished.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(system().address).await.expect("a connection");
            stream.write_all(request.as_bytes()).await.expect("a request");
            tokio::time::sleep(Duration::from_micros(n * 100)).await;
            // Reset rather than closed, so that the server notices at once.
            #[expect(deprecated, reason = "blocks only while data is unsent, for zero seconds")]
            stream.set_linger(Some(Duration::ZERO)).expect("a socket");
        }));
    }
    for task in vanished {
        task.await.expect("no panic");
    }
    // What was booked was booked whole, and other clients are served.
    let started = Instant::now();
    let page = tenant.viewer.get("/api/v1/appointments?limit=100").await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let claims: i64 = system()
        .superuser()
        .await
        .query_one(
            "select count(*) from scheduling.appointments as a full join scheduling.claims as c
                on c.tenant_id = a.tenant_id and c.appointment_id = a.id
             where coalesce(a.tenant_id, c.tenant_id) = $1 and (a.id is null or c.id is null)",
            &[&tenant.id],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(claims, 0, "no appointment without its claim, and none the other way round");
    assert!(page["items"].is_array());
    let open: i64 = system()
        .superuser()
        .await
        .query_one(
            "select count(*) from pg_stat_activity
             where usename = 'appointd_api' and state like 'idle in transaction%' and state_change < now() - interval '3 seconds'",
            &[],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(open, 0, "no transaction was forgotten");
    Actor::anonymous().get("/health/ready").await.expect(200);
}
