use serde_json::{Value, json};

use crate::harness::Tenant;

async fn path(tenant: &Tenant) -> String {
    let provider = tenant.admin.post("/api/v1/providers", json!({ "name": "Ada" })).await.created();
    format!("/api/v1/providers/{provider}/schedule")
}

#[tokio::test]
async fn schedule_that_was_never_set_is_empty_in_the_zone_of_the_organization() {
    let tenant = Tenant::new().await;
    let path = path(&tenant).await;
    tenant.admin.patch("/api/v1/organizations/me", json!({ "time_zone": "Asia/Kolkata" })).await.expect(200);
    let empty = json!({ "time_zone": "Asia/Kolkata", "rules": [], "overrides": [], "travels": [] });
    assert_eq!(tenant.viewer.get(&path).await.expect(200), empty);
    // As the answer says, it can be sent back.
    assert_eq!(tenant.manager.put(&path, empty.clone()).await.expect(200), empty);
    let other = Tenant::new().await;
    other.viewer.get(&path).await.refused(404, "not_found");
    other
        .viewer
        .get(&format!("/api/v1/providers/{}/schedule", uuid::Uuid::new_v4()))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn set_schedule_replaces_the_whole_of_it() {
    let tenant = Tenant::new().await;
    let path = path(&tenant).await;
    let first = json!({
        "time_zone": "America/Chicago",
        "rules": [
            { "weekday": "monday", "from": "13:00", "to": "17:30" },
            { "weekday": "monday", "from": "09:00", "to": "12:00" },
            { "weekday": "saturday", "from": "22:00", "to": "02:00" },
            { "weekday": "sunday", "from": "20:00", "to": "24:00" },
        ],
        "overrides": [
            { "date": "2026-12-31", "intervals": [{ "from": "09:00", "to": "11:00" }, { "from": "12:00", "to": "13:00" }] },
            { "date": "2026-12-25", "intervals": [] },
        ],
    });
    let stored = tenant.manager.put(&path, first).await.expect(200);
    let expected = json!({
        "time_zone": "America/Chicago",
        "rules": [
            { "weekday": "monday", "from": "09:00", "to": "12:00" },
            { "weekday": "monday", "from": "13:00", "to": "17:30" },
            { "weekday": "saturday", "from": "22:00", "to": "02:00" },
            { "weekday": "sunday", "from": "20:00", "to": "24:00" },
        ],
        "overrides": [
            { "date": "2026-12-25", "intervals": [] },
            { "date": "2026-12-31", "intervals": [{ "from": "09:00", "to": "11:00" }, { "from": "12:00", "to": "13:00" }] },
        ],
        "travels": [],
    });
    assert_eq!(stored, expected);
    assert_eq!(tenant.viewer.get(&path).await.expect(200), expected);

    let second = json!({ "time_zone": "UTC", "rules": [], "overrides": [], "travels": [] });
    assert_eq!(tenant.manager.put(&path, second.clone()).await.expect(200), second);
    assert_eq!(tenant.viewer.get(&path).await.expect(200), second);
}

#[tokio::test]
async fn set_schedule_names_what_is_wrong_and_keeps_the_old_one() {
    let tenant = Tenant::new().await;
    let path = path(&tenant).await;
    let valid =
        json!({ "time_zone": "UTC", "rules": [{ "weekday": "monday", "from": "09:00", "to": "17:00" }] });
    let kept = tenant.manager.put(&path, valid.clone()).await.expect(200);
    let rule = |from: &str, to: &str| json!({ "weekday": "monday", "from": from, "to": to });
    for (pointer, value, field, code) in [
        ("/time_zone", json!("Mars/Olympus"), "time_zone", "unknown_time_zone"),
        ("/time_zone", json!("+01:00"), "time_zone", "unknown_time_zone"),
        ("/rules/0/weekday", json!("Monday"), "rules[0].weekday", "invalid_value"),
        ("/rules/0/weekday", json!(1), "rules[0].weekday", "invalid_value"),
        ("/rules/0/from", json!("9:00"), "rules[0].from", "invalid_value"),
        ("/rules/0/from", json!("24:00"), "rules[0].from", "invalid_value"),
        ("/rules/0/to", json!("25:00"), "rules[0].to", "invalid_value"),
        ("/rules/0/to", json!("24:01"), "rules[0].to", "invalid_value"),
        ("/rules/0/to", json!("12:60"), "rules[0].to", "invalid_value"),
        ("/rules", json!([rule("09:00", "12:00"), rule("11:59", "13:00")]), "rules[1]", "overlapping"),
        ("/rules", json!([rule("22:00", "02:00"), rule("23:00", "23:30")]), "rules[1]", "overlapping"),
        ("/rules", json!(vec![rule("09:00", "12:00"); 101]), "rules", "too_many"),
        ("/rules", json!("none"), "rules", "invalid_type"),
    ] {
        let mut body = valid.clone();
        *body.pointer_mut(pointer).expect("a place in the body") = value;
        tenant.manager.put(&path, body).await.invalid(field, code);
    }
    for (overrides, field, code) in [
        (json!([{ "date": "2026-02-30", "intervals": [] }]), "overrides[0].date", "invalid_value"),
        (json!([{ "date": "2026-1-1", "intervals": [] }]), "overrides[0].date", "invalid_value"),
        (json!([{ "date": "2026-01-01" }]), "overrides[0].intervals", "required"),
        (
            json!([{ "date": "2026-01-01", "intervals": [] }, { "date": "2026-01-01", "intervals": [] }]),
            "overrides[1].date",
            "duplicate",
        ),
    ] {
        let mut body = valid.clone();
        body["overrides"] = overrides;
        tenant.manager.put(&path, body).await.invalid(field, code);
    }
    assert_eq!(tenant.viewer.get(&path).await.expect(200), kept);
}

#[tokio::test]
async fn of_two_schedules_set_at_once_one_is_kept_whole() {
    let tenant = Tenant::new().await;
    let path = path(&tenant).await;
    let schedule = |hour: u32| {
        let rules: Vec<Value> = ["monday", "tuesday", "friday"]
            .iter()
            .map(|weekday| json!({ "weekday": weekday, "from": format!("{hour:02}:00"), "to": format!("{hour:02}:30") }))
            .collect();
        json!({ "time_zone": "UTC", "rules": rules, "overrides": [], "travels": [] })
    };
    for round in 0..10 {
        let both = futures_util::future::join_all(
            [round, round + 1].map(|hour| tenant.manager.put(&path, schedule(hour))),
        )
        .await;
        for answer in both {
            answer.expect(200);
        }
        let kept = tenant.viewer.get(&path).await.expect(200);
        assert!(kept == schedule(round) || kept == schedule(round + 1), "{kept}");
    }
}
