//! How many holds an organization may have, and that expired ones of one organization do not keep those of another.

use appointd::scheduling::booking::expiry;
use futures_util::future::join_all;

use super::transitions::Shop;
use crate::harness::{private_system, system, within};

/// So many holds, without any time of theirs, all in one transaction.
async fn insert_holds(holds: &[(&Shop, u32, &str)]) {
    let insert = |(shop, count, expires): &(&Shop, u32, &str)| {
        format!(
            "insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
             select '{}', gen_random_uuid(), '{}', '{}', '2032-01-01T00:00Z', '2032-01-01T00:30Z', {expires}
             from generate_series(1, {count});",
            shop.tenant.id, shop.service, shop.provider
        )
    };
    let inserts: String = holds.iter().map(insert).collect();
    system().superuser().await.batch_execute(&format!("begin; {inserts} commit")).await.expect("holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_beyond_500_that_stand_are_refused_also_when_made_at_once() {
    let (shop, other) = (Shop::new().await, Shop::new().await);
    // Those that have expired do not count.
    insert_holds(&[(&shop, 499, "now() + interval '1 hour'"), (&shop, 50, "now() - interval '1 hour'")])
        .await;
    let starts: Vec<_> = (9..17).map(|hour| format!("2031-05-05T{hour:02}:00:00Z")).collect();
    let answers = join_all(starts.iter().map(|start| shop.hold(start))).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.status == 409 && answer.body["code"] == "too_many_holds")
        .count();
    assert_eq!((created.len(), refused), (1, 7), "{answers:?}");
    // One released, one more; and what another organization has does not count.
    let hold = created[0].body["id"].as_str().expect("an id");
    shop.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    shop.hold("2031-05-06T09:00:00Z").await.expect(201);
    other.hold("2031-05-06T09:00:00Z").await.expect(201);
}

#[tokio::test]
async fn expired_holds_of_one_organization_do_not_delay_those_of_another_and_all_go_in_one_sweep() {
    within(private_system(&[]).await, async {
        let (flooding, other) = (Shop::new().await, Shop::new().await);
        // The other's has expired last.
        insert_holds(&[
            (&flooding, 1600, "now() - interval '1 hour'"),
            (&other, 1, "now() - interval '1 second'"),
        ])
        .await;
        expiry::sweep(&system().db(4), &system().parts.mailer).await.expect("a sweep");
        let superuser = system().superuser().await;
        // What the server's own sweep holds at this moment it is about to remove.
        let mut left = -1_i64;
        for _ in 0..50 {
            let sql = "select count(*) from scheduling.holds where expires_at < now()";
            left = superuser.query_one(sql, &[]).await.expect("a count").get(0);
            if left == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(left, 0);
        // By the log: of the flood's 1,600 at most two turns of 200 were removed before the other's one.
        let sql = "select count(*) from operations.audit_events as e
            where e.tenant_id = $1 and e.relation = 'scheduling.holds' and e.action = 'delete'
              and e.occurred_at < (
                  select min(o.occurred_at) from operations.audit_events as o
                  where o.tenant_id = $2 and o.relation = 'scheduling.holds' and o.action = 'delete'
              )";
        let before: i64 =
            superuser.query_one(sql, &[&flooding.tenant.id, &other.tenant.id]).await.expect("a count").get(0);
        assert!(before <= 400, "{before}");
    })
    .await;
}
