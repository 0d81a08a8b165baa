use serde_json::{Value, json};

use crate::harness::{Tenant, week};

pub fn starts(slots: &Value) -> Vec<&str> {
    slots["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|slot| slot["starts_at"].as_str().expect("a start"))
        .collect()
}

pub async fn list(tenant: &Tenant, service: &str, query: &str) -> Value {
    tenant.viewer.get(&format!("/api/v1/services/{service}/slots?{query}")).await.expect(200)
}

#[tokio::test]
async fn slots_are_hours_without_taken_time() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    // Booked by that: 09:00 to 09:30 of the 5th.
    let query = "from=2031-05-05T08:00:00Z&to=2031-05-05T10:00:00Z";
    let slots = list(&tenant, &furnished.service, query).await;
    assert_eq!(starts(&slots), ["2031-05-05T09:30:00Z", "2031-05-05T09:45:00Z"]);
    assert_eq!(slots["time_zone"], "UTC");
    assert_eq!(slots["items"][0]["ends_at"], "2031-05-05T10:00:00Z");
    assert_eq!(slots["items"][0]["provider_ids"], json!([furnished.provider]));
    assert_eq!(slots["items"][0]["remaining"], 1);

    let evening =
        list(&tenant, &furnished.service, "from=2031-05-05T16:00:00Z&to=2031-05-06T00:00:00Z").await;
    assert_eq!(starts(&evening).last(), Some(&"2031-05-05T16:30:00Z"), "the last one ends with the hours");
}

#[tokio::test]
async fn slots_name_every_free_provider() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let second = tenant.provider().await;
    let slots = list(&tenant, &furnished.service, "from=2031-05-05T09:00:00Z&to=2031-05-05T09:31:00Z").await;
    let items = slots["items"].as_array().expect("items");
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["provider_ids"], json!([second]));
    assert_eq!(items[2]["provider_ids"], json!([furnished.provider, second]));
    assert_eq!(items[2]["remaining"], 2);
    let query =
        format!("from=2031-05-05T09:00:00Z&to=2031-05-05T09:31:00Z&provider_id={}", furnished.provider);
    assert_eq!(starts(&list(&tenant, &furnished.service, &query).await), ["2031-05-05T09:30:00Z"]);
}

#[tokio::test]
async fn dates_are_days_of_the_requested_zone() {
    let tenant = Tenant::new().await;
    let service =
        tenant.service_with(json!({ "name": "Call", "duration_minutes": 60, "slot_step_minutes": 60 })).await;
    tenant.provider_with(json!({ "time_zone": "UTC", "rules": week("00:00", "24:00") })).await;

    let sydney = list(&tenant, &service, "from=2031-05-05&to=2031-05-06&time_zone=Australia/Sydney").await;
    assert_eq!(starts(&sydney).first(), Some(&"2031-05-04T14:00:00Z"));
    assert_eq!(starts(&sydney).last(), Some(&"2031-05-05T13:00:00Z"));
    assert_eq!(starts(&sydney).len(), 24);

    tenant
        .admin
        .patch("/api/v1/organizations/me", json!({ "time_zone": "America/New_York" }))
        .await
        .expect(200);
    let home = list(&tenant, &service, "from=2031-05-05&to=2031-05-06").await;
    assert_eq!(home["time_zone"], "America/New_York");
    assert_eq!(starts(&home).first(), Some(&"2031-05-05T04:00:00Z"));

    // The day clocks go forward has 23 hours, the one they go back has 25.
    let spring = list(&tenant, &service, "from=2031-03-09&to=2031-03-10").await;
    assert_eq!(starts(&spring).len(), 23);
    let autumn = list(&tenant, &service, "from=2031-11-02&to=2031-11-03").await;
    assert_eq!(starts(&autumn).len(), 25);
}

#[tokio::test]
async fn list_slots_with_a_wrong_period_is_refused() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    for (query, field, code) in [
        ("to=2031-05-06", "from", "required"),
        ("from=2031-05-05", "to", "required"),
        ("from=yesterday&to=2031-05-06", "from", "invalid_value"),
        ("from=2031-05-05T09:00:00&to=2031-05-06", "from", "invalid_value"),
        ("from=2031-05-06&to=2031-05-06", "to", "invalid_value"),
        ("from=2031-05-06&to=2031-05-05", "to", "invalid_value"),
        ("from=2031-05-05&to=2031-07-07", "to", "period_too_long"),
        ("from=2031-05-05&to=2999-12-31", "to", "period_too_long"),
        ("from=2031-05-05&to=2031-05-06&time_zone=Mars", "time_zone", "unknown_time_zone"),
        ("from=2031-05-05&to=2031-05-06&provider_id=x", "provider_id", "invalid_value"),
        (
            "from=2031-05-05&to=2031-05-06&provider_id=019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "provider_id",
            "not_found",
        ),
    ] {
        let path = format!("/api/v1/services/{}/slots?{query}", furnished.service);
        tenant.viewer.get(&path).await.invalid(field, code);
    }
    let longest = "from=2031-05-05&to=2031-07-06";
    list(&tenant, &furnished.service, longest).await;
    assert_eq!(list(&tenant, &furnished.service, "from=2999-12-30&to=2999-12-31").await["time_zone"], "UTC");
}

#[tokio::test]
async fn instants_with_any_notation_of_the_offset_are_read() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let expected =
        list(&tenant, &furnished.service, "from=2031-05-05T10:00:00Z&to=2031-05-05T11:00:00Z").await;
    assert_eq!(starts(&expected).len(), 4);
    for offset in ["%2B02:00", "+02:00", "%2B0200", "+0200"] {
        let query = format!("from=2031-05-05T12:00:00{offset}&to=2031-05-05T13:00:00.000{offset}");
        assert_eq!(list(&tenant, &furnished.service, &query).await, expected, "{offset}");
    }
}

#[tokio::test]
async fn slot_listing_beyond_its_size_names_the_longest_period() {
    let tenant = Tenant::new().await;
    let service =
        tenant.service_with(json!({ "name": "Blink", "duration_minutes": 1, "slot_step_minutes": 1 })).await;
    let provider = tenant.provider().await;
    let path =
        |days: u32| format!("/api/v1/services/{service}/slots?from=2031-05-01&to=2031-05-{:02}", 1 + days);
    assert_eq!(starts(&tenant.viewer.get(&path(2)).await.expect(200)).len(), 2 * 480);
    tenant
        .manager
        .put(
            &format!("/api/v1/providers/{provider}/schedule"),
            json!({ "time_zone": "UTC", "rules": week("00:00", "24:00") }),
        )
        .await
        .expect(200);
    // An answer has a size, and the refusal says which period has one that fits.
    let path = |to: &str| {
        format!("/api/v1/services/{service}/slots?from=2031-05-01T00:00:00Z&to={to}&include=unavailable")
    };
    // A busy machine computes for longer than it may; the size is what counts here.
    let get = async |path: String| loop {
        let answer = tenant.viewer.get(&path).await;
        if answer.body["code"] != "computation_timeout" {
            break answer;
        }
    };
    let refused = get(path("2031-05-30T00:00:00Z")).await;
    let detail = refused.body["errors"][0]["detail"].as_str().unwrap_or_default().to_owned();
    refused.invalid("to", "period_too_long");
    let longest: chrono::DateTime<chrono::Utc> = detail
        .split(' ')
        .find_map(|word| word.trim_end_matches([',', '.', ';']).parse().ok())
        .expect("an instant");
    let whole = get(path(&longest.format("%FT%TZ").to_string())).await;
    assert!((2_000_000..=2 * 1024 * 1024).contains(&whole.text.len()), "{}", whole.text.len());
    let minutes = (longest
        - "2031-05-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().expect("an instant"))
    .num_minutes();
    assert_eq!(starts(&whole.expect(200)).len(), usize::try_from(minutes).expect("few"));
    let longer = longest + chrono::TimeDelta::minutes(1);
    get(path(&longer.format("%FT%TZ").to_string())).await.invalid("to", "period_too_long");
}

#[tokio::test]
async fn slots_of_the_past_are_not_listed() {
    let tenant = Tenant::new().await;
    let furnished = tenant.furnished().await;
    let slots = list(&tenant, &furnished.service, "from=2020-05-05&to=2020-05-12").await;
    assert_eq!(slots["items"], json!([]));
}
