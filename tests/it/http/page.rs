//! What lists have in common: `ids`, periods, orders, and filters by what is active.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Actor, Furnished, Operation, Tenant,
    booking::BookingFixture,
    operations,
    walking::{actor_of, filled, id_of, query},
};

async fn listed(actor: &Actor, path: &str) -> Vec<Value> {
    actor.get(path).await.expect(200)["items"].as_array().expect("items").clone()
}

/// An organization with something in every list.
async fn prepared() -> (Tenant, Furnished) {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let service = format!("/api/v1/services/{}", furnished.service);
    tenant.manager.patch(&service, json!({ "bookable_online": true })).await.expect(200);
    let asked = json!({ "name": "Grace", "account_id": tenant.viewer.account });
    tenant.admin.post("/api/v1/providers", asked).await.created();
    let reschedule = format!("/api/v1/appointments/{}/reschedule", furnished.appointment);
    tenant.staff.post(&reschedule, json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    let contact = tenant.contact().await;
    tenant.manager.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    (tenant, furnished)
}

/// A person whose list has something, and the query that it cannot do without.
async fn asking(tenant: &Tenant, operation: &Operation) -> (Actor, String) {
    let actor = match operation.id() {
        "list_provider_links" => tenant.viewer.clone(),
        "list_my_appointments_everywhere" => tenant.customer.clone(),
        "list_online_services" | "list_online_providers" => {
            return (Actor::anonymous(), format!("?organization_slug={}&", tenant.slug().await));
        }
        _ => actor_of(tenant, operation).clone(),
    };
    let query = query(operation);
    (actor, if query.is_empty() { "?".to_owned() } else { format!("{query}&") })
}

#[tokio::test]
async fn every_list_finds_items_by_their_ids() {
    let ((tenant, furnished), (other, theirs)) = (prepared().await, prepared().await);
    let id = |item: &Value| {
        let id = ["id", "account_id", "provider_id"].iter().find_map(|name| item[name].as_str());
        id.expect("an id").to_owned()
    };
    let mut lists = 0;
    for operation in operations() {
        let answer = &operation.value["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        if !answer.as_str().is_some_and(|name| name.ends_with("Page")) {
            continue;
        }
        // The items of one are days, which `from` and `to` find. Tests of holds try the other.
        if ["list_usage_days", "list_my_holds"].contains(&operation.id()) {
            continue;
        }
        lists += 1;
        let (actor, query) = asking(&tenant, &operation).await;
        let path = filled(&operation.path, id_of(&furnished));
        let all = listed(&actor, &format!("{path}{query}limit=100")).await;
        let last = id(all.last().unwrap_or_else(|| panic!("{} has an item", operation.id())));
        let found = listed(&actor, &format!("{path}{query}ids={}&ids={last}", Uuid::now_v7())).await;
        assert_eq!(found.iter().map(id).collect::<Vec<_>>(), [last], "{}", operation.id());
        let foreign = filled(&operation.path, id_of(&theirs));
        if foreign == path {
            let (owner, theirs) = asking(&other, &operation).await;
            let foreign =
                id(listed(&owner, &format!("{path}{theirs}limit=100")).await.last().expect("an item"));
            let found = listed(&actor, &format!("{path}{query}ids={foreign}")).await;
            assert_eq!(found.len(), 0, "{}", operation.id());
        }
        let many: String = (0..101).map(|_| format!("ids={}&", Uuid::now_v7())).collect();
        actor.get(&format!("{path}{query}{many}")).await.invalid("ids", "too_many");
    }
    assert!(lists > 25, "{lists} lists");
}

#[tokio::test]
async fn lists_of_what_takes_time_have_a_period_of_instants_or_dates() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let zone = json!({ "time_zone": "Pacific/Auckland" });
    tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    let off = format!("/api/v1/providers/{}/time-off", furnished.provider);
    let off_of = |from: &str, to: &str| json!({ "starts_at": from, "ends_at": to });
    // A date is one in the zone of the organization, unless the request names another.
    let made = tenant.staff.post(&off, off_of("2031-08-01", "2031-08-02")).await.expect(201);
    let there = (&json!("2031-07-31T12:00:00Z"), &json!("2031-08-01T12:00:00Z"));
    assert_eq!((&made["starts_at"], &made["ends_at"]), there);
    let one = format!("/api/v1/time-off/{}", made["id"].as_str().expect("an id"));
    let later = json!({ "ends_at": "2031-08-03", "time_zone": "UTC" });
    let changed = tenant.staff.patch(&one, later).await.expect(200);
    assert_eq!((&changed["starts_at"], &changed["ends_at"]), (there.0, &json!("2031-08-03T00:00:00Z")));
    let refused = tenant.staff.patch(&one, json!({ "ends_at": "2031-07-31" })).await;
    refused.invalid("ends_at", "invalid_value");
    let entry = json!({
        "service_id": furnished.service, "contact_id": furnished.contact, "from": "2031-08-01", "to": "2031-08-02",
        "override_rules": true,
    });
    let entry = tenant.staff.post("/api/v1/waitlist", entry).await.expect(201);
    assert_eq!((&entry["from"], &entry["to"]), there);
    let mine = json!({ "service_id": furnished.service, "from": "2031-08-03", "to": "2031-08-02" });
    tenant.customer.post("/api/v1/my/waitlist", mine).await.invalid("to", "invalid_value");
    let closure = json!({ "starts_on": "2031-08-01", "ends_on": "2031-08-02", "name": "Closed" });
    tenant.manager.post("/api/v1/closures", closure).await.created();
    tenant.staff.delete(&format!("/api/v1/holds/{}", furnished.hold)).await.expect(204);
    let hold = json!({
        "service_id": furnished.service, "starts_at": "2031-08-05T12:00:00Z", "minutes": 60, "override_rules": true,
    });
    tenant.staff.post("/api/v1/holds", hold).await.created();
    let count =
        async |path: &str, query: &str| listed(&tenant.viewer, &format!("{path}?{query}")).await.len();
    for (path, query, expected) in [
        (off.as_str(), "from=2031-08-03&to=2031-08-04", 1),
        // The beginning of the third in UTC, at which it ends.
        (&off, "from=2031-08-03&to=2031-08-04&time_zone=UTC", 0),
        (&off, "from=2031-07-01&to=2031-07-31T12:00:00Z", 0),
        (&off, "from=2031-07-01&to=2031-07-31T12:00:01Z", 1),
        ("/api/v1/closures", "from=2031-08-02&to=2031-08-03", 1),
        ("/api/v1/closures", "from=2031-08-03", 0),
        ("/api/v1/closures", "from=2031-07-01&to=2031-08-01", 0),
        // Noon in UTC is midnight there.
        ("/api/v1/holds", "from=2031-08-06&to=2031-08-07", 1),
        ("/api/v1/holds", "from=2031-08-06&to=2031-08-07&time_zone=UTC", 0),
        ("/api/v1/holds", "to=2031-08-05T12:00:00Z", 0),
        ("/api/v1/waitlist", "from=2031-08-01&to=2031-08-02", 1),
        ("/api/v1/waitlist", "from=2031-08-02&to=2031-08-03", 0),
        ("/api/v1/waitlist", "status=waiting&status=offered", 2),
        ("/api/v1/waitlist", "status=offered&status=booked", 0),
    ] {
        assert_eq!(count(path, query).await, expected, "{path} {query}");
    }
    for path in [&off, "/api/v1/holds", "/api/v1/waitlist"] {
        tenant.viewer.get(&format!("{path}?from=tomorrow")).await.invalid("from", "invalid_value");
    }
    tenant.viewer.get("/api/v1/closures?from=2031-08-01T00:00:00Z").await.invalid("from", "invalid_value");
    tenant.viewer.get("/api/v1/waitlist?status=gone").await.invalid("status", "invalid_value");
    let audit =
        async |query: &str| listed(&tenant.admin, &format!("/api/v1/audit-events?{query}")).await.len();
    assert_eq!((audit("from=2998-01-01").await, audit("to=1971-01-01").await), (0, 0));
    assert!(audit("from=1971-01-01&to=2998-01-01").await > 0);
}

#[tokio::test]
async fn customer_lists_their_appointments_latest_first() {
    let fixture = BookingFixture::with(json!({ "bookable_online": true })).await;
    let customer = fixture.customer().await;
    let mut ids = Vec::new();
    for day in 5..8 {
        let body = fixture.own_body(&format!("2031-05-{day:02}T09:00:00Z"));
        ids.push(customer.post("/api/v1/my/appointments", body).await.created());
    }
    for path in ["/api/v1/my/appointments", "/api/v1/my/appointments/everywhere"] {
        for (sort, expected) in [
            ("", vec![&ids[0], &ids[1], &ids[2]]),
            ("sort=starts_at", vec![&ids[0], &ids[1], &ids[2]]),
            ("sort=-starts_at", vec![&ids[2], &ids[1], &ids[0]]),
            ("sort=-starts_at&to=2031-05-07", vec![&ids[1], &ids[0]]),
        ] {
            // One to a page, so that the cursor is tried in both directions.
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = customer.get(&format!("{path}?limit=1&{sort}{cursor}")).await.expect(200);
                found.extend(page["items"].as_array().expect("items").iter().map(|item| item["id"].clone()));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let expected: Vec<_> = expected.into_iter().map(|id| json!(id)).collect();
            assert_eq!(found, expected, "{path} {sort}");
        }
        customer.get(&format!("{path}?sort=ends_at")).await.invalid("sort", "invalid_value");
    }
}

#[tokio::test]
async fn catalog_is_filtered_by_active_and_bookable_online() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for (path, id, changes) in [
        ("/api/v1/services", &furnished.service, json!({ "active": false, "bookable_online": false })),
        ("/api/v1/providers", &furnished.provider, json!({ "active": false })),
        ("/api/v1/resources", &furnished.resource, json!({ "active": false })),
    ] {
        let has = async |query: &str| {
            listed(&tenant.viewer, &format!("{path}?{query}")).await.iter().any(|item| item["id"] == **id)
        };
        let filters: Vec<&str> = changes.as_object().expect("an object").keys().map(String::as_str).collect();
        for filter in &filters {
            let values = (has(&format!("{filter}=true")).await, has(&format!("{filter}=false")).await);
            assert_eq!(values, (true, false), "{path} {filter}");
        }
        tenant.owner.patch(&format!("{path}/{id}"), changes.clone()).await.expect(200);
        for filter in &filters {
            let values = (has(&format!("{filter}=true")).await, has(&format!("{filter}=false")).await);
            assert_eq!(values, (false, true), "{path} {filter}");
        }
        assert!(has("").await, "{path}");
        tenant.viewer.get(&format!("{path}?active=yes")).await.invalid("active", "invalid_value");
    }
}

#[tokio::test]
async fn cursor_of_another_list_order_or_filter_is_refused() {
    let (tenant, furnished) = prepared().await;
    // Two of everything, so that lists have a next page.
    tenant.furnished().await;
    let mut cursors = Vec::new();
    for operation in operations() {
        let parameters = operation.value["parameters"].as_array().into_iter().flatten();
        if !parameters.into_iter().any(|parameter| parameter["name"] == "cursor") {
            continue;
        }
        let (actor, query) = asking(&tenant, &operation).await;
        let path = format!("{}{query}", filled(&operation.path, id_of(&furnished)));
        let first = actor.get(&format!("{path}limit=1")).await.expect(200);
        if let Some(cursor) = first["next_cursor"].as_str() {
            actor.get(&format!("{path}limit=2&cursor={cursor}")).await.expect(200);
            let filtered = format!("{path}ids={}&cursor={cursor}", furnished.contact);
            if operation.id() != "list_usage_days" {
                actor.get(&filtered).await.invalid("cursor", "invalid_value");
            }
            cursors.push((actor, path, cursor.to_owned()));
        }
    }
    assert!(cursors.len() > 10, "{}", cursors.len());
    for (actor, path, own) in &cursors {
        for (_, _, cursor) in cursors.iter().filter(|(_, _, cursor)| cursor != own) {
            actor.get(&format!("{path}cursor={cursor}")).await.invalid("cursor", "invalid_value");
        }
    }
    let list = "/api/v1/appointments?limit=1";
    for (given, other) in [
        ("", "&sort=-starts_at"),
        ("&sort=-starts_at", ""),
        ("&status=confirmed", "&status=pending"),
        ("&from=2031-05-01", "&from=2031-05-02"),
    ] {
        let first = tenant.viewer.get(&format!("{list}{given}")).await.expect(200);
        let Some(cursor) = first["next_cursor"].as_str() else {
            assert_eq!(given, "&status=confirmed", "one at least has another page");
            continue;
        };
        let next = |query: &str| format!("{list}{query}&cursor={cursor}");
        tenant.viewer.get(&next(other)).await.invalid("cursor", "invalid_value");
        // What changes neither the items nor their order may differ.
        tenant.viewer.get(&format!("{}&include=contact", next(given))).await.expect(200);
    }
}

#[tokio::test]
async fn period_that_ends_before_it_begins_is_refused_by_every_operation() {
    let (tenant, furnished) = prepared().await;
    let mut tried = 0;
    for operation in operations() {
        let names: Vec<_> = operation.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let body = operation.example().filter(|body| body["from"].is_string() && body["to"].is_string());
        if !(names.contains(&"from") && names.contains(&"to")) && body.is_none() {
            continue;
        }
        // The appointment of a guest is named by a link.
        if operation.id() == "list_slots_to_reschedule_as_guest" {
            continue;
        }
        tried += 1;
        let (mut actor, mut asked) = asking(&tenant, &operation).await;
        if operation.role().is_none() {
            actor = Actor::anonymous();
            asked = format!("?organization_slug={}&", tenant.slug().await);
        }
        let path = filled(&operation.path, id_of(&furnished));
        let answer = match body {
            Some(mut body) => {
                body["to"] = json!("2031-05-05T09:00:00Z");
                body["from"] = json!("2031-05-06T09:00:00Z");
                actor.post(&format!("{path}{asked}"), body).await
            }
            None => {
                let rest = asked.replace("from=2031-05-05&to=2031-05-06&", "");
                let service = format!("service_id={}&", furnished.service);
                let service = if names.contains(&"service_id") && operation.path.ends_with("availability") {
                    service.as_str()
                } else {
                    ""
                };
                actor.get(&format!("{path}{rest}{service}from=2031-05-06&to=2031-05-05")).await
            }
        };
        assert_eq!(answer.status, 422, "{}: {}", operation.id(), answer.text);
        answer.invalid("to", "invalid_value");
    }
    assert!(tried > 20, "{tried}");
    // A period without length has nothing in it.
    let empty = tenant.viewer.get("/api/v1/appointments?from=2031-05-05&to=2031-05-05").await.expect(200);
    assert_eq!(empty["items"], json!([]));
}
