//! What SQL that was brought into one request leaves behind in the session does not reach the next.

use appointd::db::{Db, Error, FromRow, Sql};

use crate::harness::{Tenant, system};

/// A statement that is no file, as an attacker would bring it in. Its first line is its name.
fn brought_in<R>(text: &'static str) -> Sql<R> {
    let (first, _) = text.split_once('\n').expect("a name");
    Sql::from_file(first.trim_start_matches("-- "), text)
}

async fn one<R: FromRow>(db: &Db, tenant: &Tenant, text: &'static str) -> Result<R, Error> {
    db.one(tenant.context(), brought_in(text), &[]).await
}

#[tokio::test]
async fn settings_cursors_and_locks_of_a_session_end_with_the_request() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    for plant in [
        "-- a timezone\nset timezone = 'Asia/Tokyo'",
        "-- a timeout\nset statement_timeout = '1h'",
        "-- an isolation\nset default_transaction_isolation = 'serializable'",
        // Entering would find that the transaction has entered already.
        "-- a context\nset app.role = 'owner'",
        "-- a cursor\ndeclare planted cursor with hold for select 1",
        "-- a lock\nselect from (select pg_advisory_lock(7)) as planted",
    ] {
        db.all(tenant.context(), brought_in::<()>(plant), &[]).await.expect(plant);
    }
    let (state,): (String,) = one(
        &db,
        &tenant,
        "-- the state\nselect concat_ws(' ', current_setting('timezone'), current_setting('statement_timeout'),
            current_setting('transaction_isolation'), (select count(*) from pg_cursors where name <> ''),
            (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()))",
    )
    .await
    .expect("a state");
    let fresh = system().connect("appointd_api").await;
    let zone: String = fresh.query_one("show timezone", &[]).await.expect("a setting").get(0);
    assert_eq!(state, format!("{zone} 8s read committed 0 0"));
}

#[tokio::test]
async fn connection_on_which_sql_has_prepared_a_statement_is_closed() {
    let (tenant, db) = (Tenant::new().await, system().db(1));
    const PID: &str = "-- the session\nselect pg_backend_pid()";
    let (before,): (i32,) = one(&db, &tenant, PID).await.expect("a session");
    let plant = "-- a statement\nprepare planted as select 1";
    db.all(tenant.context(), brought_in::<()>(plant), &[]).await.expect("it is prepared");
    // One transaction in 32 looks; it is repeated on another connection, so that no request fails.
    let mut last = before;
    for _ in 0..33 {
        (last,) = one(&db, &tenant, PID).await.expect("a session");
    }
    assert_ne!(last, before);
}
