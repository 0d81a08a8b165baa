//! Many at once, over real connections. Which constraint decides is said in the migrations; that it does is shown here.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Tenant, system};

const PATH: &str = "/api/v1/appointments";

/// Books what the bodies say, all at once; the statuses.
async fn book(tenant: &Tenant, bodies: impl IntoIterator<Item = Value>) -> Vec<u16> {
    // A connection for each, opened before the race.
    let actors: Vec<_> = bodies.into_iter().map(|body| (tenant.staff.clone(), body)).collect();
    join_all(actors.iter().map(|(actor, body)| async {
        let answer = actor.post(PATH, body.clone()).await;
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
async fn of_fifty_bookings_of_one_slot_on_an_empty_day_one_succeeds_again_and_again() {
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
async fn of_bookings_that_overlap_without_being_equal_no_two_succeed() {
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
async fn of_many_bookings_of_anybody_as_many_succeed_as_there_are_providers() {
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
async fn a_slot_that_is_cancelled_and_fought_over_is_never_held_twice() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let body = json!({
        "service_id": service,
        "provider_id": provider,
        "contact_id": contact,
        "starts_at": "2031-10-01T10:00:00Z",
    });
    let mut held = tenant.staff.post(PATH, body.clone()).await.created();
    for _ in 0..15 {
        let cancel_path = format!("{PATH}/{held}/cancel");
        let (cancelled, attempts) = futures_util::future::join(
            tenant.staff.post(&cancel_path, json!({})),
            join_all((0..10).map(|_| tenant.staff.post(PATH, body.clone()))),
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
            None => tenant.staff.post(PATH, body.clone()).await.created(),
        };
    }
    assert_eq!(overlaps(&tenant).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_cancellations_one_succeeds() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{PATH}/{}/cancel", furnished.appointment);
    let answers = join_all((0..8).map(|_| tenant.staff.post(&path, json!({})))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, 7), "{statuses:?}");
}
