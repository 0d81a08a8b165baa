//! Linking a person to a provider: only the person agrees to it, and only the person ends it alone.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{
    Actor,
    booking::{BookingFixture, expect_sound_bookings},
    eventually, private_system,
    shared_person::{SharedPerson, accept, ask, link},
    system, within,
};

#[tokio::test]
async fn person_is_linked_from_acceptance_until_they_end_it() {
    let (one, two) = (BookingFixture::new().await, BookingFixture::new().await);
    let person = one.tenant.staff.clone();
    two.tenant.admit(person.account, "staff").await;
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
    one.try_book("2031-05-05T10:00:00Z").await.refused(409, "slot_unavailable");

    // The person can end it while suspended.
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
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "books for ten seconds while people are linked"]
async fn linking_during_bookings_neither_fails_nor_deadlocks() {
    within(private_system(&["max_connections=100"]).await, async {
        let SharedPerson { one, two, person } =
            SharedPerson::with(json!({ "contact_may_overlap": true })).await;
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
                        two.tenant.admit(person.account, "staff").await;
                        removed
                    }
                };
                let asked = ask(&two, person.account).await;
                let accepted = accept(&two, &person).await;
                statuses.extend([ended.status, asked.status, accepted.status]);
            }
            statuses
        };
        let booking = |fixture: &'static str, day: u32| {
            let (one, two) = (&one, &two);
            async move {
                let fixture = if fixture == "one" { one } else { two };
                let staff = &fixture.tenant.manager;
                let mut statuses = Vec::new();
                for n in 0.. {
                    if std::time::Instant::now() >= until {
                        break;
                    }
                    let start = format!("2031-06-{day:02}T{:02}:00:00Z", 9 + n % 7);
                    let booked = staff.post("/api/v1/appointments", fixture.body(&start)).await;
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
        let all = join_all(bookings.map(|(fixture, day)| booking(fixture, day)));
        let (linked, booked) = futures_util::future::join(linking, all).await;
        let statuses: Vec<u16> = linked.iter().copied().chain(booked.into_iter().flatten()).collect();
        let wrong: Vec<_> =
            statuses.iter().filter(|status| ![200, 201, 204, 404, 409].contains(*status)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(linked.len() >= 30 && statuses.len() >= 100, "{} {}", linked.len(), statuses.len());
        expect_sound_bookings(&one.tenant).await;
        expect_sound_bookings(&two.tenant).await;
        // Sessions write their counts down within a second of doing nothing.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert_eq!(system().deadlocks().await, 0);
    })
    .await;
}

#[tokio::test]
async fn linked_person_brings_booked_time_and_leaving_frees_it() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
    let person = one.tenant.staff.clone();
    let path = format!("/api/v1/providers/{}", two.provider);
    two.tenant.admin.patch(&path, json!({ "account_id": null })).await.expect(200);
    one.book("2031-05-05T09:00:00Z").await;
    let here = two.book("2031-05-05T09:15:00Z").await;
    ask(&two, person.account).await.expect(200);
    accept(&two, &person).await.refused(409, "person_busy");
    two.act(&here, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    accept(&two, &person).await.expect(200);
    one.try_book("2031-05-05T10:00:00Z").await.refused(409, "slot_unavailable");
    // Removing the member ends the link; the appointments stay.
    two.tenant.owner.delete(&format!("/api/v1/members/{}", person.account)).await.expect(204);
    assert_eq!(two.tenant.viewer.get(&path).await.expect(200).get("account_id"), None);
    one.book("2031-05-05T10:00:00Z").await;
    expect_sound_bookings(&one.tenant).await;
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test]
async fn booking_during_linking_is_busy_everywhere() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
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
    one.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    expect_sound_bookings(&two.tenant).await;
}

#[tokio::test]
async fn unlinking_a_foreign_provider_waits_for_no_lock() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
    let superuser = system().superuser().await;
    // The key that booking locks, and the one without the tenant.
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
async fn linked_person_is_a_member_and_not_busy_elsewhere() {
    let SharedPerson { one, two, .. } = SharedPerson::new().await;
    let path = format!("/api/v1/providers/{}", two.provider);
    for stranger in [two.tenant.customer.account, one.tenant.owner.account] {
        two.tenant
            .admin
            .patch(&path, json!({ "account_id": stranger }))
            .await
            .invalid("account_id", "not_found");
    }
    let hold = one.hold("2031-05-05T09:00:00Z").await.created();
    two.try_book("2031-05-05T09:00:00Z").await.refused(409, "slot_unavailable");
    one.expire(&hold).await;
    // The other organization cannot see that it has expired; a sweep removes it.
    eventually(async || {
        system().sweep().await;
        let answer = two.try_book("2031-05-05T09:00:00Z").await;
        (answer.status == 201).then_some(())
    })
    .await;
    // From one account to another who is busy.
    let (busy, third) = (one.tenant.manager.clone(), BookingFixture::new().await);
    for tenant in [&two.tenant, &third.tenant] {
        tenant.admit(busy.account, "staff").await;
    }
    ask(&third, busy.account).await.expect(200);
    accept(&third, &busy).await.expect(200);
    third.book("2031-05-05T09:00:00Z").await;
    ask(&two, busy.account).await.expect(200);
    accept(&two, &busy).await.refused(409, "person_busy");
    expect_sound_bookings(&two.tenant).await;
}
