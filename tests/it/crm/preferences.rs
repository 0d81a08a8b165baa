//! What contacts want to be told: who reads and changes it.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, system};

const MINE: &str = "/api/v1/my/message-preferences";

fn path(contact: &str) -> String {
    format!("/api/v1/contacts/{contact}/message-preferences")
}

fn preferences(reminders: bool, thanks: bool) -> Value {
    json!({ "reminders": reminders, "thanks": thanks })
}

#[tokio::test]
async fn preferences_are_everything_until_they_are_changed_by_those_who_may() {
    let tenant = Tenant::new().await;
    let (path, unchanged) = (path(&tenant.contact().await), path(&tenant.contact().await));
    assert_eq!(tenant.viewer.get(&path).await.expect(200), preferences(true, true));
    let change = async |actor: &Actor, changes: Value| actor.patch(&path, changes).await;
    assert_eq!(change(&tenant.staff, json!({})).await.expect(200), preferences(true, true));
    let thanks = json!({ "thanks": false });
    change(&tenant.viewer, thanks.clone()).await.refused(403, "role_too_low");
    change(&tenant.customer, thanks.clone()).await.refused(403, "role_too_low");
    tenant.customer.get(&path).await.refused(403, "role_too_low");
    assert_eq!(change(&tenant.staff, thanks.clone()).await.expect(200), preferences(true, false));
    assert_eq!(
        change(&tenant.staff, json!({ "reminders": false })).await.expect(200),
        preferences(false, false)
    );
    assert_eq!(change(&tenant.staff, json!({ "thanks": true })).await.expect(200), preferences(false, true));
    assert_eq!(tenant.viewer.get(&path).await.expect(200), preferences(false, true));
    assert_eq!(tenant.viewer.get(&unchanged).await.expect(200), preferences(true, true));

    for (changes, field, code) in [
        (json!({ "thanks": null }), "thanks", "invalid_type"),
        (json!({ "reminders": "no" }), "reminders", "invalid_type"),
        (json!({ "confirmations": false }), "confirmations", "unknown_field"),
    ] {
        change(&tenant.staff, changes).await.invalid(field, code);
    }

    // Neither another organization nor what does not exist.
    let other = Tenant::new().await;
    other.owner.get(&path).await.refused(404, "not_found");
    change(&other.owner, thanks.clone()).await.refused(404, "not_found");
    let missing = self::path(&uuid::Uuid::now_v7().to_string());
    tenant.staff.get(&missing).await.refused(404, "not_found");
    tenant.staff.patch(&missing, thanks.clone()).await.refused(404, "not_found");
    assert_eq!(tenant.viewer.get(&path).await.expect(200), preferences(false, true));
}

#[tokio::test]
async fn stale_tag_changes_no_preferences_also_if_none_were_set() {
    let tenant = Tenant::new().await;
    let path = path(&tenant.contact().await);
    let change = async |tag: &str, changes: Value| {
        let request = tenant.staff.request(Method::PATCH, &path).header(header::IF_MATCH, tag);
        let request = request.header("content-type", "application/json").body(changes.to_string());
        tenant.staff.send(request).await
    };
    let tag = tenant.staff.get(&path).await.header("etag").to_owned();
    change("\"stale\"", json!({ "thanks": false })).await.refused(412, "precondition_failed");
    assert_eq!(tenant.staff.get(&path).await.expect(200), preferences(true, true));
    assert_eq!(change(&tag, json!({ "thanks": false })).await.expect(200), preferences(true, false));
    change(&tag, json!({ "thanks": true })).await.refused(412, "precondition_failed");
    assert_eq!(tenant.staff.get(&path).await.expect(200), preferences(true, false));
}

#[tokio::test]
async fn customers_change_their_own_preferences_and_no_others() {
    let tenant = Tenant::new().await;
    let (own, other) = (tenant.contact().await, tenant.contact().await);
    let reminders = json!({ "reminders": false });
    tenant.customer.get(MINE).await.refused(404, "not_found");
    tenant.customer.patch(MINE, reminders.clone()).await.refused(404, "not_found");
    tenant.link_contact(&own, tenant.customer.account).await;
    assert_eq!(tenant.customer.get(MINE).await.expect(200), preferences(true, true));
    for _ in 0..2 {
        let changed = tenant.customer.patch(MINE, reminders.clone()).await.expect(200);
        assert_eq!(changed, preferences(false, true));
    }
    assert_eq!(tenant.customer.get(MINE).await.expect(200), preferences(false, true));
    assert_eq!(tenant.staff.get(&path(&own)).await.expect(200), preferences(false, true));
    assert_eq!(tenant.staff.get(&path(&other)).await.expect(200), preferences(true, true));
    tenant.customer.patch(MINE, json!({ "reminders": null })).await.invalid("reminders", "invalid_type");
    // A member is no customer.
    tenant.link_contact(&other, tenant.viewer.account).await;
    tenant.viewer.get(MINE).await.refused(403, "customer_required");
    tenant.viewer.patch(MINE, reminders).await.refused(403, "customer_required");
}

#[tokio::test]
async fn preferences_are_deleted_with_their_contact() {
    let tenant = Tenant::new().await;
    let contact = tenant.contact().await;
    let path = path(&contact);
    tenant.staff.patch(&path, json!({ "thanks": false })).await.expect(200);
    tenant.manager.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    tenant.staff.get(&path).await.refused(404, "not_found");
    tenant.staff.patch(&path, json!({ "thanks": false })).await.refused(404, "not_found");
    let left = "select count(*) from crm.message_preferences where tenant_id = $1";
    let left = system().superuser().await.query_one(left, &[&tenant.id]).await.expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0);
}
