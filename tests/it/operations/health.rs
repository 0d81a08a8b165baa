//! What a load balancer asks.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Actor, private_system, within};

#[tokio::test]
async fn server_is_alive_and_ready() {
    let anonymous = Actor::anonymous();
    for path in ["/health", "/health/live", "/health/startup", "/health/ready"] {
        assert_eq!(anonymous.get(path).await.expect(200), json!({ "status": "ok" }), "{path}");
    }
}

#[tokio::test]
async fn readiness_asked_many_times_at_once_queries_the_database_once() {
    let system = private_system(&["max_connections=40"]).await;
    within(system, async {
        let (locking, watching) = (system.superuser().await, system.superuser().await);
        locking
            .batch_execute("begin; lock table app.migrations in access exclusive mode")
            .await
            .expect("a lock");
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let anonymous = Actor::anonymous();
                tokio::spawn(within(system, async move { anonymous.get("/health/ready").await.status }))
            })
            .collect();
        let waiting = async || -> i64 {
            let sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'appointd_api'";
            watching.query_one(sql, &[]).await.expect("figures").get(0)
        };
        for _ in 0..100 {
            if waiting().await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Time for the others to ask as well, if they did.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let waiting = waiting().await;
        assert!((1..=2).contains(&waiting), "{waiting} connections wait, one of each thread");
        locking.batch_execute("rollback").await.expect("the lock is let go");
        for asked in asking {
            assert_eq!(asked.await.expect("no panic"), 200);
        }
    })
    .await;
}
