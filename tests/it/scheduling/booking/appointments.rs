use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Tenant, booking::APPOINTMENTS};

#[tokio::test]
async fn appointment_is_booked_and_cancelled() {
    let tenant = Tenant::new().await;
    let (service, provider) = (tenant.service().await, tenant.provider().await);
    let body = json!({
        "service_id": service,
        "starts_at": "2031-05-05T11:00:00+02:00",
        "contact": { "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" },
        "note": "First visit.",
    });
    let id = tenant.staff.post(APPOINTMENTS, body.clone()).await.created();
    let path = format!("{APPOINTMENTS}/{id}");
    let appointment = tenant.viewer.get(&path).await.expect(200);
    assert_eq!(appointment["provider_id"], provider, "the free one");
    assert_eq!(appointment["starts_at"], "2031-05-05T09:00:00Z");
    assert_eq!(appointment["ends_at"], "2031-05-05T09:30:00Z");
    assert_eq!(appointment["status"], "confirmed");
    assert_eq!(appointment["created_by"], json!(tenant.staff.account));
    let contact = appointment["contact_id"].as_str().expect("an id");
    let contact = tenant.viewer.get(&format!("/api/v1/contacts/{contact}")).await.expect(200);
    assert_eq!(contact["last_name"], "Hopper");

    tenant.staff.post(APPOINTMENTS, body.clone()).await.refused(409, "slot_unavailable");
    let contacts = tenant.viewer.get("/api/v1/contacts").await.expect(200);
    assert_eq!(
        contacts["items"].as_array().map(Vec::len),
        Some(1),
        "a refused booking leaves no contact behind"
    );

    let cancelled =
        tenant.staff.post(&format!("{path}/cancel"), json!({ "reason": "Ill." })).await.expect(200);
    assert_eq!(
        (&cancelled["status"], &cancelled["cancellation_reason"]),
        (&json!("cancelled"), &json!("Ill."))
    );
    assert_eq!(cancelled["cancelled_by"], json!(tenant.staff.account));
    assert_eq!(tenant.viewer.get(&path).await.expect(200), cancelled);
    tenant.staff.post(&format!("{path}/cancel"), json!({})).await.refused(409, "transition_not_allowed");
    tenant.staff.post(APPOINTMENTS, body).await.expect(201);
}

#[tokio::test]
async fn appointments_are_filtered_and_paged() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let (grace, alan) = (tenant.contact().await, tenant.contact().await);
    let mut ids = Vec::new();
    // Not in the order of their starts.
    for (day, provider, contact) in
        [(7, &ada, &grace), (5, &ada, &alan), (6, &bea, &grace), (5, &bea, &alan), (8, &ada, &grace)]
    {
        let body = json!({
            "service_id": service,
            "provider_id": provider,
            "contact_id": contact,
            "starts_at": format!("2031-05-{day:02}T09:00:00Z"),
        });
        ids.push((day, tenant.staff.post(APPOINTMENTS, body).await.created()));
    }
    tenant.staff.post(&format!("{APPOINTMENTS}/{}/cancel", ids[4].1), json!({})).await.expect(200);
    ids.sort();
    let all: Vec<_> = ids.iter().map(|(_, id)| id.as_str()).collect();

    let listed = async |query: String| {
        let page = tenant.viewer.get(&format!("{APPOINTMENTS}?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        let ids = items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>();
        (ids, page["next_cursor"].as_str().map(ToOwned::to_owned))
    };
    assert_eq!(listed(String::new()).await.0, all);
    assert_eq!(listed("from=2031-05-06T09:00:00Z".into()).await.0, all[2..]);
    assert_eq!(listed("to=2031-05-06T09:00:00Z".into()).await.0, all[..2]);
    assert_eq!(listed("status=cancelled".into()).await.0, all[4..]);
    assert_eq!(listed(format!("provider_id={bea}")).await.0.len(), 2);
    assert_eq!(listed(format!("contact_id={grace}")).await.0, all[2..]);
    assert_eq!(listed(format!("contact_id={grace}&provider_id={bea}")).await.0, all[2..3]);
    assert_eq!(listed(format!("contact_id={grace}&status=confirmed")).await.0, all[2..4]);
    assert_eq!(listed(format!("provider_id={}", Uuid::now_v7())).await.0.len(), 0);

    assert_eq!(listed(format!("service_id={service}")).await.0, all);
    assert_eq!(listed(format!("service_id={service}&provider_id={ada}&contact_id={alan}")).await.0.len(), 1);
    assert_eq!(listed(format!("service_id={}", Uuid::now_v7())).await.0.len(), 0);
    assert_eq!(listed(format!("created_by={}", tenant.staff.account)).await.0, all);
    assert_eq!(listed(format!("created_by={}", tenant.owner.account)).await.0.len(), 0);
    assert_eq!(listed("status=cancelled&status=confirmed".into()).await.0, all);
    assert_eq!(listed("status=pending&status=cancelled".into()).await.0, all[4..]);
    assert_eq!(
        listed(format!("ids={}&ids={}&ids={}", all[3], all[1], Uuid::now_v7())).await.0,
        [all[1], all[3]]
    );
    assert_eq!(listed("from=2031-05-06&to=2031-05-07".into()).await.0, all[2..3], "dates");
    // Noon in Auckland is midnight in UTC, so 09:00 UTC is on the same date, and 09:00 in Los Angeles is 16:00 UTC.
    assert_eq!(listed("from=2031-05-06&time_zone=Pacific/Auckland".into()).await.0, all[2..]);
    assert_eq!(
        listed("from=2031-05-06T09:00:00Z&to=2031-05-07&time_zone=Asia/Tokyo".into()).await.0,
        all[2..3]
    );
    let mut latest_first = all.clone();
    latest_first.reverse();
    assert_eq!(listed("sort=-starts_at".into()).await.0, latest_first);
    assert_eq!(listed("sort=starts_at".into()).await.0, all);
    assert_eq!(listed("sort=-starts_at&from=2031-05-06&to=2031-05-08".into()).await.0, [all[3], all[2]]);

    for filter in ["", "&status=confirmed", &format!("&provider_id={ada}"), &format!("&contact_id={grace}")] {
        for filter in [filter.to_owned(), format!("{filter}&sort=-starts_at")] {
            let (whole, _) = listed(format!("limit=100{filter}")).await;
            let (mut pieces, mut cursor) = listed(format!("limit=1{filter}")).await;
            while let Some(next) = cursor {
                let (piece, then) = listed(format!("limit=1{filter}&cursor={next}")).await;
                assert_eq!(piece.len(), 1);
                pieces.extend(piece);
                cursor = then;
            }
            assert_eq!(pieces, whole, "{filter}");
        }
    }
    let many = vec![format!("ids={service}"); 101].join("&");
    tenant.viewer.get(&format!("{APPOINTMENTS}?{many}")).await.invalid("ids", "too_many");
    tenant.viewer.get(&format!("{APPOINTMENTS}?{}", &many[..many.len() - 41])).await.expect(200);
    tenant.viewer.get(&format!("{APPOINTMENTS}?ids=x")).await.invalid("ids", "invalid_value");
    tenant.viewer.get(&format!("{APPOINTMENTS}?sort=id")).await.invalid("sort", "invalid_value");
    tenant.viewer.get(&format!("{APPOINTMENTS}?include=note")).await.invalid("include", "invalid_value");
    tenant.viewer.get(&format!("{APPOINTMENTS}?status=held")).await.invalid("status", "invalid_value");
    tenant.viewer.get(&format!("{APPOINTMENTS}?from=2031")).await.invalid("from", "invalid_value");
}

#[tokio::test]
async fn cancel_appointment_needs_no_body() {
    let tenant = Tenant::new().await;
    let path = format!("{APPOINTMENTS}/{}/cancel", tenant.furnished().await.appointment);
    let with = |body: &'static str| tenant.staff.request(Method::POST, &path).body(body);
    tenant.staff.send(with("reason=ill")).await.refused(415, "unsupported_media_type");
    tenant
        .staff
        .send(with("{").header("content-type", "application/json"))
        .await
        .refused(400, "malformed_json");
    let cancelled = tenant.staff.send(tenant.staff.request(Method::POST, &path)).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled.get("cancellation_reason"), None);
    let empty = with("").header("content-type", "application/json");
    tenant.staff.send(empty).await.refused(409, "transition_not_allowed");
}

#[tokio::test]
async fn cancel_appointment_with_a_wrong_field_is_refused() {
    let tenant = Tenant::new().await;
    let path = format!("{APPOINTMENTS}/{}/cancel", tenant.furnished().await.appointment);
    tenant.staff.post(&path, json!({ "reason": "" })).await.invalid("reason", "too_short");
    tenant.staff.post(&path, json!({ "reason": "x".repeat(501) })).await.invalid("reason", "too_long");
    tenant
        .staff
        .post(&format!("{APPOINTMENTS}/{}/cancel", Uuid::now_v7()), json!({}))
        .await
        .refused(404, "not_found");
    tenant.staff.post(&path, json!({})).await.expect(200);
}

#[tokio::test]
async fn visit_is_listed_for_each_of_its_services_and_providers() {
    let tenant = Tenant::new().await;
    let (cut, colour) = (tenant.service().await, tenant.service().await);
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    for (service, provider) in [(&cut, &ada), (&colour, &bea)] {
        tenant
            .manager
            .patch(&format!("/api/v1/services/{service}"), json!({ "provider_ids": [provider] }))
            .await
            .expect(200);
    }
    let body = json!({
        "service_id": cut,
        "and_then": [colour],
        "contact_id": tenant.contact().await,
        "starts_at": "2031-05-05T09:00:00Z",
    });
    let visit = tenant.staff.post(APPOINTMENTS, body).await.created();
    for (filter, listed) in [
        (format!("service_id={cut}"), true),
        (format!("service_id={colour}"), true),
        (format!("provider_id={ada}"), true),
        (format!("provider_id={bea}"), true),
        (format!("service_id={cut}&provider_id={ada}"), true),
        (format!("service_id={colour}&provider_id={bea}"), true),
        (format!("service_id={cut}&provider_id={bea}"), false),
        (format!("provider_id={bea}&from=2031-05-05T09:10:00Z"), false),
    ] {
        for sort in ["starts_at", "-starts_at"] {
            let page = tenant.viewer.get(&format!("{APPOINTMENTS}?{filter}&sort={sort}")).await.expect(200);
            let ids: Vec<_> =
                page["items"].as_array().expect("items").iter().map(|item| &item["id"]).collect();
            assert_eq!(ids, vec![&json!(visit); usize::from(listed)], "{filter}");
        }
    }
}

#[tokio::test]
async fn names_and_local_times_are_included_if_asked_for() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let path = format!("{APPOINTMENTS}/{}", furnished.appointment);
    let plain = tenant.viewer.get(&path).await.expect(200);
    for name in ["contact", "service", "provider", "local_starts_at"] {
        assert_eq!(plain.get(name), None, "{name}");
    }
    let all = "include=contact&include=service&include=provider&time_zone=Asia/Kolkata";
    let one = tenant.viewer.get(&format!("{path}?{all}")).await.expect(200);
    let of = |kind: &str, id: &str| format!("/api/v1/{kind}/{id}");
    let contact = tenant.viewer.get(&of("contacts", &furnished.contact)).await.expect(200);
    let service = tenant.viewer.get(&of("services", &furnished.service)).await.expect(200);
    let provider = tenant.viewer.get(&of("providers", &furnished.provider)).await.expect(200);
    let named = |whole: &Value| json!({ "id": whole["id"], "name": whole["name"] });
    assert_eq!((&one["service"], &one["provider"]), (&named(&service), &named(&provider)));
    for name in ["id", "first_name", "last_name"] {
        assert_eq!(one["contact"][name], contact[name]);
    }
    assert_eq!(one["contact"].get("email"), contact.get("email"), "absent if unknown");
    let instant =
        |text: &Value| text.as_str().and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok());
    let local = one["local_starts_at"].as_str().expect("a time");
    assert!(local.ends_with("+05:30"), "{local}");
    assert_eq!(instant(&one["local_starts_at"]), instant(&one["starts_at"]));
    for filter in [String::new(), format!("&contact_id={}", furnished.contact)] {
        let page = tenant.viewer.get(&format!("{APPOINTMENTS}?{all}{filter}")).await.expect(200);
        let items = page["items"].as_array().expect("items");
        let listed = items.iter().find(|item| item["id"] == one["id"]).expect("it is listed");
        assert_eq!(listed, &one);
        let page = tenant.viewer.get(&format!("{APPOINTMENTS}?include=service{filter}")).await.expect(200);
        assert!(
            page["items"].as_array().expect("items").iter().all(|item| item["service"]["name"].is_string())
        );
        assert!(!page.to_string().contains("first_name"), "{page}");
    }
    tenant.viewer.get(&format!("{path}?time_zone=Mars")).await.invalid("time_zone", "unknown_time_zone");
}

#[tokio::test]
async fn update_appointment_changes_its_note_and_its_contact() {
    let tenant = Tenant::new().await;
    let alone = json!({ "name": "Cut", "duration_minutes": 30, "slot_step_minutes": 15 });
    let (service, other) = (tenant.service_with(alone.clone()).await, tenant.service_with(alone).await);
    let (ada, bea) = (tenant.provider().await, tenant.provider().await);
    let (grace, alan) = (tenant.contact().await, tenant.contact().await);
    let book = async |service: &str, provider: &str, contact: &str, starts_at: &str| {
        let body = json!({
            "service_id": service, "provider_id": provider, "contact_id": contact, "starts_at": starts_at,
        });
        tenant.staff.post(APPOINTMENTS, body).await
    };
    let nine = "2031-05-05T09:00:00Z";
    let path = format!("{APPOINTMENTS}/{}", book(&service, &ada, &grace, nine).await.created());
    let changed = tenant.staff.patch(&path, json!({ "note": "Window." })).await.expect(200);
    assert_eq!((&changed["note"], &changed["sequence"]), (&json!("Window."), &json!(0)));
    assert_eq!(tenant.viewer.get(&path).await.expect(200), changed);
    let changed = tenant.staff.patch(&path, json!({ "note": null })).await.expect(200);
    assert_eq!(changed.get("note"), None);

    // Both are there at nine: neither can take the place of the other.
    let theirs = format!("{APPOINTMENTS}/{}", book(&service, &bea, &alan, nine).await.created());
    let to_alan = json!({ "contact_id": alan });
    let busy = tenant.staff.patch(&path, to_alan.clone()).await;
    // The appointment can be moved to each of these, with its provider, and then given to the contact.
    let others = busy.refused(409, "contact_busy")["alternatives"].as_array().expect("others").clone();
    assert!(others.len() == 3 && others.iter().all(|other| other["starts_at"] != nine), "{others:?}");
    assert_eq!(others[0]["provider_ids"], json!([ada]));
    assert_eq!(tenant.viewer.get(&path).await.expect(200)["contact_id"], json!(grace));
    // The refusal kept the time of the first contact.
    book(&other, &bea, &grace, nine).await.refused(409, "slot_unavailable");
    tenant.staff.post(&format!("{theirs}/cancel"), json!({})).await.expect(200);
    book(&other, &bea, &grace, nine).await.refused(409, "contact_busy");

    // A contact that was renamed more often than the new one: the entry in calendars becomes newer all the same.
    let renamed = format!("/api/v1/contacts/{grace}");
    for name in ["One", "Two", "Three"] {
        tenant.staff.patch(&renamed, json!({ "first_name": name })).await.expect(200);
    }
    let moved = tenant.staff.patch(&path, to_alan.clone()).await.expect(200);
    assert_eq!((&moved["contact_id"], &moved["sequence"]), (&json!(alan), &json!(4)));
    assert_eq!(
        tenant.staff.patch(&path, to_alan.clone()).await.expect(200)["sequence"],
        4,
        "the same contact"
    );
    book(&other, &bea, &alan, nine).await.refused(409, "contact_busy");
    book(&other, &bea, &grace, nine).await.expect(201);

    let foreign = Tenant::new().await;
    for (value, code) in [
        (json!(foreign.contact().await), "not_found"),
        (json!(Uuid::now_v7()), "not_found"),
        (Value::Null, "invalid_type"),
    ] {
        tenant.staff.patch(&path, json!({ "contact_id": value })).await.invalid("contact_id", code);
    }
    tenant.staff.patch(&path, json!({ "note": "" })).await.invalid("note", "too_short");
    tenant.staff.patch(&path, json!({ "starts_at": nine })).await.invalid("starts_at", "unknown_field");
    tenant.viewer.patch(&path, json!({})).await.refused(403, "role_too_low");
    foreign.staff.patch(&path, json!({})).await.refused(404, "not_found");
    tenant.staff.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    tenant.staff.patch(&path, json!({ "note": "Called." })).await.expect(200);
    tenant.staff.patch(&path, json!({ "contact_id": grace })).await.refused(409, "appointment_ended");
}

#[tokio::test]
async fn contact_of_a_service_that_may_overlap_is_changed() {
    let tenant = Tenant::new().await;
    let service = tenant.service().await;
    let overlapping = json!({ "contact_may_overlap": true });
    tenant.manager.patch(&format!("/api/v1/services/{service}"), overlapping).await.expect(200);
    let (grace, alan) = (tenant.contact().await, tenant.contact().await);
    let mut paths = Vec::new();
    for contact in [&grace, &alan] {
        let body = json!({
            "service_id": service, "provider_id": tenant.provider().await, "contact_id": contact,
            "starts_at": "2031-05-05T09:00:00Z",
        });
        paths.push(format!("{APPOINTMENTS}/{}", tenant.staff.post(APPOINTMENTS, body).await.created()));
    }
    let changed = tenant.staff.patch(&paths[0], json!({ "contact_id": alan })).await.expect(200);
    assert_eq!(changed["contact_id"], json!(alan));
}
