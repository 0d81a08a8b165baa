//! What receivers get, and what becomes of deliveries that fail.

use std::{collections::BTreeSet, sync::Arc};

use appointd::messaging::webhooks::{addresses::Reach, sender::LookingUp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{
    DELIVERIES, ENDPOINTS, Hook, claim, deliver, deliver_with, errors, handler, hook, hook_at, latest,
    make_due, post, run, sender,
};
use crate::harness::{
    Tenant,
    booking::BookingFixture,
    eventually,
    metrics::counted,
    private_system,
    receiver::{Received, Receiver, Reply},
    system, within,
};

/// Verifies a request as a receiver does, with the library of the standard.
fn verifies(secret: &str, request: &Received) -> bool {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: reqwest::header::HeaderMap = names
        .iter()
        .map(|name| (name.parse().expect("a name"), request.header(name).parse().expect("a value")))
        .collect();
    Webhook::new(secret).expect("a secret").verify(request.body.as_bytes(), &headers).is_ok()
}

/// Sets the clock of what an endpoint has failed since back.
async fn failing_for(hook: &Hook, hours: i32) {
    let sql = "update messaging.webhook_endpoints set failing_since = now() - make_interval(hours => $2) where id = $1";
    system().superuser().await.execute(sql, &[&hook.id, &hours]).await.expect("a change");
}

#[tokio::test]
async fn appointment_that_is_booked_moved_and_cancelled_is_told_with_names_and_verifies() {
    let fixture = BookingFixture::new().await;
    let receiver = Receiver::answering(vec![]).await;
    let hook = hook(&fixture.tenant, &receiver, json!({ "types": ["appointment.*"] })).await;
    let organization = fixture.tenant.admin.get("/api/v1/organizations/me").await.expect(200);
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    fixture.act(&id, "cancel", json!({})).await.expect(200);
    deliver(&fixture.tenant).await;
    assert_eq!(receiver.types(), ["appointment.created", "appointment.rescheduled", "appointment.cancelled"]);
    let requests = receiver.received();
    for request in &requests {
        assert!(verifies(&hook.secret, request), "{request:?}");
        let body = request.json();
        assert_eq!(body["id"], request.header("webhook-id"));
        assert_eq!(body["organization_id"], fixture.tenant.id.to_string());
        assert_eq!(body["organization_name"], organization["name"]);
        assert_eq!((&body["data"]["service_name"], &body["subject_id"]), (&json!("Service"), &json!(id)));
        assert!(
            body["data"]["contact_name"].is_string() && body["data"]["provider_name"].is_string(),
            "{body}"
        );
    }
    let moved = requests[1].json();
    let time = |value: &Value| value.as_str().map(|text| text[..19].to_owned());
    assert_eq!(time(&moved["previous"]["starts_at"]).as_deref(), Some("2031-05-05T09:00:00"));
    assert_eq!(time(&moved["previous"]["ends_at"]).as_deref(), Some("2031-05-05T09:30:00"));
    assert_eq!(requests[0].json()["previous"], Value::Null);
    // Another body, or another secret.
    let mut forged = requests[0].clone();
    forged.body.push(' ');
    assert!(!verifies(&hook.secret, &forged));
    assert!(!verifies("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &requests[0]));
}

#[tokio::test]
async fn delivery_that_fails_is_sent_again_with_the_same_id() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![Reply::Status(500), Reply::Status(500)]).await;
    let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    let counts = || counted("appointd_webhook_requests_total", ["error_status", "delivered"]);
    let [failed, delivered] = counts();
    tenant.contact().await;
    for attempts in 1..=3 {
        deliver(&tenant).await;
        assert_eq!(receiver.received().len(), attempts, "it is due later");
        make_due(&tenant).await;
    }
    let sent = latest(&tenant).await;
    assert_eq!((&sent["state"], &sent["attempts"]), (&json!("delivered"), &json!(3)));
    assert_eq!(errors(&sent), ["error_status", "error_status", ""]);
    assert_eq!((&sent["log"][0]["status"], &sent["log"][0]["response"]), (&json!(500), &json!("ok")));
    let requests = receiver.received();
    let ids: BTreeSet<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert!(requests.iter().all(|request| verifies(&hook.secret, request)));
    // Sent once more by hand, it stays delivered.
    let id = sent["id"].as_str().expect("an id");
    post(&tenant, &format!("{DELIVERIES}/{id}/retry")).await.expect(200);
    deliver(&tenant).await;
    let again = latest(&tenant).await;
    assert_eq!((&again["state"], &again["attempts"]), (&json!("delivered"), &json!(4)));
    assert_eq!(receiver.received()[3].header("webhook-id"), requests[0].header("webhook-id"));
    let since = counts();
    assert!(since[0] >= failed + 2.0 && since[1] >= delivered + 2.0, "{since:?}");
}

#[tokio::test]
async fn tenth_failure_is_the_last_and_a_pause_that_is_asked_for_is_none() {
    let tenant = Tenant::new().await;
    let asked = Reply::With(429, "retry-after", "3600".to_owned());
    let replies = [asked].into_iter().chain(std::iter::repeat_n(Reply::Status(500), 20)).collect();
    let receiver = Receiver::answering(replies).await;
    hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    tenant.contact().await;
    for _ in 0..12 {
        deliver(&tenant).await;
        make_due(&tenant).await;
    }
    let sent = latest(&tenant).await;
    assert_eq!((&sent["state"], &sent["attempts"]), (&json!("failed"), &json!(11)));
    assert_eq!(receiver.received().len(), 11);
}

#[tokio::test]
async fn endpoint_that_is_gone_or_fails_for_five_days_is_disabled_and_recovers_what_it_missed() {
    let tenant = Tenant::new().await;
    for (reply, reason) in [(Reply::Status(410), "gone"), (Reply::Status(500), "failing")] {
        let receiver = Receiver::answering(vec![reply]).await;
        let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
        let path = format!("{ENDPOINTS}/{}", hook.id);
        tenant.contact().await;
        tenant.contact().await;
        if reason == "failing" {
            failing_for(&hook, 5 * 24).await;
        }
        deliver(&tenant).await;
        assert_eq!(receiver.received().len(), 1, "nothing more is sent");
        let disabled = tenant.admin.get(&path).await.expect(200);
        assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&json!(false), &json!(reason)));
        let told = "select count(*) from messaging.jobs
                    where tenant_id = $1 and kind = 'messaging.tell_disabled' and key = $2";
        let row = system()
            .superuser()
            .await
            .query_one(told, &[&tenant.id, &hook.id.to_string()])
            .await
            .expect("a count");
        assert_eq!(row.get::<_, i64>(0), 1, "admins are told");
        system().publish(tenant.id).await;
        let events = tenant.admin.get("/api/v1/events?types=webhook_endpoint.disabled").await.expect(200);
        let ids: Vec<&Value> =
            events["items"].as_array().expect("items").iter().map(|event| &event["subject_id"]).collect();
        assert!(ids.contains(&&json!(hook.id)), "{events}");
        // An event while it is disabled, and then all that it missed, in their order.
        tenant.contact().await;
        deliver(&tenant).await;
        tenant.admin.patch(&path, json!({ "enabled": true })).await.expect(200);
        let recovery =
            tenant.admin.post(&format!("{path}/recover"), json!({ "since": "2020-01-01T00:00:00Z" })).await;
        let expected = tenant.admin.get("/api/v1/events?types=contact.created").await.expect(200);
        let expected: Vec<Value> =
            expected["items"].as_array().expect("items").iter().map(|event| event["id"].clone()).collect();
        assert_eq!(recovery.expect(200)["deliveries"], json!(expected.len()));
        deliver(&tenant).await;
        let got: Vec<Value> =
            receiver.received()[1..].iter().map(|request| request.json()["id"].clone()).collect();
        assert_eq!(got, expected);
        tenant.admin.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn endpoint_that_failed_rests_while_events_come_and_a_test_does_not_wait() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![Reply::Status(500)]).await;
    let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    // It rests for minutes.
    failing_for(&hook, 1).await;
    for _ in 0..3 {
        tenant.contact().await;
        deliver(&tenant).await;
        assert_eq!(receiver.received().len(), 1);
    }
    post(&tenant, &format!("{ENDPOINTS}/{}/test", hook.id)).await.created();
    deliver(&tenant).await;
    let sent = receiver.types();
    assert!(sent.len() >= 4 && sent.contains(&"webhook.test".to_owned()), "with what was due: {sent:?}");
    // It answers again: an event is sent at once.
    tenant.contact().await;
    deliver(&tenant).await;
    assert!(receiver.received().len() > sent.len());
}

#[tokio::test]
async fn request_has_two_signatures_while_a_secret_is_replaced() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![]).await;
    let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    let path = format!("{ENDPOINTS}/{}/rotate-secret", hook.id);
    let rotated = tenant.admin.post(&path, json!({ "overlap_hours": 24 })).await.expect(200);
    let secret = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(secret, hook.secret);
    tenant.contact().await;
    deliver(&tenant).await;
    let sql = "update messaging.webhook_endpoints set previous_valid_until = now() where id = $1";
    system().superuser().await.execute(sql, &[&hook.id]).await.expect("a change");
    tenant.contact().await;
    deliver(&tenant).await;
    let [during, after] = &receiver.received()[..] else { panic!("two requests") };
    assert_eq!(during.header("webhook-signature").matches("v1,").count(), 2);
    assert!(verifies(&hook.secret, during) && verifies(&secret, during));
    assert_eq!(after.header("webhook-signature").matches("v1,").count(), 1);
    assert!(verifies(&secret, after) && !verifies(&hook.secret, after));
}

#[tokio::test]
async fn body_of_ids_has_no_name_address_or_number() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![]).await;
    hook(&tenant, &receiver, json!({ "types": ["contact.*"], "payload": "ids" })).await;
    let body = json!({
        "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com", "phone": "+1 555 0100",
        "external_id": "Hopper-1",
    });
    let id = tenant.staff.post("/api/v1/contacts", body).await.created();
    tenant.staff.patch(&format!("/api/v1/contacts/{id}"), json!({ "last_name": "Murray" })).await.expect(200);
    deliver(&tenant).await;
    let requests = receiver.received();
    assert_eq!(receiver.types(), ["contact.created", "contact.updated"]);
    for request in &requests {
        assert_eq!(request.json()["data"]["id"], json!(id));
        let organization = tenant.admin.get("/api/v1/organizations/me").await.expect(200);
        let name = organization["name"].as_str().expect("a name");
        for word in ["Grace", "Hopper", "Murray", "grace@", "555", name] {
            assert!(!request.body.contains(word), "{word}: {}", request.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoint_that_hangs_delays_no_other() {
    let tenant = Tenant::new().await;
    let release = Arc::default();
    let hanging = Receiver::answering(vec![Reply::Hanging(Arc::clone(&release))]).await;
    let quick = Receiver::answering(vec![]).await;
    hook(&tenant, &hanging, json!({ "types": ["contact.created"] })).await;
    hook(&tenant, &quick, json!({ "types": ["contact.created"] })).await;
    for _ in 0..30 {
        tenant.contact().await;
    }
    system().publish(tenant.id).await;
    let deliver = handler(sender());
    let jobs = claim(&tenant, &deliver).await;
    assert_eq!(jobs.len(), 2);
    let sending = join_all(jobs.iter().map(|job| run(&deliver, job)));
    let all =
        eventually(async || (quick.received().len() == 30 && hanging.received().len() == 1).then_some(()));
    tokio::select! {
        _ = sending => panic!("the first endpoint has answered nothing yet"),
        () = all => {}
    }
    release.notify_one();
}

#[tokio::test]
async fn address_that_is_not_allowed_is_never_named() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![]).await;
    let url = format!("https://hooks.example.com:{}/x", receiver.address.port());
    hook_at(&tenant, &url, json!({ "types": ["contact.created"] })).await;
    tenant.contact().await;
    let rebound = sender().looking_up(Arc::new(|_| -> LookingUp {
        Box::pin(async { Ok(vec!["10.1.2.3".parse().expect("an address")]) })
    }));
    deliver_with(&tenant, rebound).await;
    let sent = latest(&tenant).await;
    assert_eq!(errors(&sent), ["address_not_allowed"]);
    assert!(!sent.to_string().contains("10.1.2.3"), "{sent}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn endpoint_of_a_suspended_member_gets_nothing_until_they_are_reactivated() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::answering(vec![]).await;
    hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
    let member = format!("/api/v1/members/{}", tenant.admin.account);
    tenant.contact().await;
    system().publish(tenant.id).await;
    tenant.owner.post(&format!("{member}/suspend"), json!({})).await.expect(200);
    tenant.contact().await;
    deliver(&tenant).await;
    assert_eq!(receiver.received().len(), 0);
    tenant.owner.post(&format!("{member}/reactivate"), json!({})).await.expect(200);
    tenant.contact().await;
    deliver(&tenant).await;
    assert_eq!(receiver.received().len(), 2, "what was due before, and what came after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_of_a_server_sends_webhooks_and_tells_admins_of_an_endpoint_that_is_gone() {
    let own = private_system(&[]).await;
    within(own, async {
        let _server = own
            .another_server(|parts| {
                parts.worker = Some(own.worker_url());
                parts.webhook_reach = Reach::new(&["127.0.0.1/32".parse().expect("a network")]);
            })
            .await;
        let tenant = Tenant::new().await;
        let receiver = Receiver::answering(vec![Reply::Status(204), Reply::Status(410)]).await;
        let hook = hook(&tenant, &receiver, json!({ "types": ["contact.created"] })).await;
        for events in 1..=2 {
            tenant.contact().await;
            eventually(async || (receiver.received().len() == events).then_some(())).await;
        }
        for actor in [&tenant.owner, &tenant.admin] {
            let mail = system().mail_to(&actor.email).await;
            assert!(mail.contains("it answered that it is gone (410)"), "{mail}");
            assert!(mail.contains(&receiver.url()), "{mail}");
        }
        let read = tenant.admin.get(&format!("{ENDPOINTS}/{}", hook.id)).await.expect(200);
        assert_eq!(read["disabled_reason"], "gone");
    })
    .await;
}
