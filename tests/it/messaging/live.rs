//! Streams of events: what they send, where they begin, and when they end.

use std::time::Duration;

use appointd::{
    metrics::{encode, registry},
    server::Server,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::harness::{
    Actor, Tenant,
    booking::BookingFixture,
    eventually,
    metrics::value,
    person,
    stream::{Sent, Stream},
    system,
};

const STREAM: &str = "/api/v1/events/stream";
const MINE: &str = "/api/v1/my/events/stream";

/// A server whose streams look by themselves that often.
async fn server(beat: Duration) -> Server {
    system().another_server(|parts| parts.streams.beat = beat).await
}

/// Often enough for a test to wait for it.
const SOON: Duration = Duration::from_millis(200);

/// Not within a test: what arrives was told by a publisher.
const NEVER: Duration = Duration::from_secs(3600);

/// All events that a member may list after a position.
async fn listed(tenant: &Tenant, actor: &Actor, after: &str) -> Vec<Value> {
    system().publish(tenant.id).await;
    let page = actor.get(&format!("/api/v1/events?after={after}&limit=500")).await.expect(200);
    page["items"].as_array().expect("items").clone()
}

async fn read(stream: &mut Stream, count: usize) -> Vec<Sent> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(stream.event().await);
    }
    events
}

#[tokio::test]
async fn stream_sends_what_is_published_and_goes_on_where_it_was_left() {
    let tenant = Tenant::new().await;
    let server = server(NEVER).await;
    let viewer = tenant.viewer.at(server.address());
    tenant.contact().await;
    system().publish(tenant.id).await;
    let mut stream = Stream::open(&viewer, STREAM, None).await;
    let begun = stream.position().await;
    let counted = encode(&registry([]));
    assert!(value(&counted, "appointd_streams", &[]) >= Some(1.0), "{counted}");
    let contact = tenant.contact().await;
    tenant.staff.patch(&format!("/api/v1/contacts/{contact}"), json!({ "phone": "030 1" })).await.expect(200);
    let expected = listed(&tenant, &tenant.viewer, &begun).await;
    let sent = read(&mut stream, 2).await;
    let data: Vec<_> = sent.iter().map(|event| event.data.clone()).collect();
    assert_eq!(data, expected);
    assert_eq!(sent[1].id, expected[1]["position"].to_string());
    assert_eq!(sent[1].data["type"], "contact.updated");
    drop(stream);

    let (third, fourth) = (tenant.contact().await, tenant.contact().await);
    system().publish(tenant.id).await;
    let mut stream = Stream::open(&viewer, STREAM, Some(&sent[1].id)).await;
    let missed = read(&mut stream, 2).await;
    let subjects: Vec<_> = missed.iter().map(|event| event.data["subject_id"].clone()).collect();
    assert_eq!(subjects, [json!(third), json!(fourth)]);
    // The header names what was read later than the address says.
    let path = format!("{STREAM}?after={begun}&types=contact.created");
    let mut stream = Stream::open(&viewer, &path, Some(&missed[0].id)).await;
    assert_eq!(stream.event().await, missed[1]);
    let mut stream = Stream::open(&viewer, &path, None).await;
    let created = read(&mut stream, 3).await;
    // From the beginning, with a change of the plan that is long past.
    let all = listed(&tenant, &tenant.viewer, "0").await;
    assert!(all.iter().any(|event| event["type"] == "subscription.updated"));
    let mut stream = Stream::open(&viewer, STREAM, Some("0")).await;
    let data: Vec<_> = read(&mut stream, all.len()).await.into_iter().map(|event| event.data).collect();
    assert_eq!(data, all);
    assert_eq!(
        created.iter().map(|event| &event.id).collect::<Vec<_>>(),
        [&sent[0].id, &missed[0].id, &missed[1].id]
    );
}

#[tokio::test]
async fn stream_sends_what_its_role_may_read_and_ends_when_the_role_changes() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let server = server(NEVER).await;
    let demoted = person(tenant.id, "staff").await;
    let open = async |actor: &Actor| Stream::open(&actor.at(server.address()), STREAM, None).await;
    system().publish(tenant.id).await;
    system().publish(other.id).await;
    let (key, _) = tenant.owner.api_key("staff", &["messaging:read"]).await;
    let mut staff = open(&tenant.staff).await;
    let mut second = open(&tenant.staff).await;
    let mut by_key = open(&key).await;
    let mut viewer = open(&tenant.viewer).await;
    let mut former = open(&demoted).await;
    let mut foreign = open(&other.owner).await;
    let invite = async || {
        let body = json!({ "email": crate::harness::address(), "role": "staff" });
        tenant.admin.post("/api/v1/invitations", body).await.created();
        system().publish(tenant.id).await;
    };
    invite().await;
    for stream in [&mut staff, &mut second, &mut by_key, &mut former] {
        assert_eq!(stream.event().await.data["type"], "invitation.created");
    }
    let path = format!("/api/v1/members/{}", demoted.account);
    tenant.admin.patch(&path, json!({ "role": "viewer" })).await.expect(200);
    invite().await;
    // Not one of the events that came with the change.
    assert_eq!(former.end().await, "role_changed");
    for stream in [&mut staff, &mut second, &mut by_key] {
        let types: Vec<_> = read(stream, 2).await.iter().map(|event| event.data["type"].clone()).collect();
        assert_eq!(types, ["member.updated", "invitation.created"]);
    }
    // One who may not read a kind of events has none of it.
    assert_eq!(viewer.event().await.data["type"], "member.updated");
    tenant.contact().await;
    system().publish(tenant.id).await;
    assert_eq!(viewer.event().await.data["type"], "contact.created");
    // Of all this another organization hears nothing.
    let theirs = other.contact().await;
    let own = listed(&other, &other.owner, "0").await;
    loop {
        let sent = foreign.event().await;
        assert!(own.contains(&sent.data), "{sent:?}");
        if sent.data["subject_id"] == json!(theirs) {
            break;
        }
    }
}

#[tokio::test]
async fn customer_follows_their_own_appointments() {
    let fixture = BookingFixture::new().await;
    let tenant = &fixture.tenant;
    let customer = fixture.customer().await;
    let server = server(NEVER).await;
    let customer = customer.at(server.address());
    system().publish(tenant.id).await;
    let mut stream = Stream::open(&customer, MINE, None).await;
    let mut foreign = fixture.body("2031-05-05T10:00:00Z");
    foreign["contact_id"] = json!(tenant.contact().await);
    tenant.staff.post("/api/v1/appointments", foreign).await.created();
    let own = fixture.book("2031-05-05T09:00:00Z").await;
    system().publish(tenant.id).await;
    let sent = stream.event().await;
    assert_eq!((&sent.data["subject_id"], sent.data.get("actor_id")), (&json!(own), None));
    assert!(sent.data["data"].get("contact_name").is_none(), "{sent:?}");
    tenant.viewer.get(MINE).await.refused(403, "customer_required");
    customer.get(STREAM).await.refused(403, "role_too_low");
}

#[tokio::test]
async fn position_that_is_not_kept_or_not_known_begins_again() {
    let tenant = Tenant::new().await;
    tenant.contact().await;
    let last = listed(&tenant, &tenant.viewer, "0").await.len();
    system()
        .superuser()
        .await
        .batch_execute(&format!(
            "delete from messaging.events where tenant_id = '{0}';
             update messaging.turns set oldest_position = last_position + 1 where tenant_id = '{0}'",
            tenant.id
        ))
        .await
        .expect("old events");
    for id in ["1".to_owned(), (last + 1).to_string()] {
        let mut stream = Stream::open(&tenant.viewer, STREAM, Some(&id)).await;
        let sent = stream.event().await;
        assert_eq!((sent.name.as_str(), &sent.data), ("resync", &json!({ "next_after": last })));
        assert_eq!(sent.id, last.to_string());
    }
}

#[tokio::test]
async fn stream_ends_with_the_session_the_key_and_the_plan() {
    let tenant = Tenant::new().await;
    let server = server(SOON).await;
    let (key, id) = tenant.owner.api_key("viewer", &["messaging:read"]).await;
    let removed = person(tenant.id, "viewer").await;
    system().publish(tenant.id).await;
    let open = async |actor: &Actor| Stream::open(&actor.at(server.address()), STREAM, None).await;
    let mut signed_out = open(&tenant.staff).await;
    let mut by_key = open(&key).await;
    let mut of_removed = open(&removed).await;
    let mut kept = open(&tenant.viewer).await;
    let delete = "delete from identity.sessions where id = $1";
    system().superuser().await.execute(delete, &[&tenant.staff.session]).await.expect("a session");
    assert_eq!(signed_out.end().await, "session_ended");
    let revoke = tenant.owner.request(Method::POST, &format!("/api/v1/api-keys/{id}/revoke"));
    tenant.owner.send(revoke).await.expect(200);
    assert_eq!(by_key.end().await, "api_key_invalid");
    tenant.admin.delete(&format!("/api/v1/members/{}", removed.account)).await.expect(204);
    assert_eq!(of_removed.end().await, "session_ended");
    // A silent stream says where it is.
    kept.position().await;
    kept.position().await;
    let plan = json!({ "features": { "queues": false } });
    tenant.owner.patch("/api/v1/organizations/me/subscription", plan).await.expect(200);
    system().publish(tenant.id).await;
    let types: Vec<_> = read(&mut kept, 2).await.iter().map(|event| event.data["type"].clone()).collect();
    assert_eq!(types, ["member.deleted", "subscription.updated"]);
    assert_eq!(kept.end().await, "plan_changed");
}

#[tokio::test]
async fn stream_ends_when_the_server_stops() {
    let tenant = Tenant::new().await;
    let server = server(NEVER).await;
    let mut stream = Stream::open(&tenant.viewer.at(server.address()), STREAM, None).await;
    assert_eq!(server.streams(), 1);
    let stopping = spawn_blocking(move || server.stop());
    assert_eq!(stream.end().await, "stopping");
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn notification_that_was_lost_delays_an_event_and_no_more() {
    let tenant = Tenant::new().await;
    let server = server(NEVER).await;
    system().publish(tenant.id).await;
    let mut stream = Stream::open(&tenant.viewer.at(server.address()), STREAM, None).await;
    // Of all servers of the tests, which listen again.
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where query = 'listen appointd_events'";
    let superuser = system().superuser().await;
    let cut: i64 = superuser.query_one(cut, &[]).await.expect("sessions").get(0);
    assert!(cut >= 1);
    let contact = tenant.contact().await;
    system().publish(tenant.id).await;
    assert_eq!(stream.event().await.data["subject_id"], json!(contact));
    // And is heard again.
    let contact = tenant.contact().await;
    system().publish(tenant.id).await;
    assert_eq!(stream.event().await.data["subject_id"], json!(contact));
}

#[tokio::test]
async fn reader_that_was_slow_gets_everything_in_its_order() {
    let tenant = Tenant::new().await;
    let server = server(NEVER).await;
    system().publish(tenant.id).await;
    let viewer = tenant.viewer.at(server.address());
    let mut quick = Stream::open(&viewer, STREAM, None).await;
    let mut slow = Stream::open(&viewer, STREAM, None).await;
    let first: i64 = quick.position().await.parse().expect("a number");
    // Far more than a feed remembers and a socket holds.
    let many = 4000;
    system()
        .superuser()
        .await
        .batch_execute(&format!(
            "insert into messaging.outbox (tenant_id, actor_kind, type, subject_id, lowest_role, data)
             select '{0}', 'system', 'contact.created', '{0}', 'viewer', jsonb_build_object('x', repeat('x', 2000))
             from generate_series(1, {many})",
            tenant.id
        ))
        .await
        .expect("events");
    system().publish(tenant.id).await;
    for stream in [&mut quick, &mut slow] {
        for position in first + 1..=first + many {
            assert_eq!(stream.event().await.id, position.to_string());
        }
    }
}

#[tokio::test]
async fn streams_are_limited_by_caller_organization_and_process() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let server = system()
        .another_server(|parts| {
            (parts.streams.caller, parts.streams.organization, parts.streams.process) = (2, 3, 4);
        })
        .await;
    let at = |actor: &Actor| actor.at(server.address());
    let open = async |actor: &Actor| Stream::open(&at(actor), STREAM, None).await;
    let refused = async |actor: &Actor| {
        let answer = at(actor).get(STREAM).await;
        assert!(answer.headers.contains_key("retry-after"));
        answer.refused(429, "stream_limit");
    };
    let first = open(&tenant.staff).await;
    let _second = open(&tenant.staff).await;
    refused(&tenant.staff).await;
    let _third = open(&tenant.viewer).await;
    refused(&tenant.admin).await;
    let _fourth = open(&other.viewer).await;
    refused(&other.staff).await;
    drop(first);
    eventually(async || (server.streams() == 3).then_some(())).await;
    open(&tenant.staff).await;
}

#[tokio::test]
async fn parameter_that_means_nothing_is_refused_by_name() {
    let tenant = Tenant::new().await;
    for (query, field, code) in [
        ("after=-1", "after", "out_of_range"),
        ("after=x", "after", "invalid_type"),
        ("types=contact.eaten", "types", "invalid_value"),
        ("limit=1", "limit", "unknown_parameter"),
    ] {
        tenant.viewer.get(&format!("{STREAM}?{query}")).await.invalid(field, code);
    }
    let request = tenant.viewer.request(Method::GET, STREAM).header("last-event-id", "x");
    tenant.viewer.send(request).await.invalid("Last-Event-ID", "invalid_type");
    Actor::anonymous().get(STREAM).await.refused(401, "credentials_missing");
}
