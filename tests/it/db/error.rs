//! What the database could not do, as the client and the log are told it.

use serde_json::json;

use crate::harness::{Tenant, private_system, program::Serve, within};

#[tokio::test]
async fn database_failure_is_logged_with_its_sqlstate_and_answered_503() {
    let system = private_system(&["max_connections=60"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let superuser = system.superuser().await;
        let serve = Serve::start(&system.cluster.url("appointd_api", "appointd"));
        let token = serve.log_in(&tenant).await;
        let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
        let create = async || {
            let (status, body) = serve.post("/api/v1/contacts", Some(&token), &contact).await;
            (status, body["code"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(create().await.0, 201);
        // The disk is full: said while the statement runs, and said by the commit.
        for when in ["immediate", "deferred"] {
            superuser
                .batch_execute(&format!(
                    "create or replace function crm.full() returns trigger language plpgsql
                     as $$ begin raise 'no space left' using errcode = '53100'; end $$;
                     create constraint trigger disk_full after insert on crm.contacts
                     deferrable initially {when} for each row execute function crm.full()"
                ))
                .await
                .expect("a full disk");
            assert_eq!(create().await, (503, "database_unavailable".to_owned()), "{when}");
            superuser.batch_execute("drop trigger disk_full on crm.contacts").await.expect("room again");
        }
        let full = serve.logged("53100");
        assert!(!full.is_empty());
        assert_eq!(
            (&full[0]["statement"], &full[0]["level"]),
            (&json!("crm/contacts_create.sql"), &json!("WARN")),
            "{full:?}"
        );
        let count = "select count(*) from crm.contacts where tenant_id = $1";
        assert_eq!(superuser.query_one(count, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 1);
        // A connection that an administrator ends answers, too: nothing was kept.
        superuser
            .batch_execute(
                "create or replace function crm.full() returns trigger language plpgsql
                 as $$ begin perform pg_terminate_backend(pg_backend_pid()), pg_sleep(1); return null; end $$;
                 alter function crm.full() security definer;
                 create trigger disk_full after insert on crm.contacts for each row execute function crm.full()",
            )
            .await
            .expect("an administrator");
        assert_eq!(create().await, (503, "database_unavailable".to_owned()));
        superuser.batch_execute("drop trigger disk_full on crm.contacts").await.expect("no administrator");
        assert_eq!(serve.logged("57P01").len(), 1);
        assert_eq!(superuser.query_one(count, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 1);
        // Waiting too long for a lock, too.
        superuser.batch_execute("begin; lock table crm.contacts in exclusive mode").await.expect("a lock");
        assert_eq!(create().await, (503, "timeout".to_owned()));
        superuser.batch_execute("rollback").await.expect("no lock");
        assert_eq!(serve.logged("55P03")[0]["statement"], json!("crm/contacts_create.sql"));
        assert_eq!(create().await.0, 201);
    })
    .await;
}
