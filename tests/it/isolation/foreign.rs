//! Attacks by HTTP with what belongs to another organization: ids in every path, query and body of the
//! description, cursors, idempotency keys and headers.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, Answer, Furnished, Tenant, operations, scopes, system, uuids_of_body,
    walking::{actor_of, filled, id_of, named, put, query, send},
};

/// What two answers are compared by: everything but the id and the time of the request (a calendar that changed a
/// moment ago says a time a minute before it), and up to when a list is whole.
fn plain(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    for name in ["request_id", "as_of"] {
        if body.get(name).is_some() {
            body[name] = Value::Null;
        }
    }
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            !matches!(name.as_str(), "x-request-id" | "date" | "last-modified" | "ratelimit" | "etag")
        })
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    (answer.status, body, headers)
}

/// Ids and names that must not be read outside the organization.
async fn words(tenant: &Tenant) -> BTreeSet<String> {
    let superuser = system().superuser().await;
    let tables = superuser
        .query(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.oid >= 16384 and c.relkind in ('r', 'p') and not c.relispartition
               and (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attname in ('tenant_id', 'id')) = 2",
            &[],
        )
        .await
        .expect("tables");
    let mut words =
        BTreeSet::from([tenant.id.to_string(), tenant.owner.email.clone(), tenant.staff.email.clone()]);
    for table in tables {
        let sql = format!("select id::text from {} where tenant_id = $1", table.get::<_, String>(0));
        words.extend(
            superuser
                .query(&sql, &[&tenant.id])
                .await
                .expect("ids")
                .iter()
                .map(|row| row.get::<_, String>(0)),
        );
    }
    assert!(words.len() > 30);
    words
}

#[track_caller]
fn says_nothing_of(words: &BTreeSet<String>, answer: &Answer, what: &str) {
    for word in words {
        assert!(!answer.text.contains(word.as_str()), "{what} says {word}: {}", answer.text);
        let told = answer
            .headers
            .values()
            .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(word.as_str()));
        assert!(!told, "{what} says {word} in a header");
    }
}

#[tokio::test]
async fn foreign_id_in_a_path_is_answered_like_a_missing_one() {
    foreign_paths().await;
}

pub async fn foreign_paths() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let theirs = other.furnished().await;
    let everything = async || {
        let of = async |actor: &Actor, path: &str| {
            let mut list = actor.get(path).await.expect(200);
            list.as_object_mut().expect("a page").shift_remove("as_of");
            list
        };
        let services = of(&other.viewer, "/api/v1/services").await;
        let providers = of(&other.viewer, "/api/v1/providers").await;
        let contacts = of(&other.viewer, "/api/v1/contacts").await;
        let appointments = of(&other.viewer, "/api/v1/appointments").await;
        let members = of(&other.viewer, "/api/v1/members").await;
        let invitations = of(&other.staff, "/api/v1/invitations").await;
        let keys = of(&other.admin, "/api/v1/api-keys").await;
        let domains = of(&other.admin, "/api/v1/domains").await;
        let sessions = of(&other.owner, "/api/v1/auth/sessions").await;
        let resources = of(&other.viewer, "/api/v1/resources").await;
        let closures = of(&other.viewer, "/api/v1/closures").await;
        let holds = of(&other.viewer, "/api/v1/holds").await;
        let waitlist = of(&other.viewer, "/api/v1/waitlist").await;
        let feeds = of(&other.staff, "/api/v1/calendar-feeds").await;
        let of_scheduling = [resources, closures, holds, waitlist, feeds];
        (
            [services, providers, contacts, appointments, members, invitations, keys, domains, sessions],
            of_scheduling,
        )
    };
    let before = everything().await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains('{')) {
        let actor = actor_of(&tenant, &operation);
        let missing = send(actor, &operation, &filled(&operation.path, |_| Uuid::now_v7().to_string())).await;
        let foreign = send(actor, &operation, &filled(&operation.path, id_of(&theirs))).await;
        assert_eq!(plain(&foreign), plain(&missing), "{}", operation.id());
        assert_eq!(foreign.status, 404, "{}: {}", operation.id(), foreign.text);
    }
    assert_eq!(everything().await, before, "nothing of theirs was touched");
}

#[tokio::test]
async fn foreign_id_sent_with_an_api_key_is_answered_like_a_missing_one() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let theirs = other.furnished().await;
    let (key, _) = tenant.owner.api_key("admin", &scopes()).await;
    let mut tried = 0;
    for operation in operations() {
        if !operation.path.contains('{') || operation.value["x-required-scope"].is_null() {
            continue;
        }
        let missing = send(&key, &operation, &filled(&operation.path, |_| Uuid::now_v7().to_string())).await;
        let foreign = send(&key, &operation, &filled(&operation.path, id_of(&theirs))).await;
        assert_eq!(plain(&foreign), plain(&missing), "{}", operation.id());
        assert_eq!(foreign.status, 404, "{}: {}", operation.id(), foreign.text);
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
}

#[tokio::test]
async fn foreign_id_in_a_query_is_answered_like_a_missing_one() {
    foreign_queries().await;
}

pub async fn foreign_queries() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) = (tenant.furnished().await, other.furnished().await);
    let words = words(&other).await;
    let slug = tenant.slug().await;
    let mut tried = 0;
    for operation in operations() {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let schema = &parameter["schema"];
            let id = schema["format"] == "uuid" || schema["items"]["format"] == "uuid";
            if parameter["in"] != "query" || !id {
                continue;
            }
            let (actor, needs) = match operation.role() {
                None => (Actor::anonymous(), query(&operation).replace("=unknown", &format!("={slug}"))),
                Some(_) => (tenant.owner.clone(), query(&operation).to_owned()),
            };
            let path = filled(&operation.path, id_of(&ours));
            let get = async |id: &str| {
                let separator = if needs.is_empty() { "?" } else { "&" };
                let method: Method = operation.method.parse().expect("a method");
                actor.send(actor.request(method, &format!("{path}{needs}{separator}{name}={id}"))).await
            };
            let foreign = get(&named(&theirs, name)).await;
            let missing = get(&Uuid::now_v7().to_string()).await;
            assert_eq!(plain(&foreign), plain(&missing), "{} {name}", operation.id());
            says_nothing_of(&words, &foreign, operation.id());
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried}");
}

#[tokio::test]
async fn foreign_id_in_a_body_is_answered_like_a_missing_one() {
    foreign_bodies().await;
}

pub async fn foreign_bodies() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) = (tenant.furnished().await, other.furnished().await);
    let words = words(&other).await;
    let slug = tenant.slug().await;
    let superuser = system().superuser().await;
    let online = "update scheduling.services set bookable_online = true where tenant_id = $1";
    superuser.execute(online, &[&tenant.id]).await.expect("services to book");
    let limits = "update tenancy.settings set guest_bookings_per_address = 10000, guest_bookings_per_email = 10000 where tenant_id = $1";
    superuser.execute(limits, &[&tenant.id]).await.expect("as many bookings as there are ids");
    let booking = json!({
        "service_id": ours.service, "starts_at": "2031-05-06T15:00:00Z", "contact": { "first_name": "A", "last_name": "B" },
    });
    let booked = Actor::anonymous()
        .post(&format!("/api/v1/guest/appointments?organization_slug={slug}"), booking)
        .await
        .expect(201);
    let mut tried = 0;
    for operation in operations() {
        let places = uuids_of_body(&operation);
        for place in &places {
            let mut body = operation.example().expect("an example");
            // Everything else is as it should be.
            for other in &places {
                let name = other.split('/').nth(1).expect("a property");
                put(&mut body, other, &named(&ours, name));
            }
            if body.get("token").is_some() {
                body["token"] = booked["manage_token"].clone();
            }
            let (actor, needs) = match operation.role() {
                None => (Actor::anonymous(), query(&operation).replace("=unknown", &format!("={slug}"))),
                Some(_) => (tenant.owner.clone(), query(&operation).to_owned()),
            };
            let name = place.split('/').nth(1).expect("a property");
            let path = format!("{}{needs}", filled(&operation.path, id_of(&ours)));
            let with = async |id: &str| {
                let mut body = body.clone();
                put(&mut body, place, id);
                actor.with_body(operation.method.parse().expect("a method"), &path, body).await
            };
            let foreign = with(&named(&theirs, name)).await;
            let missing = with(&Uuid::now_v7().to_string()).await;
            assert_eq!(plain(&foreign), plain(&missing), "{} {place}", operation.id());
            assert!(foreign.status >= 400, "{} {place}: {}", operation.id(), foreign.text);
            says_nothing_of(&words, &foreign, operation.id());
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn foreign_cursor_pages_through_own_rows_only() {
    foreign_cursors().await;
}

pub async fn foreign_cursors() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) = (tenant.furnished().await, other.furnished().await);
    // Two of everything, so that there is a next page.
    other.furnished().await;
    let words = words(&other).await;
    let mut tried = 0;
    for operation in operations() {
        let pages = operation.value["parameters"]
            .as_array()
            .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "cursor"));
        if !pages || operation.role().is_none_or(|role| role == "customer") {
            continue;
        }
        let needs = match query(&operation) {
            "" => "?".to_owned(),
            query => format!("{query}&"),
        };
        let first = other
            .owner
            .get(&format!("{}{needs}limit=1", filled(&operation.path, id_of(&theirs))))
            .await
            .expect(200);
        let Some(cursor) = first["next_cursor"].as_str() else { continue };
        let path = format!("{}{needs}limit=100&cursor={cursor}", filled(&operation.path, id_of(&ours)));
        let answer = tenant.owner.get(&path).await;
        assert!(matches!(answer.status, 200 | 400), "{}: {}", operation.id(), answer.text);
        says_nothing_of(&words, &answer, operation.id());
        tried += 1;
    }
    assert!(tried >= 10, "{tried} lists had a next page");
}

#[tokio::test]
async fn idempotency_key_of_another_account_is_a_new_key() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) = (tenant.furnished().await, other.furnished().await);
    let mut tried = 0;
    for operation in operations() {
        let takes_key = operation.value["parameters"].as_array().is_some_and(|parameters| {
            parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key")
        });
        // Others are tried in `creating`: these take what another organization may have, too.
        let books = ["create_appointment", "create_hold", "create_appointment_series"];
        if !takes_key || !books.contains(&operation.id()) {
            continue;
        }
        let key = Uuid::new_v4().to_string();
        let create = async |actor: &Actor, furnished: &Furnished| {
            let mut body = operation.example().expect("an example");
            for place in uuids_of_body(&operation) {
                if place.matches('/').count() == 1 {
                    put(&mut body, &place, &named(furnished, place.trim_start_matches('/')));
                }
            }
            // One contact, not two; and a time that is free.
            body.as_object_mut()
                .expect("an object")
                .retain(|name, _| name != "contact" && name != "and_then");
            body["starts_at"] = json!(format!("203{}-05-05T09:00:00Z", 3 + tried));
            let request = actor
                .request(Method::POST, &operation.path)
                .header("content-type", "application/json")
                .header("idempotency-key", &key)
                .body(body.to_string());
            actor.send(request).await
        };
        let is_own = operation.role() == Some("customer");
        let (here, there, colleague) = if is_own {
            (&tenant.customer, &other.customer, &tenant.staff)
        } else {
            (&tenant.staff, &other.staff, &tenant.manager)
        };
        let first = create(here, &ours).await;
        let again = create(here, &ours).await;
        let elsewhere = create(there, &theirs).await;
        let (first, again, elsewhere) = (first.expect(201), again.expect(201), elsewhere.expect(201));
        assert_eq!(first["id"], again["id"], "{}", operation.id());
        assert_ne!(first["id"], elsewhere["id"], "{}", operation.id());
        let read = format!("{}/{}", operation.path, elsewhere["id"].as_str().expect("an id"));
        // A customer confirms a hold, and does not read it.
        if operation.id() != "create_my_hold" {
            here.get(&read).await.refused(404, "not_found");
            there.get(&read).await.expect(200);
        }
        // A colleague's is not one's own either.
        assert_ne!(create(colleague, &ours).await.status, 500);
        tried += 1;
    }
    assert!(tried >= 3, "{tried}");
}

#[tokio::test]
async fn header_naming_another_organization_changes_no_answer() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (ours, theirs) = (tenant.furnished().await, other.furnished().await);
    let words = words(&other).await;
    let there = other.id.to_string();
    let slug = other.slug().await;
    let etag =
        other.owner.get(&format!("/api/v1/contacts/{}", theirs.contact)).await.header("etag").to_owned();
    let headers = [
        ("x-tenant-id", there.clone()),
        ("x-organization-id", there.clone()),
        ("x-forwarded-host", format!("{slug}.example.com")),
        ("forwarded", format!("host={slug}.example.com")),
        ("x-original-url", format!("/api/v1/contacts/{}", theirs.contact)),
        ("x-http-method-override", "DELETE".to_owned()),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("if-match", "*".to_owned()),
        ("if-none-match", if etag.is_empty() { "*".to_owned() } else { etag }),
        ("cookie", format!("tenant_id={there}; appointd_session={there}")),
    ];
    for operation in operations() {
        if operation.method != "GET"
            || operation.role().is_none_or(|role| role == "customer")
            || operation.id() == "list_sessions"
        {
            continue;
        }
        let get = async |furnished: &Furnished, header: Option<&(&str, String)>| {
            let path = format!("{}{}", filled(&operation.path, id_of(furnished)), query(&operation));
            let mut request = tenant.owner.request(Method::GET, &path);
            if let Some((name, value)) = header {
                request = request.header(*name, value);
            }
            tenant.owner.send(request).await
        };
        let (own, foreign) = (get(&ours, None).await, get(&theirs, None).await);
        for header in &headers {
            for (furnished, expected) in [(&ours, &own), (&theirs, &foreign)] {
                let answer = get(furnished, Some(header)).await;
                // A cookie of a browser's session stands in for no token, and is refused where there is one.
                let same = plain(&answer) == plain(expected)
                    || operation.id() == "get_usage"
                    || operation.id() == "list_api_keys";
                // `*` is every version there is.
                let held = answer.status == 304 && header.0 == "if-none-match";
                let refused = answer.status >= 400;
                assert!(same || held || refused, "{} with {header:?}: {}", operation.id(), answer.text);
                says_nothing_of(&words, &answer, operation.id());
            }
        }
    }
}

#[tokio::test]
async fn answers_contain_no_id_of_another_organization() {
    foreign_words().await;
}

pub async fn foreign_words() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let ours = tenant.furnished().await;
    other.furnished().await;
    let words = words(&other).await;
    let (key, _) = tenant.owner.api_key("admin", &scopes()).await;
    let anonymous = Actor::anonymous();
    let mut actors: Vec<_> = tenant.members().map(|(role, actor)| (role, actor)).into();
    actors.extend([("customer", &tenant.customer), ("key", &key), ("anonymous", &anonymous)]);
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        for (role, actor) in &actors {
            let answer = send(actor, &operation, &filled(&operation.path, id_of(&ours))).await;
            says_nothing_of(&words, &answer, &format!("{} as {role}", operation.id()));
        }
    }
}
