use serde_json::json;

use crate::harness::Tenant;

const SETTINGS: &str = "/api/v1/organizations/me/settings";

#[tokio::test]
async fn settings_change_only_in_given_fields() {
    let tenant = Tenant::new().await;
    let before = tenant.viewer.get(SETTINGS).await.expect(200);
    let changes = json!({
        "language": "PT-br",
        "date_format": "dmy_slashes",
        "notifications": { "sms": true },
        "privacy": { "data_retention_days": 90 },
    });
    let after = tenant.admin.patch(SETTINGS, changes).await.expect(200);
    assert_eq!((&after["language"], &after["date_format"]), (&json!("pt-BR"), &json!("dmy_slashes")));
    assert_eq!(
        after["notifications"],
        json!({ "email": true, "sms": true, "push": false, "reminder_minutes": [] })
    );
    assert_eq!(after["privacy"]["data_retention_days"], 90);
    assert_eq!(after["time_format"], before["time_format"]);
    assert_eq!(tenant.viewer.get(SETTINGS).await.expect(200), after);
    for (body, field, code) in [
        (json!({ "language": "klingon language" }), "language", "invalid_value"),
        (json!({ "date_format": "YY" }), "date_format", "invalid_value"),
        (json!({ "time_format": null }), "time_format", "invalid_value"),
        (json!({ "privacy": { "data_retention_days": 1 } }), "privacy.data_retention_days", "out_of_range"),
        (json!({ "notifications": { "fax": true } }), "notifications.fax", "unknown_field"),
        (json!({ "timezone": "UTC" }), "timezone", "unknown_field"),
    ] {
        tenant.admin.patch(SETTINGS, body.clone()).await.invalid(field, code);
    }
    tenant.manager.patch(SETTINGS, json!({})).await.refused(403, "role_too_low");
}
