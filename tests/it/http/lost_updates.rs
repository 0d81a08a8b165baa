//! Clients that have read the same version of an object and change it at once, over real connections.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant};

/// The object, how it is changed, and the body of the n-th client.
type Change<'a> = (&'a str, Method, &'a str, &'a dyn Fn(usize) -> Value);

/// How many clients change an object at once.
const AT_ONCE: usize = 8;

/// Changes an object by several clients that have all read the same version; the statuses of the answers.
async fn race(
    actor: &Actor,
    object: &str,
    method: Method,
    path: &str,
    body: impl Fn(usize) -> Value,
) -> Vec<u16> {
    let etag = actor.get(object).await.header("etag").to_owned();
    let actors: Vec<_> = (0..AT_ONCE).map(|_| actor.clone()).collect();
    let answers = join_all(actors.iter().enumerate().map(|(number, actor)| {
        let request = actor.request(method.clone(), path).header("if-match", &etag);
        actor.send(request.header("content-type", "application/json").body(body(number).to_string()))
    }));
    answers.await.iter().map(|answer| answer.status).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_of_one_version_get_one() {
    let tenant = Tenant::new().await;
    let (service, provider, contact) =
        (tenant.service().await, tenant.provider().await, tenant.contact().await);
    let appointment =
        json!({ "service_id": service, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z" });
    let appointment = tenant.staff.post("/api/v1/appointments", appointment).await.created();
    let rooms =
        [tenant.admin.post("/api/v1/resources", json!({ "kind": "room", "name": "R" })).await.created()];
    let hours = |round: usize, number: usize| json!([{ "weekday": "monday", "from": format!("{:02}:{round:02}", number + 1), "to": "17:00" }]);
    let (service, contact, room) = (
        format!("/api/v1/services/{service}"),
        format!("/api/v1/contacts/{contact}"),
        format!("/api/v1/resources/{}", rooms[0]),
    );
    let schedule = format!("/api/v1/providers/{provider}/schedule");
    let appointment = format!("/api/v1/appointments/{appointment}");
    let (reschedule, cancel) = (format!("{appointment}/reschedule"), format!("{appointment}/cancel"));
    for round in 0..5 {
        // No two bodies are the same: a change to the current values makes no other version.
        let named = |number: usize| json!({ "name": format!("Name {round} {number}") });
        let changes: [Change<'_>; 6] = [
            (&service, Method::PATCH, &service, &named),
            (
                &service,
                Method::PATCH,
                &service,
                &|number| json!({ "name": format!("Other {round} {number}"), "required_resources": vec![&rooms; number % 2] }),
            ),
            (
                &contact,
                Method::PATCH,
                &contact,
                &|number| json!({ "first_name": format!("Name {round} {number}") }),
            ),
            (&room, Method::PATCH, &room, &named),
            (
                &schedule,
                Method::PUT,
                &schedule,
                &|number| json!({ "time_zone": "UTC", "rules": hours(round, number) }),
            ),
            (
                &appointment,
                Method::POST,
                &reschedule,
                &|number| json!({ "starts_at": format!("2031-05-{:02}T{:02}:30:00Z", 5 + round, 9 + number % 8), "override_rules": true }),
            ),
        ];
        for (object, method, path, body) in changes {
            let statuses = race(&tenant.owner, object, method, path, body).await;
            let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
            assert_eq!((count(200), count(412)), (1, AT_ONCE - 1), "{path}: {statuses:?}");
        }
    }
    let statuses = race(&tenant.owner, &appointment, Method::POST, &cancel, |_| json!({})).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost_among_clients_that_send_the_version_they_have_read() {
    let tenant = Tenant::new().await;
    let path = format!(
        "/api/v1/services/{}",
        tenant
            .service_with(
                json!({ "name": "Cut", "duration_minutes": 30, "price_amount": 0, "price_currency": "EUR" })
            )
            .await
    );
    // Each adds one, again and again until its version is the current one. One more changes something else, and sends
    // none.
    let add = async |actor: Actor| {
        loop {
            let read = actor.get(&path).await;
            let price = read.body["price_amount"].as_i64().expect("a price") + 1;
            let request = actor.request(Method::PATCH, &path).header("if-match", read.header("etag"));
            let body = json!({ "price_amount": price }).to_string();
            let answer = actor.send(request.header("content-type", "application/json").body(body)).await;
            match answer.status {
                200 => return,
                412 => {}
                status => panic!("{status}: {}", answer.text),
            }
        }
    };
    let adding = join_all((0..AT_ONCE).map(|_| add(tenant.manager.clone())));
    let renaming = async {
        for number in 0..20 {
            tenant.owner.patch(&path, json!({ "name": format!("Cut {number}") })).await.expect(200);
        }
    };
    futures_util::future::join(adding, renaming).await;
    let read = tenant.manager.get(&path).await.expect(200);
    assert_eq!((&read["price_amount"], &read["name"]), (&json!(AT_ONCE), &json!("Cut 19")));
}
