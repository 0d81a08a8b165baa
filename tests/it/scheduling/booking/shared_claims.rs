//! A person who works for two organizations is in one place at a time, and neither organization learns more of the
//! other than which quarters of an hour are taken.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{booking::expect_sound_bookings, enter, shared_person::SharedPerson, system};

#[tokio::test]
async fn other_organization_sees_whole_quarters_of_an_hour() {
    let rules = json!({ "duration_minutes": 1, "slot_step_minutes": 1, "contact_may_overlap": true });
    let SharedPerson { one, two, .. } = SharedPerson::with(rules).await;
    let long = one
        .tenant
        .service_with(json!({
            "name": "Seven", "duration_minutes": 7, "slot_step_minutes": 1, "contact_may_overlap": true,
        }))
        .await;
    let book = async |start: &str| {
        let body = json!({ "service_id": long, "contact_id": one.contact, "starts_at": start });
        one.tenant.staff.post("/api/v1/appointments", body).await.created()
    };
    let busy = async || -> Vec<String> {
        let path = format!(
            "/api/v1/services/{}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T11:00:00Z&include=unavailable",
            two.service
        );
        let listed = two.tenant.viewer.get(&path).await.expect(200);
        let items = listed["items"].as_array().expect("items").clone();
        let taken = items.iter().filter(|slot| slot["reasons"] == json!(["busy"]));
        taken.map(|slot| slot["starts_at"].as_str().expect("a start")[11..16].to_owned()).collect()
    };
    let minutes = |from: u32, to: u32| -> Vec<String> {
        (from..to).map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60)).collect()
    };
    // 09:35 to 09:42.
    let first = book("2031-05-05T09:35:00Z").await;
    assert_eq!(busy().await, minutes(9 * 60 + 30, 9 * 60 + 45));
    // 09:44 to 09:51: the next quarter too, and no line between the two.
    book("2031-05-05T09:44:00Z").await;
    assert_eq!(busy().await, minutes(9 * 60 + 30, 10 * 60));
    // What is listed can be booked, and what is not cannot; not even against the rules.
    let mut body = two.body("2031-05-05T09:59:00Z");
    two.tenant.staff.post("/api/v1/appointments", body.clone()).await.refused(409, "slot_unavailable");
    body["override_rules"] = json!(true);
    two.tenant.staff.post("/api/v1/appointments", body).await.refused(409, "slot_unavailable");
    two.book("2031-05-05T10:00:00Z").await;
    one.act(&first, "cancel", json!({})).await.expect(200);
    assert_eq!(busy().await, [minutes(9 * 60 + 30, 10 * 60), vec!["10:00".to_owned()]].concat());
    // Their own appointments touch as they like.
    two.book("2031-05-05T10:01:00Z").await;
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookings_at_once_of_one_person_by_two_organizations_get_one() {
    let SharedPerson { one, two, person } = SharedPerson::new().await;
    for day in 5..15 {
        let start = format!("2031-05-{day:02}T09:00:00Z");
        // Different stretches that overlap, in both, at once.
        let bookings = (0..6).map(|n| {
            let fixture = if n % 2 == 0 { &one } else { &two };
            let mut body = fixture.body(&start);
            if n > 2 {
                body["starts_at"] = json!(format!("2031-05-{day:02}T09:15:00Z"));
            }
            fixture.tenant.staff.post("/api/v1/appointments", body)
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
            &[&person.account],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(overlaps, 0);
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test]
async fn other_organization_sees_busy_and_nothing_else() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
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
    let refused = two.try_book("2031-05-05T09:00:00Z").await;
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
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test]
async fn claims_of_the_other_organization_cannot_be_read_by_sql() {
    let SharedPerson { one, two, person } = SharedPerson::new().await;
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
    // A claim cannot name an account that is not the provider's.
    let forged = format!(
        "insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
         values (gen_random_uuid(), '{}', '{}', '2031-05-05', '2031-05-06')",
        two.provider, one.tenant.owner.account
    );
    let refused = api.execute(&forged, &[]).await.expect_err("a refusal");
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::FOREIGN_KEY_VIOLATION));
    api.batch_execute("rollback").await.expect("a rollback");
    // Nor linked without being asked, by whatever the server sends.
    enter(&api, two.tenant.id, &two.tenant.owner).await;
    let link = format!("update scheduling.providers set account_id = '{}'", two.tenant.viewer.account);
    let refused = api.execute(&link, &[]).await.expect_err("a refusal");
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE));
    api.batch_execute("rollback").await.expect("a rollback");
    let foreign = json!({ "account_id": one.tenant.owner.account });
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, foreign).await.invalid("account_id", "not_found");
    let second = two
        .tenant
        .admin
        .post("/api/v1/providers", json!({ "name": "Twin", "account_id": person.account }))
        .await;
    second.refused(409, "account_taken");
}

#[tokio::test]
async fn freed_time_of_a_person_is_free_in_both_organizations() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
    let now = Utc::now();
    let id = one.book("2031-05-05T09:00:00Z").await;
    one.shift(&id, now - TimeDelta::minutes(10)).await;
    // In the next quarter of an hour, of which the first begins before it and ends in it.
    let mut body = two.body(&(now + TimeDelta::minutes(15)).to_rfc3339());
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
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}
