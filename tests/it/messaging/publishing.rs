//! What a publisher does with what is written at the same time: every event once, and none before one that was read.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use appointd::{api, db::WorkerDb, server::publisher};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, connect, enter, system};

async fn page(actor: &Actor, after: i64) -> (Vec<Value>, i64) {
    let mut page =
        actor.get(&format!("/api/v1/events?after={after}&types=contact.created&limit=500")).await.expect(200);
    let items = std::mem::take(page["items"].as_array_mut().expect("items"));
    (items, page["next_after"].as_i64().expect("a position"))
}

fn insert(tenant: &Tenant, name: &str) -> String {
    format!(
        "insert into crm.contacts (id, first_name, last_name) values (gen_random_uuid(), '{name}', '{}')",
        tenant.id
    )
}

#[tokio::test]
async fn event_of_a_transaction_that_commits_late_is_not_missed() {
    let tenant = Tenant::new().await;
    let (slow, quick) = (system().connect("appointd_api").await, system().connect("appointd_api").await);
    enter(&slow, tenant.id, &tenant.staff).await;
    slow.batch_execute(&insert(&tenant, "Slow")).await.expect("a contact");
    enter(&quick, tenant.id, &tenant.staff).await;
    quick.batch_execute(&format!("{}; commit", insert(&tenant, "Quick"))).await.expect("a contact");
    system().publish(tenant.id).await;
    let (first, after) = page(&tenant.viewer, 0).await;
    slow.batch_execute("commit").await.expect("a commit");
    system().publish(tenant.id).await;
    let (second, _) = page(&tenant.viewer, after).await;
    let names: Vec<_> =
        [first, second].concat().iter().map(|event| event["data"]["first_name"].clone()).collect();
    assert_eq!(names, [json!("Quick"), json!("Slow")]);
    // What is rolled back has not happened.
    enter(&quick, tenant.id, &tenant.staff).await;
    quick.batch_execute(&format!("{}; rollback", insert(&tenant, "Never"))).await.expect("a contact");
    system().publish(tenant.id).await;
    assert_eq!(page(&tenant.viewer, 0).await.0.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follower_beside_four_publishers_and_eight_writers_reads_every_event_once() {
    let tenant = Tenant::new().await;
    let written = AtomicBool::new(false);
    let writing = async {
        join_all((0..8).map(async |writer| {
            let api = system().connect("appointd_api").await;
            for number in 0..25 {
                enter(&api, tenant.id, &tenant.staff).await;
                let name = format!("{writer}-{number}");
                api.batch_execute(&format!("{}; commit", insert(&tenant, &name))).await.expect("a contact");
            }
        }))
        .await;
        written.store(true, Ordering::Relaxed);
    };
    let publishing = join_all((0..4).map(async |_| {
        let publisher = publisher(&WorkerDb::new(&system().worker_url(), 1));
        loop {
            let last = written.load(Ordering::Relaxed);
            publisher.publish(tenant.id).await.expect("a batch");
            if last && publisher.publish(tenant.id).await.expect("a batch") == 0 {
                break;
            }
        }
    }));
    let following = async {
        let (mut seen, mut after) = (Vec::new(), 0);
        while seen.len() < 200 {
            let (events, next) = page(&tenant.viewer, after).await;
            seen.extend(events);
            after = next;
        }
        seen
    };
    let ((), _, seen) = futures_util::future::join3(writing, publishing, following).await;
    let positions: Vec<_> = seen.iter().map(|event| event["position"].as_i64().expect("a number")).collect();
    assert!(positions.is_sorted(), "{positions:?}");
    let names: BTreeSet<_> = seen.iter().map(|event| event["data"]["first_name"].to_string()).collect();
    assert_eq!((seen.len(), names.len()), (200, 200));
    let counted =
        "select count(*), max(position), count(distinct position), (select last_position from messaging.turns
                       where tenant_id = $1) from messaging.events where tenant_id = $1";
    let row = system().superuser().await.query_one(counted, &[&tenant.id]).await.expect("a count");
    let [all, highest, distinct, last] = [0, 1, 2, 3].map(|at| row.get::<_, i64>(at));
    assert_eq!((highest, distinct, last), (all, all, all));
}

#[tokio::test]
async fn long_transaction_in_another_database_delays_no_event() {
    let tenant = Tenant::new().await;
    let elsewhere = connect(&system().cluster, "postgres", "postgres").await;
    elsewhere.batch_execute("begin; select pg_current_xact_id()").await.expect("a transaction that writes");
    tenant.contact().await;
    system().publish(tenant.id).await;
    assert_eq!(page(&tenant.viewer, 0).await.0.len(), 1);
    elsewhere.batch_execute("rollback").await.expect("a rollback");
}

#[tokio::test]
async fn suspended_organization_publishes_nothing_until_it_is_active_again() {
    let tenant = Tenant::new().await;
    system().publish(tenant.id).await;
    tenant.contact().await;
    tenant.suspend().await;
    let waiting = "select count(*) from messaging.outbox where tenant_id = $1";
    let superuser = system().superuser().await;
    system().publish(tenant.id).await;
    assert!(superuser.query_one(waiting, &[&tenant.id]).await.expect("a count").get::<_, i64>(0) >= 1);
    superuser
        .execute("update tenancy.organizations set status = 'active' where id = $1", &[&tenant.id])
        .await
        .expect("an active organization");
    system().publish(tenant.id).await;
    assert_eq!(superuser.query_one(waiting, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 0);
    assert_eq!(page(&tenant.viewer, 0).await.0.len(), 1);
}

#[tokio::test]
async fn every_type_that_is_written_is_listed_with_the_role_that_reads_it() {
    let tenant = Tenant::new().await;
    let listed = Actor::anonymous().get("/api/v1/event-types").await.expect(200);
    let listed: BTreeSet<_> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (item["type"].as_str().expect("a name"), item["lowest_role"].as_str().expect("a role")))
        .collect();
    assert_eq!(listed.len(), api::EVENTS.iter().count());
    // Those of tables that are created, updated and deleted.
    let triggers = system()
        .superuser()
        .await
        .query(
            "select split_part(encode(tgargs, 'escape'), '\\000', 1), split_part(encode(tgargs, 'escape'), '\\000', 2),
                    tgtype & 4 > 0, tgtype & 16 > 0, tgtype & 8 > 0
             from pg_trigger where tgfoid = 'messaging.record_event()'::regprocedure",
            &[],
        )
        .await
        .expect("triggers");
    let mut written = BTreeSet::new();
    for row in &triggers {
        let (kind, role): (String, String) = (row.get(0), row.get(1));
        for (at, verb) in [(2, "created"), (3, "updated"), (4, "deleted")] {
            if row.get(at) {
                written.insert((format!("{kind}.{verb}"), role.clone()));
            }
        }
    }
    assert!(written.len() > 20, "{written:?}");
    let with_a_life = |name: &str| {
        ["appointment.", "hold.", "waitlist.", "webhook_endpoint."].iter().any(|kind| name.starts_with(kind))
    };
    let expected: BTreeSet<_> = listed
        .iter()
        // Assigning has a trigger of its own.
        .filter(|(name, _)| !with_a_life(name) && *name != "task.assigned")
        .map(|(name, role)| ((*name).to_owned(), (*role).to_owned()))
        .collect();
    assert_eq!(written, expected);
    // And whatever the tests of this process have caused.
    tenant.furnished().await;
    system().publish(tenant.id).await;
    let found = "select distinct type, lowest_role from messaging.events where type <> 'domain.created'";
    for row in system().superuser().await.query(found, &[]).await.expect("types") {
        let (name, role): (String, String) = (row.get(0), row.get(1));
        assert!(listed.contains(&(&*name, &*role)), "{name} for {role}");
    }
}
