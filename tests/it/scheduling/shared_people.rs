//! Somebody who works for two organizations is in one place at a time, and neither learns more of the other than that.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lifecycle::{Shop, nothing_is_wrong};
use crate::harness::{enter, system};

/// Two organizations in which one person is a provider.
async fn shared() -> (Shop, Shop, Uuid) {
    let (one, two) = (Shop::new().await, Shop::new().await);
    let person = one.tenant.staff.account;
    // As accepting an invitation of the other leaves it.
    system()
        .superuser()
        .await
        .execute(
            "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'staff')",
            &[&two.tenant.id, &person],
        )
        .await
        .expect("a membership");
    for shop in [&one, &two] {
        let path = format!("/api/v1/providers/{}", shop.provider);
        shop.tenant.admin.patch(&path, json!({ "account_id": person })).await.expect(200);
    }
    (one, two, person)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_is_never_booked_by_two_organizations_at_once() {
    let (one, two, person) = shared().await;
    for day in 5..15 {
        let start = format!("2031-05-{day:02}T09:00:00Z");
        // Different stretches that overlap, in both, at once.
        let bookings = (0..6).map(|n| {
            let shop = if n % 2 == 0 { &one } else { &two };
            let mut body = shop.body(&start);
            if n > 2 {
                body["starts_at"] = json!(format!("2031-05-{day:02}T09:15:00Z"));
            }
            shop.tenant.staff.post("/api/v1/appointments", body)
        });
        let statuses: Vec<_> = join_all(bookings).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
    }
    let overlaps: i64 = system()
        .superuser()
        .await
        .query_one(
            "select count(*) from scheduling.claims a join scheduling.providers p on p.tenant_id = a.tenant_id and p.id = a.resource_id
             join scheduling.providers q on q.account_id = p.account_id
             join scheduling.claims b on b.tenant_id = q.tenant_id and b.resource_id = q.id and b.id > a.id and a.during && b.during
             where p.account_id = $1",
            &[&person],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(overlaps, 0);
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn the_other_side_sees_busy_and_nothing_else() {
    let (one, two, _) = shared().await;
    let id = one.book("2031-05-05T09:00:00Z").await;
    let slots = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T09:31:00Z&include=unavailable",
        two.service
    );
    let listed = two.tenant.viewer.get(&slots).await;
    let known = [
        one.tenant.id.to_string(),
        id.clone(),
        one.provider.clone(),
        one.service.clone(),
        one.contact.clone(),
    ];
    for secret in &known {
        assert!(!listed.text.contains(secret.as_str()), "{secret} in {}", listed.text);
    }
    let listed = listed.expect(200);
    assert_eq!(listed["items"][0]["reasons"], json!(["busy"]));
    assert_eq!(listed["items"][2]["bookable"], true);
    let refused = two.tenant.staff.post("/api/v1/appointments", two.body("2031-05-05T09:00:00Z")).await;
    assert!(
        known.iter().all(|secret| !refused.text.contains(secret.as_str()))
            && !refused.text.contains("shared"),
        "{}",
        refused.text
    );
    // As if it were their own that was in the way.
    let own = two.tenant.contact().await;
    let mut body = two.body("2031-05-05T11:00:00Z");
    two.tenant.staff.post("/api/v1/appointments", body.clone()).await.expect(201);
    body["contact_id"] = json!(own);
    let theirs = two.tenant.staff.post("/api/v1/appointments", body).await.refused(409, "slot_unavailable");
    let plain = |mut problem: Value| {
        (problem["request_id"], problem["alternatives"]) = (Value::Null, Value::Null);
        problem
    };
    assert_eq!(plain(refused.refused(409, "slot_unavailable")), plain(theirs));
    // Moving meets it as well, and holding.
    let moved = two.book("2031-05-05T13:00:00Z").await;
    two.act(&moved, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" }))
        .await
        .refused(409, "slot_unavailable");
    two.hold("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    // Cancelled there, free here.
    one.act(&id, "cancel", json!({})).await.expect(200);
    two.act(&moved, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" })).await.expect(200);
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn with_sql_as_the_server_nobody_reads_the_claims_of_the_other() {
    let (one, two, person) = shared().await;
    one.book("2031-05-05T09:00:00Z").await;
    let api = system().connect("appointd_api").await;
    enter(&api, two.tenant.id, &two.tenant.owner).await;
    for table in ["claims", "shared_claims", "appointments"] {
        let rows = api.query(&format!("select tenant_id from scheduling.{table}"), &[]).await.expect("rows");
        assert!(rows.is_empty(), "{table}");
    }
    let elsewhere = async |provider: &str| -> Vec<chrono::DateTime<chrono::Utc>> {
        let provider: Uuid = provider.parse().expect("an id");
        let sql = "select starts from scheduling.busy_elsewhere($1, '2031-05-05', '2031-05-06')";
        api.query_one(sql, &[&provider]).await.expect("a row").get(0)
    };
    assert_eq!(elsewhere(&two.provider).await.len(), 1);
    // Of their own providers alone.
    assert_eq!(elsewhere(&one.provider).await.len(), 0);
    // Nor can anybody be made somebody else's account.
    let forged = format!(
        "insert into scheduling.shared_claims (claim_id, provider_id, account_id, session_id, starts_at, ends_at)
         values (gen_random_uuid(), '{}', '{}', gen_random_uuid(), '2031-05-05', '2031-05-06')",
        two.provider, one.tenant.owner.account
    );
    let refused = api.execute(&forged, &[]).await.expect_err("a refusal");
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::FOREIGN_KEY_VIOLATION));
    api.batch_execute("rollback").await.expect("a rollback");
    let foreign = json!({ "account_id": one.tenant.owner.account });
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, foreign).await.invalid("account_id", "not_found");
    let second =
        two.tenant.admin.post("/api/v1/providers", json!({ "name": "Twin", "account_id": person })).await;
    second.refused(409, "account_taken");
}

#[tokio::test]
async fn becoming_somebody_takes_what_is_booked_along_and_leaving_gives_it_back() {
    let (one, two, person) = shared().await;
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    one.book("2031-05-05T09:00:00Z").await;
    let here = two.book("2031-05-05T09:15:00Z").await;
    two.tenant.admin.patch(&path, json!({ "account_id": person })).await.refused(409, "person_busy");
    two.act(&here, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    two.tenant.admin.patch(&path, json!({ "account_id": person })).await.expect(200);
    one.tenant
        .staff
        .post("/api/v1/appointments", one.body("2031-05-05T10:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    // Removed from the organization, the person is nobody there; the appointments stay.
    two.tenant.owner.delete(&format!("/api/v1/members/{person}")).await.expect(204);
    assert_eq!(two.tenant.viewer.get(&path).await.expect(200).get("account_id"), None);
    one.book("2031-05-05T10:00:00Z").await;
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn whoever_is_booked_while_becoming_somebody_is_taken_everywhere() {
    let (one, two, person) = shared().await;
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    // A booking that has begun, and takes its time.
    let superuser = system().superuser().await;
    superuser
        .batch_execute(&format!(
            "begin; select pg_advisory_xact_lock_shared(hashtextextended('{}{}', 0))",
            two.tenant.id, two.provider
        ))
        .await
        .expect("a lock");
    let becoming = two.tenant.admin.patch(&path, json!({ "account_id": person }));
    let booking = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let claim = format!(
            "with appointment as (
                 insert into scheduling.appointments (tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at)
                 values ('{0}', gen_random_uuid(), '{1}', '{2}', '{3}', '2031-05-05T09:00Z', '2031-05-05T09:30Z') returning id
             )
             insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at)
             select '{0}', gen_random_uuid(), '{2}', id, '2031-05-05T09:00Z', '2031-05-05T09:30Z' from appointment;
             commit",
            two.tenant.id, two.service, two.provider, two.contact
        );
        superuser.batch_execute(&claim).await.expect("a booking");
    };
    let (became, ()) = futures_util::future::join(becoming, booking).await;
    became.expect(200);
    one.tenant
        .staff
        .post("/api/v1/appointments", one.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn a_provider_of_another_organization_is_not_waited_for_nor_locked() {
    let (one, two, _) = shared().await;
    let superuser = system().superuser().await;
    // As whoever books the provider has it; and as a key without the tenant would have been.
    for key in [format!("{}{}", two.tenant.id, two.provider), two.provider.to_string()] {
        superuser
            .batch_execute(&format!(
                "begin; select pg_advisory_xact_lock_shared(hashtextextended('{key}', 0))"
            ))
            .await
            .expect("a lock");
        let path = format!("/api/v1/providers/{}", two.provider);
        // With the wait it would be a 503.
        one.tenant.admin.patch(&path, json!({ "account_id": null })).await.refused(404, "not_found");
        superuser.batch_execute("rollback").await.expect("no lock");
    }
}

#[tokio::test]
async fn who_is_somebody_works_here_and_holds_that_are_over_bind_nobody() {
    let (one, two, _) = shared().await;
    let path = format!("/api/v1/providers/{}", two.provider);
    for nobody in [two.tenant.customer.account, one.tenant.owner.account] {
        two.tenant
            .admin
            .patch(&path, json!({ "account_id": nobody }))
            .await
            .invalid("account_id", "not_found");
    }
    let hold = one.hold("2031-05-05T09:00:00Z").await.created();
    two.tenant
        .staff
        .post("/api/v1/appointments", two.body("2031-05-05T09:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    one.expire(&hold).await;
    // A server removes it within some seconds, for others cannot see that it is over.
    let mut status = 409;
    for _ in 0..100 {
        status = two.tenant.staff.post("/api/v1/appointments", two.body("2031-05-05T09:00:00Z")).await.status;
        if status == 201 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(status, 201);
    // From one account to another who is busy.
    let (busy, third) = (one.tenant.manager.account, Shop::new().await);
    for tenant in [&two.tenant, &third.tenant] {
        system()
            .superuser()
            .await
            .execute(
                "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'staff')",
                &[&tenant.id, &busy],
            )
            .await
            .expect("a membership");
    }
    let there = format!("/api/v1/providers/{}", third.provider);
    third.tenant.admin.patch(&there, json!({ "account_id": busy })).await.expect(200);
    third.book("2031-05-05T09:00:00Z").await;
    two.tenant.admin.patch(&path, json!({ "account_id": busy })).await.refused(409, "person_busy");
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn time_freed_here_is_free_elsewhere_and_taken_back_only_if_still_free() {
    let (one, two, _) = shared().await;
    let now = Utc::now();
    let id = one.book("2031-05-05T09:00:00Z").await;
    one.shift(&id, now - TimeDelta::minutes(10)).await;
    let mut body = two.body(&(now + TimeDelta::minutes(5)).to_rfc3339());
    body["override_rules"] = json!(true);
    let book = || two.tenant.staff.post("/api/v1/appointments", body.clone());
    book().await.refused(409, "slot_unavailable");
    one.act(&id, "start", json!({})).await.expect(200);
    one.act(&id, "complete", json!({})).await.expect(200);
    let other = book().await.created();
    one.act(&id, "undo", json!({})).await.refused(409, "slot_unavailable");
    two.act(&other, "cancel", json!({})).await.expect(200);
    one.act(&id, "undo", json!({})).await.expect(200);
    book().await.refused(409, "slot_unavailable");
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}
