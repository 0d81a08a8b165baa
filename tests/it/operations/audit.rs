use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::harness::{Actor, Tenant, enter, system};

const PATH: &str = "/api/v1/audit-events";

async fn events(actor: &Actor, query: &str) -> Vec<Value> {
    let page = actor.get(&format!("{PATH}?limit=100{query}")).await.expect(200);
    page["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn change_is_logged_with_actor_values_and_request() {
    let tenant = Tenant::new().await;
    let contact = tenant.contact().await;
    let path = format!("/api/v1/contacts/{contact}");
    let request = tenant
        .manager
        .request(Method::PATCH, &path)
        .header("content-type", "application/json")
        .header("x-request-id", "a-request-of-mine")
        .body(json!({ "phone": "+1 555 0100" }).to_string());
    tenant.manager.send(request).await.expect(200);
    tenant.manager.patch(&path, json!({ "phone": "+1 555 0100" })).await.expect(200);
    tenant.manager.delete(&path).await.expect(204);
    let log = events(&tenant.admin, &format!("&row_id={contact}")).await;
    let told: Vec<_> = log.iter().map(|event| event["action"].as_str().expect("an action")).collect();
    // The latest first; a change that changes nothing is none.
    assert_eq!(told, ["delete", "update", "insert"]);
    let update = &log[1];
    assert_eq!(update["actor_kind"], "account");
    assert_eq!(update["actor_id"], json!(tenant.manager.account));
    assert_eq!(update["request_id"], "a-request-of-mine");
    assert_eq!(update["relation"], "crm.contacts");
    assert_eq!(
        (&update["before"], &update["after"]),
        (&json!({ "phone": null }), &json!({ "phone": "+1 555 0100" }))
    );
    assert_eq!(log[2]["actor_id"], json!(tenant.staff.account));
    assert_eq!(log[2]["after"]["last_name"], "Hopper");
    assert_eq!(log[0]["before"]["phone"], "+1 555 0100");
}

#[tokio::test]
async fn change_log_is_filtered_paged_and_for_admins() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    for _ in 0..5 {
        tenant.contact().await;
    }
    other.contact().await;
    let by = format!("&actor_id={}&relation=crm.contacts", tenant.staff.account);
    assert_eq!(events(&tenant.admin, &by).await.len(), 5);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = tenant.admin.get(&format!("{PATH}?limit=2{by}{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().expect("a list").iter().map(|event| event["id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all: Vec<_> = events(&tenant.admin, &by).await.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(seen, all);
    assert!(events(&tenant.admin, "&to=2020-01-01T00:00:00Z").await.is_empty());
    assert!(!events(&tenant.admin, "&from=2020-01-01T00:00:00Z").await.is_empty());
    tenant.admin.get(&format!("{PATH}?from=yesterday")).await.invalid("from", "invalid_value");
    tenant.manager.get(PATH).await.refused(403, "role_too_low");
    let theirs = events(&tenant.admin, &format!("&actor_id={}", other.staff.account)).await;
    assert!(theirs.is_empty());
}

#[tokio::test]
async fn change_log_tells_actors_apart_and_contains_no_secret() {
    let tenant = Tenant::new().await;
    tenant.furnished().await;
    let made = tenant
        .owner
        .post("/api/v1/api-keys", json!({ "name": "Key", "role": "staff", "scopes": ["crm:write"] }))
        .await
        .expect(201);
    let (key, secret) = (made["id"].clone(), made["key"].as_str().expect("a key").to_owned());
    let body = json!({ "first_name": "Made", "last_name": "By a program" });
    let contact = Actor::with_token(&secret).post("/api/v1/contacts", body).await.created();
    let log = events(&tenant.admin, &format!("&row_id={contact}")).await;
    assert_eq!((&log[0]["actor_kind"], &log[0]["actor_id"]), (&json!("api_key"), &key));
    let id: Uuid = contact.parse().expect("an id");
    system()
        .superuser()
        .await
        .execute("update crm.contacts set last_name = 'Operated' where id = $1", &[&id])
        .await
        .expect("a change behind the server's back");
    let log = events(&tenant.admin, &format!("&row_id={contact}")).await;
    assert_eq!((&log[0]["actor_kind"], log[0].get("actor_id")), (&json!("system"), None));

    let everything = tenant.admin.get(&format!("{PATH}?limit=100")).await.expect(200).to_string();
    for word in ["_hash", "secret", "challenge", "appointd-verification", &secret[30..]] {
        assert!(!everything.contains(word), "{word}");
    }
    // Using a key is no change.
    let of_key = events(&tenant.admin, &format!("&row_id={}", key.as_str().expect("an id"))).await;
    assert_eq!(of_key.len(), 1);
}

#[tokio::test]
async fn registration_and_acceptance_are_logged_with_their_actor() {
    let name = format!("a{}", Uuid::new_v4().simple());
    let body = json!({
        "email": format!("{name}@example.com"), "password": crate::harness::PASSWORD,
        "organization_name": name, "organization_slug": name,
    });
    let answer = Actor::anonymous().post("/api/v1/auth/register", body).await;
    let request_id = answer.header("x-request-id").to_owned();
    let owner = Actor::with_token(answer.expect(201)["access_token"].as_str().expect("a token"));
    let me = owner.get("/api/v1/auth/me").await.expect(200);
    let log = events(&owner, "").await;
    assert_eq!(log.len(), 5, "organization, subscription, settings, branding, owner");
    for event in &log {
        assert_eq!((&event["actor_id"], &event["request_id"]), (&me["id"], &json!(request_id)));
        assert!(event["row_id"].is_string());
    }
    system()
        .superuser()
        .await
        .execute(
            "update identity.accounts set email_verified_at = now() where email = $1",
            &[&format!("{name}@example.com")],
        )
        .await
        .expect("a verified address");
    let email = format!("i{name}@example.com");
    owner.post("/api/v1/invitations", json!({ "email": email, "role": "viewer" })).await.expect(201);
    let token = system().token_mailed_to(&email).await;
    let body = json!({ "token": token, "password": crate::harness::PASSWORD });
    let joined = Actor::anonymous().post("/api/v1/invitations/register", body).await.expect(201);
    let joined = Actor::signed_in(&joined);
    let their = joined.get("/api/v1/auth/me").await.expect(200)["id"].clone();
    let log = events(&owner, "").await;
    for (event, action) in log.iter().zip(["insert", "delete"]) {
        assert_eq!((&event["actor_id"], &event["action"]), (&their, &json!(action)), "{event}");
    }
}

#[tokio::test]
async fn every_tenant_table_is_logged() {
    let auditor = system().connect("appointd_auditor").await;
    let unlogged = auditor
        .query(
            "select c.oid::regclass::text
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not like 'pg_%'
               and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
               and not exists (
                   -- After each row, of insert, delete and update.
                   select from pg_trigger t
                   where t.tgrelid = c.oid and t.tgname = 'record_change' and t.tgenabled = 'O' and t.tgtype = 29
               )
             order by 1",
            &[],
        )
        .await
        .expect("tables");
    let unlogged: Vec<String> = unlogged.iter().map(|row| row.get(0)).collect();
    // Events, jobs, messages and deliveries, the log itself, what servers count, what owners were told, time that is
    // yet to be offered, and what follows from an appointment or a hold.
    assert_eq!(
        unlogged,
        [
            "messaging.events",
            "messaging.jobs",
            "messaging.messages",
            "messaging.outbox",
            "messaging.turns",
            "messaging.webhook_attempts",
            "messaging.webhook_deliveries",
            "operations.audit_events",
            "operations.deletions",
            "operations.idempotency_keys",
            "scheduling.appointment_segments",
            "scheduling.claims",
            "scheduling.freed_time",
            "scheduling.guest_requests",
            "scheduling.shared_claims",
            "tenancy.alerts",
            "tenancy.usage_days",
        ]
    );
}

#[tokio::test]
async fn change_log_cannot_be_written_by_the_server() {
    let tenant = Tenant::new().await;
    let contact = tenant.contact().await;
    let api = system().connect("appointd_api").await;
    for sql in [
        "insert into operations.audit_events (action, relation, actor_kind) values ('insert', 'x', 'system')",
        "update operations.audit_events set relation = 'x'",
        "delete from operations.audit_events",
        "truncate operations.audit_events",
        "alter table crm.contacts disable trigger record_change",
        "set session_replication_role = replica",
        "select operations.drop_audit_before('2100-01-01')",
    ] {
        enter(&api, tenant.id, &tenant.owner).await;
        let refused = api.batch_execute(sql).await.expect_err("a refusal");
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
        api.batch_execute("rollback").await.expect("a rollback");
    }
    // The word of the owner's restoring means nothing in another's mouth, nor does another's name.
    enter(&api, tenant.id, &tenant.owner).await;
    let manager = tenant.manager.account;
    api.batch_execute(&format!(
        "set local app.restoring = 'on'; set local app.account_id = '{manager}'; \
         set local app.context = '{},{},,,manager'; \
         update crm.contacts set last_name = 'Quietly' where id = '{contact}'; commit",
        tenant.id.simple(),
        manager.simple()
    ))
    .await
    .expect("a change");
    let log = events(&tenant.admin, &format!("&row_id={contact}")).await;
    assert_eq!(log.len(), 2);
    assert_eq!(log[0]["actor_id"], json!(tenant.owner.account));
    // A rolled back change was none.
    enter(&api, tenant.id, &tenant.owner).await;
    api.batch_execute(&format!("delete from crm.contacts where id = '{contact}'; rollback"))
        .await
        .expect("no change");
    assert_eq!(events(&tenant.admin, &format!("&row_id={contact}")).await.len(), 2);
}

#[tokio::test]
async fn old_months_are_dropped_as_partitions() {
    let (cluster, superuser) = crate::harness::private_database().await;
    let partitions = async || -> Vec<String> {
        let rows = superuser
            .query(
                "select inhrelid::regclass::text from pg_inherits
                 where inhparent = 'operations.audit_events'::regclass order by 1",
                &[],
            )
            .await
            .expect("partitions");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let before = partitions().await;
    assert_eq!(before.len(), 5, "this month, three more, and the rest: {before:?}");
    let owner_url = cluster.url("appointd_owner", "appointd").parse().expect("a URL of ours");
    let owner = appointd::db::migrate::connect(&owner_url).await.expect("the database answers");
    let made: i32 =
        owner.query_one("select operations.make_audit_partitions(4)", &[]).await.expect("a month").get(0);
    assert_eq!(made, 1);
    for partition in partitions().await {
        let row = superuser
            .query_one(
                "select relrowsecurity and relforcerowsecurity, has_table_privilege('appointd_api', oid, 'select')
                 from pg_class where oid = $1::text::regclass",
                &[&partition],
            )
            .await
            .expect("a partition");
        assert_eq!((row.get(0), row.get(1)), (true, false), "{partition}");
    }
    let ahead = owner
        .query_one("select operations.drop_audit_before((now() + interval '2 months')::date)", &[])
        .await;
    assert!(ahead.is_err(), "what is still written to stays");
    // A month of long ago, and an event that no month took.
    superuser
        .batch_execute(
            "create table operations.audit_events_2020_01 partition of operations.audit_events
             for values from ('2020-01-01Z') to ('2020-02-01Z');
             insert into operations.audit_events (tenant_id, occurred_at, actor_kind, action, relation)
             values (gen_random_uuid(), '2020-01-07Z', 'system', 'insert', 'x'), (gen_random_uuid(), '2020-03-07Z', 'system', 'insert', 'x'),
                    (gen_random_uuid(), now(), 'system', 'insert', 'x')",
        )
        .await
        .expect("events of long ago");
    let dropped: i32 = owner
        .query_one("select operations.drop_audit_before(now()::date)", &[])
        .await
        .expect("an end")
        .get(0);
    let left: i64 = superuser
        .query_one("select count(*) from operations.audit_events", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(left, 1);
    assert_eq!(dropped, 1);
}

#[tokio::test]
async fn change_log_has_appointments_and_no_claims() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("/api/v1/appointments/{}/reschedule", furnished.appointment);
    tenant.staff.post(&path, json!({ "starts_at": "2031-05-06T09:00:00Z" })).await.expect(200);
    let relations: Vec<String> = system()
        .superuser()
        .await
        .query(
            "select distinct relation from operations.audit_events where tenant_id = $1 and relation ~ '^scheduling' order by 1",
            &[&tenant.id],
        )
        .await
        .expect("events")
        .iter()
        .map(|row| row.get(0))
        .collect();
    for wanted in ["scheduling.appointments", "scheduling.appointment_transitions", "scheduling.holds"] {
        assert!(relations.iter().any(|relation| relation == wanted), "{wanted}: {relations:?}");
    }
    for derived in ["scheduling.claims", "scheduling.shared_claims", "scheduling.appointment_segments"] {
        assert!(!relations.iter().any(|relation| relation == derived), "{derived}: {relations:?}");
    }
}
