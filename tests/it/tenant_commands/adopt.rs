//! Adopting the data of another system.

use serde_json::{Value, json};

use crate::{
    harness::private_database,
    tenant_commands::{everything, fails, file, succeeds},
};

#[tokio::test]
async fn adopting_twice_adds_only_new_rows() {
    let (cluster, superuser) = private_database().await;
    let mut data = json!({
        "organization": { "name": "Default", "slug": "default", "time_zone": "Europe/Berlin" },
        "members": [
            { "email": "Owner@old.example", "role": "owner", "password_hash": bcrypt::hash("an old password", 4).expect("a hash") },
            { "email": "m@old.example", "full_name": "Mel", "role": "member" },
        ],
        "contacts": [{ "id": "17", "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" }],
        "providers": [{ "id": "dr-1", "name": "Dr. One" }, { "id": "dr-2", "name": "Dr. Two" }],
        "services": [{ "id": "cut", "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15 }],
    });
    let adopt = async |data: &Value| {
        let path = file(&data.to_string());
        succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await
    };
    assert!(adopt(&data).await.contains("14 rows added"));
    let before = everything(&superuser).await;
    assert!(adopt(&data).await.contains(" 0 rows added"));
    assert_eq!(everything(&superuser).await, before, "a second time changes nothing");
    data["contacts"]
        .as_array_mut()
        .expect("a list")
        .push(json!({ "id": "18", "first_name": "Ada", "last_name": "Lovelace" }));
    assert!(adopt(&data).await.contains(" 1 rows added"));
    let hash: String = superuser
        .query_one("select password_hash from identity.accounts where email = 'owner@old.example'", &[])
        .await
        .expect("an account")
        .get(0);
    assert!(hash.starts_with("$2b$"));

    for (change, reason) in [
        (json!({ "members": [] }), "needs an owner"),
        (
            json!({ "members": [{ "email": "x@y.example", "role": "owner", "password_hash": "plain" }] }),
            "neither Argon2 nor bcrypt",
        ),
        (
            json!({ "contacts": [{ "id": "1", "first_name": "", "last_name": "x" }] }),
            "contacts[0].first_name: expected 1 to 100",
        ),
        (
            json!({ "services": [{ "id": "1", "name": "x", "duration_minutes": 0, "slot_step_minutes": 5 }] }),
            "services[0].duration_minutes",
        ),
        (json!({ "rooms": [] }), "unknown field"),
        // What e-mails contain.
        (
            json!({ "providers": [{ "id": "1", "name": "Win at evil.page" }] }),
            "providers[0].name: expected no web or e-mail address",
        ),
        (
            json!({ "contacts": [{ "id": "1", "first_name": "www.evil.page", "last_name": "x" }] }),
            "contacts[0].first_name: expected no web or e-mail address",
        ),
        (
            json!({ "contacts": [{ "id": "1", "first_name": "x", "last_name": "www.evil.page" }] }),
            "contacts[0].last_name: expected no web or e-mail address",
        ),
        (
            json!({ "members": [{ "email": "x@y.example", "full_name": "evil.page", "role": "owner" }] }),
            "members[0].full_name: expected no web or e-mail address",
        ),
        (
            json!({ "services": [{ "id": "1", "name": "evil.page", "duration_minutes": 5, "slot_step_minutes": 5 }] }),
            "services[0].name: expected no web or e-mail address",
        ),
        (
            json!({ "organization": { "name": "evil.page", "slug": "default", "time_zone": "Europe/Berlin" } }),
            "organization.name: expected no web or e-mail address",
        ),
        // More than the plan allows: all of it or nothing.
        (
            json!({ "providers": (0..9).map(|n| json!({ "id": n.to_string(), "name": "P" })).collect::<Vec<_>>() }),
            "plan_limit_providers",
        ),
    ] {
        let mut wrong = data.clone();
        for (field, value) in change.as_object().expect("an object") {
            wrong[field] = value.clone();
        }
        let before = everything(&superuser).await;
        let path = file(&wrong.to_string());
        fails(&cluster, &["adopt", path.to_str().expect("text")], reason).await;
        assert_eq!(everything(&superuser).await, before);
    }
}

#[tokio::test]
async fn adopted_appointments_take_time_and_conflicts_are_named() {
    let (cluster, superuser) = private_database().await;
    let mut data = json!({
        "organization": { "name": "Old", "slug": "old", "time_zone": "Europe/Berlin" },
        "members": [{ "email": "owner@old.example", "role": "owner" }],
        "contacts": [{ "id": "17", "first_name": "Grace", "last_name": "Hopper" }],
        "providers": [{
            "id": "dr-1",
            "name": "Dr. One",
            "schedule": {
                "time_zone": "Europe/Berlin",
                "rules": [
                    { "weekday": "monday", "from": "09:00", "to": "12:00" },
                    { "weekday": "monday", "from": "13:00", "to": "24:00", "valid_from": "2026-12-01" },
                ],
                "overrides": [{ "date": "2031-12-24", "intervals": [{ "from": "10:00", "to": "12:00" }] }],
                "travels": [{ "starts_on": "2031-02-01", "ends_on": "2031-02-12", "time_zone": "Asia/Tokyo" }],
            },
        }],
        "services": [{ "id": "cut", "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15 }],
        "appointments": [
            { "id": "a", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2031-05-05T09:00:00Z" },
            { "id": "b", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17",
              "starts_at": "2031-05-05T11:30:00+02:00", "ends_at": "2031-05-05T10:30:00Z", "note": "long" },
            { "id": "c", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2020-05-05T09:00:00Z", "status": "completed" },
            { "id": "d", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2031-05-05T09:00:00Z", "status": "cancelled" },
            { "id": "n", "service_id": "cut", "provider_id": "dr-1", "contact_id": "17", "starts_at": "2031-05-05T09:00:00Z", "status": "no_show" },
        ],
    });
    let adopt = async |data: &Value| {
        let path = file(&data.to_string());
        succeeds(&cluster, &["adopt", path.to_str().expect("text")]).await
    };
    adopt(&data).await;
    let row = superuser
        .query_one(
            "select
                 (select string_agg(format('%s %s-%s', weekday, from_minute, to_minute), ', ' order by from_minute) from scheduling.schedule_rules),
                 (select count(*) from scheduling.schedule_overrides), (select count(*) from scheduling.schedule_travels),
                 (select string_agg(format('%s %s', status, extract(epoch from ends_at - starts_at)::int / 60), ', ' order by status, ends_at) from scheduling.appointments),
                 (select count(*) from scheduling.claims)",
            &[],
        )
        .await
        .expect("rows");
    assert_eq!(row.get::<_, &str>(0), "1 540-720, 1 780-1440");
    assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(2)), (1, 1));
    assert_eq!(row.get::<_, &str>(3), "cancelled 30, completed 30, confirmed 30, confirmed 60, no_show 30");
    // Of the two that are to come: the provider's time and the contact's.
    assert_eq!(row.get::<_, i64>(4), 4);
    let wrong = superuser.query(include_str!("../../../sql/audit/bookings.sql"), &[]).await.expect("a look");
    assert!(wrong.is_empty(), "{}", wrong.len());
    let before = everything(&superuser).await;
    assert!(adopt(&data).await.contains(" 0 rows added"));
    assert_eq!(everything(&superuser).await, before, "a second time changes nothing");

    for (change, reason) in [
        (json!({ "starts_at": "2031-05-05T09:15:00Z" }), "claims_no_overlap"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "service_id": "shave" }), "ends_at: needed"),
        (json!({ "starts_at": "2031-05-05T12:00:00" }), "appointments[5].starts_at"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "contact_id": "18" }), "appointments_contact_fkey"),
        (json!({ "starts_at": "2031-05-05T12:00:00Z", "status": "maybe" }), "appointments[5].status"),
    ] {
        let mut wrong = data.clone();
        let mut appointment = data["appointments"][0].clone();
        appointment["id"] = json!("e");
        for (field, value) in change.as_object().expect("an object") {
            appointment[field] = value.clone();
        }
        wrong["appointments"].as_array_mut().expect("a list").push(appointment);
        let path = file(&wrong.to_string());
        fails(&cluster, &["adopt", path.to_str().expect("text")], reason).await;
        assert_eq!(everything(&superuser).await, before);
    }
    data["providers"][0]["schedule"]["rules"][1]["from"] = json!("11:00");
    let path = file(&data.to_string());
    fails(&cluster, &["adopt", path.to_str().expect("text")], "providers[0].schedule.rules[1]").await;
}
