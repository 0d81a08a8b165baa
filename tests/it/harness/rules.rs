//! Rules of services: listing and booking, compared.

use appointd::scheduling::slots::availability::ServiceRules;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Tenant, booking::APPOINTMENTS, merged};

/// A service with these rules beside those every service needs.
pub async fn service_with_rules(tenant: &Tenant, rules: Value) -> String {
    let service = json!({
        "name": "Service", "duration_minutes": 30, "slot_step_minutes": 30, "contact_may_overlap": true,
    });
    tenant.service_with(merged(service, &rules)).await
}

pub async fn slots(tenant: &Tenant, service: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/services/{service}/slots?{query}");
    tenant.viewer.get(&path).await.expect(200)["items"].as_array().expect("items").clone()
}

/// The starts that can be booked.
pub fn bookable(slots: &[Value]) -> Vec<&str> {
    let bookable = slots.iter().filter(|slot| slot["bookable"] == true);
    bookable.map(|slot| slot["starts_at"].as_str().expect("a start")).collect()
}

pub async fn book(tenant: &Tenant, service: &str, contact: &str, start: &str) -> Answer {
    let body = json!({ "service_id": service, "contact_id": contact, "starts_at": start });
    tenant.staff.post(APPOINTMENTS, body).await
}

/// Why a start is refused, as booking says it.
pub fn reason(answer: &Answer) -> String {
    answer.body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

/// On that day, each start that is listed as bookable is booked, and each other is refused for a reason that is listed.
pub async fn expect_listing_and_booking_to_agree(
    tenant: &Tenant,
    service: &str,
    contact: &str,
    day: &str,
    next: &str,
) {
    let listed = slots(tenant, service, &format!("from={day}&to={next}&include=unavailable")).await;
    assert!(!listed.is_empty());
    for slot in listed {
        let start = slot["starts_at"].as_str().expect("a start");
        let answer = book(tenant, service, contact, start).await;
        if slot["bookable"] == true {
            let id = answer.created();
            tenant.staff.post(&format!("{APPOINTMENTS}/{id}/cancel"), json!({})).await.expect(200);
        } else {
            let reasons = slot["reasons"].as_array().expect("reasons").clone();
            assert!(reasons.contains(&json!(reason(&answer))), "{slot}: {}", answer.text);
        }
    }
}

/// The rules of a service, completed by defaults.
pub fn completed_rules(said: &Value) -> ServiceRules {
    let mut rules = json!({
        "id": Uuid::nil(), "active": true, "bookable_online": true, "duration_minutes": 30, "slot_step_minutes": 15,
        "slot_offset_minutes": 0, "buffer_before_minutes": 0, "buffer_after_minutes": 0, "min_notice_minutes": 0,
        "requires_approval": false, "capacity": 1, "contact_may_overlap": false, "cancellation_notice_minutes": 0,
        "provider_ids": [], "required_resources": [], "counted_starts": null, "horizon_days": null,
        "bookable_from": null, "bookable_until": null, "max_per_day": null, "max_per_week": null,
        "guest_requires": [], "guest_verification": "none",
    });
    for (name, value) in said.as_object().expect("an object") {
        rules[name] = value.clone();
    }
    serde_json::from_value(rules).expect("rules")
}
