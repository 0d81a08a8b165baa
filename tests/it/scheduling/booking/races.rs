//! Many at once, over real connections. Which constraint decides is said in the migrations; that it does is shown here.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Tenant,
    booking::{APPOINTMENTS, expect_sound_bookings},
    merged, system,
};

/// Books what the bodies say, all at once; the statuses.
async fn book(tenant: &Tenant, bodies: impl IntoIterator<Item = Value>) -> Vec<u16> {
    // A connection for each, opened before the race.
    let actors: Vec<_> = bodies.into_iter().map(|body| (tenant.staff.clone(), body)).collect();
    join_all(actors.iter().map(|(actor, body)| async {
        let answer = actor.post(APPOINTMENTS, body.clone()).await;
        if answer.status == 409 {
            assert_eq!(answer.body["code"], "slot_unavailable");
        }
        answer.status
    }))
    .await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

async fn overlaps(tenant: &Tenant) -> i64 {
    system()
        .superuser()
        .await
        .query_one(
            "select count(*) from scheduling.claims as a join scheduling.claims as b
                on a.tenant_id = b.tenant_id and a.resource_id = b.resource_id and a.id < b.id and a.during && b.during
             where a.tenant_id = $1",
            &[&tenant.id],
        )
        .await
        .expect("a count")
        .get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_bookings_at_once_of_one_slot_get_one() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    for day in 1..=20 {
        let body = json!({
            "service_id": service,
            "provider_id": provider,
            "contact_id": contact,
            "starts_at": format!("2031-07-{day:02}T10:00:00Z"),
        });
        let statuses = book(&tenant, vec![body; 50]).await;
        assert_eq!((count(&statuses, 201), count(&statuses, 409)), (1, 49), "{statuses:?}");
    }
    assert_eq!(overlaps(&tenant).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_bookings_at_once_take_no_time_twice() {
    let tenant = Tenant::new().await;
    let long =
        tenant.service_with(json!({ "name": "Long", "duration_minutes": 120, "slot_step_minutes": 5, "contact_may_overlap": true })).await;
    let (provider, contact) = (tenant.provider().await, tenant.contact().await);
    for day in 1..=10 {
        let bodies = (0..24).map(|n| {
            json!({
                "service_id": long,
                "provider_id": provider,
                "contact_id": contact,
                "starts_at": format!("2031-08-{day:02}T{:02}:{:02}:00Z", 10 + n * 5 / 60, n * 5 % 60),
            })
        });
        let statuses = book(&tenant, bodies).await;
        assert_eq!(count(&statuses, 201) + count(&statuses, 409), 24, "{statuses:?}");
        assert!((1..=2).contains(&count(&statuses, 201)), "{statuses:?}");
    }
    assert_eq!(overlaps(&tenant).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookings_at_once_without_provider_get_one_of_each() {
    let tenant = Tenant::new().await;
    let (service, contact) = (tenant.service().await, tenant.contact().await);
    for _ in 0..3 {
        tenant.provider().await;
    }
    for day in 1..=10 {
        let body = json!({
            "service_id": service,
            "contact_id": contact,
            "starts_at": format!("2031-09-{day:02}T10:00:00Z"),
        });
        let statuses = book(&tenant, vec![body; 20]).await;
        assert_eq!((count(&statuses, 201), count(&statuses, 409)), (3, 17), "{statuses:?}");
    }
    assert_eq!(overlaps(&tenant).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_slot_booked_at_once_is_taken_once() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let body = json!({
        "service_id": service,
        "provider_id": provider,
        "contact_id": contact,
        "starts_at": "2031-10-01T10:00:00Z",
    });
    let mut held = tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
    for _ in 0..15 {
        let cancel_path = format!("{APPOINTMENTS}/{held}/cancel");
        let (cancelled, attempts) = futures_util::future::join(
            tenant.staff.post(&cancel_path, json!({})),
            join_all((0..10).map(|_| tenant.staff.post(APPOINTMENTS, body.clone()))),
        )
        .await;
        cancelled.expect(200);
        let mut winners: Vec<_> = attempts
            .into_iter()
            .filter(|answer| answer.status == 201)
            .map(|answer| answer.created())
            .collect();
        assert!(winners.len() <= 1, "{winners:?}");
        held = match winners.pop() {
            Some(winner) => winner,
            None => tenant.staff.post(APPOINTMENTS, body.clone()).await.created(),
        };
    }
    assert_eq!(overlaps(&tenant).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancellations_at_once_get_one() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{APPOINTMENTS}/{}/cancel", furnished.appointment);
    let answers = join_all((0..8).map(|_| tenant.staff.post(&path, json!({})))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, 7), "{statuses:?}");
}

/// A service with a limit, and providers who offer it.
async fn limited(limit: Value, providers: usize) -> (Tenant, String, Vec<String>) {
    let tenant = Tenant::new().await;
    let body = merged(
        json!({
            "name": "Limited", "duration_minutes": 30, "slot_step_minutes": 15, "contact_may_overlap": true,
        }),
        &limit,
    );
    let service = tenant.service_with(body).await;
    let mut ids = Vec::new();
    for _ in 0..providers {
        ids.push(tenant.provider().await);
    }
    (tenant, service, ids)
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookings_at_once_under_a_limit_get_one() {
    for limit in [json!({ "max_per_day": 1 }), json!({ "max_per_week": 1 })] {
        let (tenant, service, providers) = limited(limit, 4).await;
        let contact = tenant.contact().await;
        for week in 0..5 {
            let day = 3 + 7 * week;
            let start = format!("2031-{:02}-{:02}T10:00:00Z", 3 + day / 29, 1 + day % 28);
            // By every operation that books: one of them gets it.
            let answers = join_all(providers.iter().enumerate().map(|(way, provider)| {
                let mut body = json!({ "service_id": service, "provider_id": provider, "starts_at": start });
                let path = match way {
                    3 => "/api/v1/holds",
                    _ => {
                        body["contact_id"] = json!(contact);
                        APPOINTMENTS
                    }
                };
                tenant.staff.post(path, body)
            }))
            .await;
            assert_eq!(statuses(&answers), [201, 422, 422, 422], "{answers:?}");
            let refused = answers.iter().filter(|answer| answer.status == 422);
            for answer in refused {
                assert_eq!(answer.body["errors"][0]["code"], "limit_reached", "{}", answer.text);
            }
        }
        expect_sound_bookings(&tenant).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_and_moves_at_once_under_a_limit_get_one() {
    let (tenant, service, providers) = limited(json!({ "max_per_day": 1 }), 4).await;
    let contact = tenant.contact().await;
    for round in 0..4 {
        let day = |n: u64| format!("2031-{:02}-{:02}T10:00:00Z", 5 + round, 5 + n);
        let mut moved = Vec::new();
        for (n, provider) in (1..).zip(&providers[..2]) {
            let body = json!({
                "service_id": service, "provider_id": provider, "contact_id": contact, "starts_at": day(10 + n),
            });
            moved.push(tenant.staff.post(APPOINTMENTS, body).await.created());
        }
        let series = json!({
            "service_id": service, "provider_id": providers[2], "contact_id": contact, "starts_at": day(0),
            "frequency": "weekly", "count": 2,
        });
        let booked = json!({
            "service_id": service, "provider_id": providers[3], "contact_id": contact, "starts_at": day(0),
        });
        let moves = moved
            .iter()
            .map(|id| (format!("{APPOINTMENTS}/{id}/reschedule"), json!({ "starts_at": day(0) })));
        let requests: Vec<_> = moves
            .chain([("/api/v1/appointment-series".to_owned(), series), (APPOINTMENTS.to_owned(), booked)])
            .collect();
        let answers =
            join_all(requests.iter().map(|(path, body)| tenant.staff.post(path, body.clone()))).await;
        let won = answers.iter().filter(|answer| matches!(answer.status, 200 | 201)).count();
        assert_eq!((won, count(&statuses(&answers), 422)), (1, 3), "{answers:?}");
    }
    expect_sound_bookings(&tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_at_once_under_a_limit_succeed_without_deadlock() {
    let (tenant, service, providers) = limited(json!({ "max_per_day": 50, "max_per_week": 200 }), 8).await;
    let contact = tenant.contact().await;
    let before = system().deadlocks().await;
    let mut ids = Vec::new();
    for provider in &providers {
        let body = json!({
            "service_id": service, "provider_id": provider, "contact_id": contact,
            "starts_at": "2031-05-05T09:00:00Z",
        });
        ids.push(tenant.staff.post(APPOINTMENTS, body).await.created());
    }
    for round in 0..6 {
        let start = format!("2031-05-{:02}T{:02}:00:00Z", 5 + round % 3, 10 + round % 4);
        let answers = join_all(ids.iter().map(async |id| {
            let asked = Instant::now();
            let body = json!({ "starts_at": start });
            let answer = tenant.staff.post(&format!("{APPOINTMENTS}/{id}/reschedule"), body).await;
            (answer, asked.elapsed())
        }))
        .await;
        for (answer, took) in &answers {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(*took < Duration::from_secs(5), "a move waited for {took:?}: {}", answer.text);
        }
        // Each is swapped with its neighbour and moved, while others book what they leave.
        let answers = join_all((0..ids.len()).map(|n| {
            let (path, body) = match n % 3 {
                0 => (
                    format!("{APPOINTMENTS}/{}/swap", ids[n]),
                    json!({ "appointment_id": ids[(n + 1) % ids.len()] }),
                ),
                1 => (
                    format!("{APPOINTMENTS}/{}/reschedule", ids[n]),
                    json!({ "starts_at": format!("2031-05-05T{:02}:30:00Z", 9 + round) }),
                ),
                _ => (
                    APPOINTMENTS.to_owned(),
                    json!({
                        "service_id": service, "contact_id": contact, "provider_id": providers[n], "starts_at": start,
                    }),
                ),
            };
            let staff = tenant.staff.clone();
            async move { staff.post(&path, body).await }
        }))
        .await;
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 201 | 409 | 422), "{answer:?}");
        }
    }
    expect_sound_bookings(&tenant).await;
    assert_eq!(system().deadlocks().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_moved_booked_and_cancelled_at_once_do_not_deadlock() {
    let (tenant, service, providers) = limited(json!({}), 4).await;
    let before = system().deadlocks().await;
    let mut rooms = Vec::new();
    for name in ["One", "Two"] {
        let body = json!({ "kind": "room", "name": name });
        rooms.push(tenant.admin.post("/api/v1/resources", body).await.created());
    }
    let rules = json!({ "required_resources": [rooms], "contact_may_overlap": false });
    tenant.manager.patch(&format!("/api/v1/services/{service}"), rules).await.expect(200);
    let mut contacts = Vec::new();
    for _ in 0..3 {
        contacts.push(tenant.contact().await);
    }
    // Entries of the waitlist, so that freed time is offered as well.
    for contact in &contacts {
        let body = json!({
            "service_id": service, "contact_id": contact, "from": "2031-05-05T00:00:00Z",
            "to": "2031-05-09T00:00:00Z", "override_rules": true,
        });
        tenant.staff.post("/api/v1/waitlist", body).await.expect(201);
    }
    let start = |n: usize| format!("2031-05-{:02}T{:02}:{:02}:00Z", 5 + n % 2, 9 + n % 5, 15 * (n % 3));
    for round in 0..6 {
        let mut standing = Vec::new();
        for n in 0..6 {
            let body = json!({
                "service_id": service, "contact_id": contacts[n % 3], "starts_at": start(round + n),
            });
            let answer = tenant.staff.post(APPOINTMENTS, body).await;
            if answer.status == 201 {
                standing.push(answer.created());
            }
        }
        let requests: Vec<_> = (0..12)
            .map(|n| {
                // In a round that found everything taken, none stands.
                match (n % 4, standing.get(n % standing.len().max(1))) {
                    (0, Some(id)) => (format!("{APPOINTMENTS}/{id}/cancel"), json!({})),
                    (1, Some(id)) => (format!("{APPOINTMENTS}/{id}/reschedule"), json!({ "starts_at": start(round + n) })),
                    (2, _) => (
                        "/api/v1/holds".to_owned(),
                        json!({ "service_id": service, "starts_at": start(n), "provider_id": providers[n % 4] }),
                    ),
                    _ => (
                        APPOINTMENTS.to_owned(),
                        json!({ "service_id": service, "contact_id": contacts[n % 3], "starts_at": start(n) }),
                    ),
                }
            })
            .collect();
        let answers =
            join_all(requests.iter().map(|(path, body)| tenant.staff.post(path, body.clone()))).await;
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 201 | 409 | 422 | 404), "{answer:?}");
        }
    }
    expect_sound_bookings(&tenant).await;
    assert_eq!(system().deadlocks().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_at_once_of_a_taken_slot_are_refused_with_alternatives() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let mut body = json!({
        "service_id": service, "provider_id": provider, "contact_id": contact, "starts_at": "2031-10-01T10:00:00Z",
    });
    tenant.staff.post(APPOINTMENTS, body.clone()).await.expect(201);
    body.as_object_mut().expect("an object").remove("contact_id");
    let answers = join_all((0..24).map(|_| tenant.staff.post("/api/v1/holds", body.clone()))).await;
    for answer in answers {
        let problem = answer.refused(409, "slot_unavailable");
        assert_eq!(problem["alternatives"].as_array().map(Vec::len), Some(3));
    }
}
