//! What an organization has used, day by day, and for how long its events are kept.

use appointd::{
    db::WorkerDb,
    messaging::events,
    tenancy::{subscriptions, usage_days},
};
use chrono::{Days, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Tenant, booking::BookingFixture, system};

const DAYS: &str = "/api/v1/organizations/me/usage/days";

fn worker() -> WorkerDb {
    WorkerDb::new(&system().worker_url(), 8)
}

/// As if the organization had been made so many days ago, at noon.
async fn made_days_ago(tenant: &Tenant, days: i32) {
    let sql = "update tenancy.organizations set created_at = (now() - interval '5 minutes')::date - $2::integer + interval '12 hours'
               where id = $1";
    system().superuser().await.execute(sql, &[&tenant.id, &days]).await.expect("an organization");
}

async fn days(tenant: &Tenant) -> Vec<Value> {
    let listed = tenant.admin.get(DAYS).await.expect(200);
    listed["items"].as_array().expect("items").clone()
}

/// A day is closed five minutes after its end: until then, it is the current one.
fn day(ago: u64) -> String {
    ((Utc::now() - TimeDelta::minutes(5)).date_naive() - Days::new(ago)).to_string()
}

#[tokio::test]
async fn day_that_has_ended_is_closed_once_with_what_was_used() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    made_days_ago(tenant, 2).await;
    for start in ["2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z", "2031-05-05T11:00:00Z"] {
        fixture.book(start).await;
    }
    // Two were booked yesterday, in the last second of it too; the third today.
    system()
        .superuser()
        .await
        .batch_execute(&format!(
            "update scheduling.appointments set created_at = (now() - interval '5 minutes')::date - interval '1 second'
             where tenant_id = '{0}' and starts_at = '2031-05-05T09:00:00Z';
             update scheduling.appointments set created_at = (now() - interval '5 minutes')::date - interval '1 day'
             where tenant_id = '{0}' and starts_at = '2031-05-05T10:00:00Z';
             insert into tenancy.usage_days (tenant_id, day, requests, emails, sms)
             values ('{0}', (now() - interval '5 minutes')::date - 1, 7, 2, 1)",
            tenant.id
        ))
        .await
        .expect("a past");
    assert_eq!(days(tenant).await, Vec::<Value>::new(), "not closed yet");
    let db = worker();
    for closed in join_all((0..4).map(|_| usage_days::close(&db, tenant.id))).await {
        closed.expect("closed");
    }
    let closed = days(tenant).await;
    let said: Vec<_> =
        closed.iter().map(|row| (&row["day"], &row["appointments"], &row["requests"])).collect();
    assert_eq!(said, [(&json!(day(2)), &json!(0), &json!(0)), (&json!(day(1)), &json!(2), &json!(7))]);
    assert_eq!(closed[0]["ends_at"], closed[1]["starts_at"]);
    assert_eq!(closed[1]["messages"], json!({ "email": 2, "email_failed": 0, "sms": 1 }));
    assert_eq!(closed[1]["storage_bytes"], 0);
    // Again, and counting goes on: closed days stay as they are.
    usage_days::close(&db, tenant.id).await.expect("closed");
    subscriptions::add_requests(&system().door(), &[tenant.id], &[5]).await.expect("counted");
    assert_eq!(days(tenant).await, closed);
}

#[tokio::test]
async fn days_of_another_time_zone_follow_those_that_are_closed() {
    let tenant = Tenant::new().await;
    made_days_ago(&tenant, 3).await;
    let zone = async |name: &str| {
        let sql = "update tenancy.organizations set time_zone = $2 where id = $1";
        system().superuser().await.execute(sql, &[&tenant.id, &name]).await.expect("a zone");
    };
    let db = worker();
    // As far east as there is, where the day began long ago; then as far west.
    zone("Pacific/Kiritimati").await;
    usage_days::close(&db, tenant.id).await.expect("closed");
    let before = days(&tenant).await;
    zone("Pacific/Pago_Pago").await;
    usage_days::close(&db, tenant.id).await.expect("closed");
    subscriptions::add_requests(&system().door(), &[tenant.id], &[5]).await.expect("counted");
    assert_eq!(days(&tenant).await, before);
    for pair in before.windows(2) {
        assert_eq!(pair[0]["ends_at"], pair[1]["starts_at"]);
    }
    // The requests count to a day that is not closed.
    let open = "select day > (select max(day) from tenancy.usage_days where tenant_id = $1 and closed_at is not null)
                from tenancy.usage_days where tenant_id = $1 and requests >= 5 and closed_at is null";
    let open = system().superuser().await.query_one(open, &[&tenant.id]).await.expect("a day");
    assert!(open.get::<_, bool>(0));
}

#[tokio::test]
async fn days_are_listed_in_pages_to_admins_of_the_organization() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    made_days_ago(&tenant, 3).await;
    usage_days::close(&worker(), tenant.id).await.expect("closed");
    let first = tenant.admin.get(&format!("{DAYS}?limit=2")).await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("a cursor").to_owned();
    let second = tenant.admin.get(&format!("{DAYS}?limit=2&cursor={cursor}")).await.expect(200);
    let all: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().expect("items"))
        .map(|row| row["day"].as_str().expect("a day").to_owned())
        .collect();
    assert_eq!(all, [day(3), day(2), day(1)]);
    assert!(second.get("next_cursor").is_none());
    let some = tenant.admin.get(&format!("{DAYS}?from={}&to={}", day(2), day(2))).await.expect(200);
    assert_eq!(some["items"].as_array().map(Vec::len), Some(1));
    tenant.admin.get(&format!("{DAYS}?from=yesterday")).await.invalid("from", "invalid_value");
    tenant.manager.get(DAYS).await.refused(403, "role_too_low");
    assert_eq!(days(&other).await, Vec::<Value>::new());
}

#[tokio::test]
async fn organizations_are_found_by_the_time_of_their_day() {
    let tenant = Tenant::new().await;
    let (db, hour) = (worker(), std::time::Duration::from_secs(3600));
    let of_today = usage_days::in_day(&db, std::time::Duration::ZERO, 25 * hour).await.expect("ids");
    assert!(of_today.contains(&tenant.id));
    let tomorrow = usage_days::in_day(&db, 26 * hour, hour).await.expect("ids");
    assert!(!tomorrow.contains(&tenant.id));
}

#[tokio::test]
async fn events_are_kept_as_long_as_the_plan_says() {
    let (small, large) = (Tenant::on_plan("basic").await, Tenant::on_plan("pro").await);
    for tenant in [&small, &large] {
        tenant.contact().await;
        system().publish(tenant.id).await;
        let age =
            "update messaging.events set published_at = now() - interval '100 days' where tenant_id = $1";
        system().superuser().await.execute(age, &[&tenant.id]).await.expect("old events");
        tenant.contact().await;
        system().publish(tenant.id).await;
        events::forget(&worker(), tenant.id).await.expect("forgotten");
    }
    let kept = async |tenant: &Tenant| {
        tenant.viewer.get("/api/v1/events").await.expect(200)["items"].as_array().map(Vec::len)
    };
    assert_eq!(kept(&small).await, Some(1));
    assert!(kept(&large).await > Some(1));
    let plan = small.viewer.get("/api/v1/organizations/me/subscription").await.expect(200);
    assert_eq!(plan["limits"]["event_days"], 90);
}
