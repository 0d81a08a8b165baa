//! Expired holds of one organization do not keep those of another.

use crate::harness::{
    booking::{BookingFixture, insert_holds},
    eventually, private_system, system, within,
};

#[tokio::test]
async fn expired_holds_of_one_organization_do_not_delay_those_of_another() {
    within(private_system(&[]).await, async {
        let (flooding, other) = (BookingFixture::new().await, BookingFixture::new().await);
        // The other's has expired last.
        insert_holds(&[
            (&flooding, 1600, "now() - interval '1 hour'"),
            (&other, 1, "now() - interval '1 second'"),
        ])
        .await;
        system().sweep().await;
        let superuser = system().superuser().await;
        // What the server's own sweep has locked at this moment it is about to remove.
        eventually(async || {
            let sql = "select count(*) from scheduling.holds where expires_at < now()";
            let left: i64 = superuser.query_one(sql, &[]).await.expect("a count").get(0);
            (left == 0).then_some(())
        })
        .await;
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
