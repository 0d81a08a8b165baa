//! A person who works for two organizations is in one place at a time, once they have agreed to it, and neither
//! organization learns more of the other than which quarters of an hour are taken.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Actor, Answer, Tenant, enter, private_system, system, within},
    scheduling::booking::transitions::{Shop, nothing_is_wrong},
};

/// As accepting an invitation leaves it.
async fn join(tenant: &Tenant, person: Uuid) {
    system()
        .superuser()
        .await
        .execute(
            "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, 'staff')",
            &[&tenant.id, &person],
        )
        .await
        .expect("a membership");
}

/// An admin asks a person to be the provider.
async fn ask(shop: &Shop, person: Uuid) -> Answer {
    let path = format!("/api/v1/providers/{}", shop.provider);
    shop.tenant.admin.patch(&path, json!({ "account_id": person })).await
}

fn link(shop: &Shop) -> String {
    format!("/api/v1/auth/me/provider-links/{}/{}", shop.tenant.id, shop.provider)
}

async fn accept(shop: &Shop, person: &Actor) -> Answer {
    person.send(person.request(Method::POST, &format!("{}/accept", link(shop)))).await
}

/// Two organizations in which one person has agreed to be a provider.
async fn shared_with(rules: Value) -> (Shop, Shop, Actor) {
    let (one, two) = (Shop::with(rules.clone()).await, Shop::with(rules).await);
    let person = one.tenant.staff.clone();
    join(&two.tenant, person.account).await;
    for shop in [&one, &two] {
        let asked = ask(shop, person.account).await.expect(200);
        assert_eq!((asked.get("account_id"), &asked["requested_account_id"]), (None, &json!(person.account)));
        assert_eq!(accept(shop, &person).await.expect(200)["status"], "accepted");
    }
    (one, two, person)
}

async fn shared() -> (Shop, Shop, Uuid) {
    let (one, two, person) = shared_with(json!({})).await;
    (one, two, person.account)
}

#[tokio::test]
async fn person_is_linked_once_they_accept_and_until_they_end_it() {
    let (one, two) = (Shop::new().await, Shop::new().await);
    let person = one.tenant.staff.clone();
    join(&two.tenant, person.account).await;
    ask(&one, person.account).await.expect(200);
    accept(&one, &person).await.expect(200);
    one.book("2031-05-05T09:00:00Z").await;

    let name = two.tenant.viewer.get("/api/v1/organizations/me").await.expect(200)["name"].clone();
    let links = async || {
        let links = person.get("/api/v1/auth/me/provider-links").await.expect(200);
        let links = links["items"].as_array().expect("links").clone();
        links.into_iter().find(|link| link["organization_id"] == json!(two.tenant.id))
    };
    assert_eq!(links().await, None);
    ask(&two, person.account).await.expect(200);
    let mut expected = json!({
        "organization_id": two.tenant.id, "organization_name": name, "provider_id": two.provider,
        "provider_name": "Ada", "status": "requested",
    });
    assert_eq!(links().await, Some(expected.clone()));
    // Being asked changes nothing.
    let early = two.book("2031-05-05T09:00:00Z").await;
    // No other person can accept, or end, what they were not asked.
    for other in [&two.tenant.owner, &two.tenant.staff, &one.tenant.owner] {
        accept(&two, other).await.refused(404, "not_found");
        other.delete(&link(&two)).await.refused(404, "not_found");
    }
    let key = two
        .tenant
        .owner
        .post("/api/v1/api-keys", json!({ "name": "Key", "role": "admin", "scopes": ["scheduling:write"] }))
        .await
        .expect(201);
    accept(&two, &Actor::with_token(key["key"].as_str().expect("a key")))
        .await
        .refused(403, "person_required");
    // The person learns that they are booked elsewhere; the organization does not.
    accept(&two, &person).await.refused(409, "person_busy");
    two.act(&early, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    accept(&two, &person).await.expect(200);
    expected["status"] = json!("accepted");
    assert_eq!(links().await, Some(expected));
    accept(&two, &person).await.refused(404, "not_found");
    let provider = format!("/api/v1/providers/{}", two.provider);
    assert_eq!(two.tenant.viewer.get(&provider).await.expect(200)["account_id"], json!(person.account));
    // What was booked is taken in the other organization from now on.
    one.tenant
        .staff
        .post("/api/v1/appointments", one.body("2031-05-05T10:00:00Z"))
        .await
        .refused(409, "slot_unavailable");

    // The person ends it, whatever the organization thinks of them by now.
    let suspend = format!("/api/v1/members/{}/suspend", person.account);
    two.tenant.owner.post(&suspend, json!({})).await.expect(200);
    person.delete(&link(&two)).await.expect(204);
    person.delete(&link(&two)).await.refused(404, "not_found");
    assert_eq!(links().await, None);
    assert_eq!(two.tenant.viewer.get(&provider).await.expect(200).get("account_id"), None);
    one.book("2031-05-05T10:00:00Z").await;
    // A suspended member cannot be asked; one who is asked and then suspended cannot accept.
    ask(&two, person.account).await.invalid("account_id", "not_found");

    // Declined, or taken back: nothing is left of a request.
    let asked = two.tenant.manager.clone();
    assert_eq!(ask(&two, asked.account).await.expect(200)["requested_account_id"], json!(asked.account));
    asked.delete(&link(&two)).await.expect(204);
    assert_eq!(two.tenant.viewer.get(&provider).await.expect(200).get("requested_account_id"), None);
    ask(&two, asked.account).await.expect(200);
    two.tenant.admin.patch(&provider, json!({ "account_id": null })).await.expect(200);
    accept(&two, &asked).await.refused(404, "not_found");
    // Asked at creation, of one person once.
    let new = json!({ "name": "Grace", "account_id": asked.account });
    let created = two.tenant.admin.post("/api/v1/providers", new.clone()).await.expect(201);
    assert_eq!(created["requested_account_id"], json!(asked.account));
    two.tenant.admin.post("/api/v1/providers", new).await.refused(409, "account_taken");
    ask(&two, asked.account).await.refused(409, "account_taken");
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn other_side_sees_whole_quarters_of_an_hour_and_not_how_many_appointments() {
    let rules = json!({ "duration_minutes": 1, "slot_step_minutes": 1, "contact_may_overlap": true });
    let (one, two, _) = shared_with(rules).await;
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
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_while_others_book_move_and_cancel_neither_fails_nor_deadlocks() {
    within(private_system(&["max_connections=100"]).await, async {
        let (one, two, person) = shared_with(json!({ "contact_may_overlap": true })).await;
        let provider = format!("/api/v1/providers/{}", two.provider);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let linking = async {
            let mut statuses = Vec::new();
            while std::time::Instant::now() < until {
                // By the person, by an admin, and by leaving.
                let ended = match statuses.len() % 3 {
                    0 => person.delete(&link(&two)).await,
                    1 => two.tenant.admin.patch(&provider, json!({ "account_id": null })).await,
                    _ => {
                        let member = format!("/api/v1/members/{}", person.account);
                        let removed = two.tenant.owner.delete(&member).await;
                        join(&two.tenant, person.account).await;
                        removed
                    }
                };
                let asked = ask(&two, person.account).await;
                let accepted = accept(&two, &person).await;
                statuses.extend([ended.status, asked.status, accepted.status]);
            }
            statuses
        };
        let booking = |shop: &'static str, day: u32| {
            let (one, two) = (&one, &two);
            async move {
                let shop = if shop == "one" { one } else { two };
                let staff = &shop.tenant.manager;
                let mut statuses = Vec::new();
                for n in 0.. {
                    if std::time::Instant::now() >= until {
                        break;
                    }
                    let start = format!("2031-06-{day:02}T{:02}:00:00Z", 9 + n % 7);
                    let booked = staff.post("/api/v1/appointments", shop.body(&start)).await;
                    statuses.push(booked.status);
                    if booked.status != 201 {
                        continue;
                    }
                    let path = format!("/api/v1/appointments/{}", booked.created());
                    let moved = json!({ "starts_at": format!("2031-06-{day:02}T{:02}:30:00Z", 9 + n % 7) });
                    statuses.push(staff.post(&format!("{path}/reschedule"), moved).await.status);
                    statuses.push(staff.post(&format!("{path}/cancel"), json!({})).await.status);
                }
                statuses
            }
        };
        let bookings = [("two", 1), ("two", 1), ("two", 2), ("two", 3), ("one", 1), ("one", 2)];
        let all = join_all(bookings.map(|(shop, day)| booking(shop, day)));
        let (linked, booked) = futures_util::future::join(linking, all).await;
        let statuses: Vec<u16> = linked.iter().copied().chain(booked.into_iter().flatten()).collect();
        let wrong: Vec<_> =
            statuses.iter().filter(|status| ![200, 201, 204, 404, 409].contains(*status)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(linked.len() >= 30 && statuses.len() >= 100, "{} {}", linked.len(), statuses.len());
        nothing_is_wrong(&one.tenant).await;
        nothing_is_wrong(&two.tenant).await;
        // Sessions write their counts down within a second of doing nothing.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let deadlocks: i64 = system()
            .superuser()
            .await
            .query_one("select deadlocks from pg_stat_database where datname = current_database()", &[])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(deadlocks, 0);
    })
    .await;
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
    let second =
        two.tenant.admin.post("/api/v1/providers", json!({ "name": "Twin", "account_id": person })).await;
    second.refused(409, "account_taken");
}

#[tokio::test]
async fn becoming_somebody_takes_what_is_booked_along_and_leaving_gives_it_back() {
    let (one, two, _) = shared().await;
    let person = one.tenant.staff.clone();
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    one.book("2031-05-05T09:00:00Z").await;
    let here = two.book("2031-05-05T09:15:00Z").await;
    ask(&two, person.account).await.expect(200);
    accept(&two, &person).await.refused(409, "person_busy");
    two.act(&here, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    accept(&two, &person).await.expect(200);
    one.tenant
        .staff
        .post("/api/v1/appointments", one.body("2031-05-05T10:00:00Z"))
        .await
        .refused(409, "slot_unavailable");
    // Removed from the organization, the person is nobody there; the appointments stay.
    two.tenant.owner.delete(&format!("/api/v1/members/{}", person.account)).await.expect(204);
    assert_eq!(two.tenant.viewer.get(&path).await.expect(200).get("account_id"), None);
    one.book("2031-05-05T10:00:00Z").await;
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn whoever_is_booked_while_becoming_somebody_is_taken_everywhere() {
    let (one, two, _) = shared().await;
    let person = one.tenant.staff.clone();
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    ask(&two, person.account).await.expect(200);
    // A booking that has begun, and takes its time.
    let superuser = system().superuser().await;
    superuser
        .batch_execute(&format!(
            "begin; select pg_advisory_xact_lock_shared(hashtextextended('{}{}', 0))",
            two.tenant.id, two.provider
        ))
        .await
        .expect("a lock");
    let becoming = accept(&two, &person);
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
    let (busy, third) = (one.tenant.manager.clone(), Shop::new().await);
    for tenant in [&two.tenant, &third.tenant] {
        join(tenant, busy.account).await;
    }
    ask(&third, busy.account).await.expect(200);
    accept(&third, &busy).await.expect(200);
    third.book("2031-05-05T09:00:00Z").await;
    ask(&two, busy.account).await.expect(200);
    accept(&two, &busy).await.refused(409, "person_busy");
    nothing_is_wrong(&two.tenant).await;
}

#[tokio::test]
async fn time_freed_here_is_free_elsewhere_and_taken_back_only_if_still_free() {
    let (one, two, _) = shared().await;
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
    nothing_is_wrong(&one.tenant).await;
    nothing_is_wrong(&two.tenant).await;
}
