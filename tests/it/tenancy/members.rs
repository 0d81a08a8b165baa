use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Actor, Tenant, person, system};

fn path(actor: &Actor) -> String {
    format!("/api/v1/members/{}", actor.account)
}

#[tokio::test]
async fn members_are_listed_without_customers() {
    let tenant = Tenant::new().await;
    let listed = tenant.viewer.get("/api/v1/members?limit=3").await.expect(200);
    let cursor = listed["next_cursor"].as_str().expect("a cursor");
    let rest = tenant.viewer.get(&format!("/api/v1/members?limit=3&cursor={cursor}")).await.expect(200);
    let roles: Vec<_> = [listed["items"].as_array(), rest["items"].as_array()]
        .into_iter()
        .flatten()
        .flatten()
        .map(|member| member["role"].as_str().expect("a role").to_owned())
        .collect();
    assert_eq!(roles, ["owner", "admin", "manager", "staff", "viewer"]);
    assert_eq!(rest.get("next_cursor"), None);
    let member = tenant.viewer.get(&path(&tenant.staff)).await.expect(200);
    assert_eq!((&member["email"], &member["status"]), (&json!(tenant.staff.email), &json!("active")));
    tenant.viewer.get(&path(&tenant.customer)).await.refused(404, "not_found");
}

#[tokio::test]
async fn changed_role_counts_from_the_next_request() {
    let tenant = Tenant::new().await;
    let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
    tenant.viewer.post("/api/v1/contacts", contact.clone()).await.refused(403, "role_too_low");
    let changed = tenant.admin.patch(&path(&tenant.viewer), json!({ "role": "member" })).await.expect(200);
    assert_eq!(changed["role"], "staff", "member is read as staff");
    tenant.viewer.post("/api/v1/contacts", contact.clone()).await.expect(201);
    tenant.admin.patch(&path(&tenant.viewer), json!({ "role": "viewer" })).await.expect(200);
    tenant.viewer.post("/api/v1/contacts", contact).await.refused(403, "role_too_low");
    for (body, code) in [
        (json!({ "role": "god" }), "invalid_value"),
        (json!({ "role": "customer" }), "invalid_value"),
        (json!({ "role": null }), "invalid_type"),
    ] {
        let answer = tenant.admin.patch(&path(&tenant.viewer), body).await;
        assert_eq!(answer.body["errors"][0]["field"], "role", "{code}: {}", answer.text);
    }
}

#[tokio::test]
async fn change_above_the_own_role_is_refused() {
    let tenant = Tenant::new().await;
    let second = person(tenant.id, "owner").await;
    for actor in [&second, &tenant.owner] {
        tenant.admin.patch(&path(actor), json!({ "role": "viewer" })).await.refused(403, "role_above_own");
        tenant.admin.delete(&path(actor)).await.refused(403, "role_above_own");
        tenant
            .admin
            .post(&format!("{}/suspend", path(actor)), json!({}))
            .await
            .refused(403, "role_above_own");
    }
    tenant.admin.patch(&path(&tenant.admin), json!({ "role": "owner" })).await.refused(403, "role_above_own");
    tenant.admin.patch(&path(&tenant.staff), json!({ "role": "owner" })).await.refused(403, "role_above_own");
    tenant.admin.patch(&path(&tenant.staff), json!({ "role": "admin" })).await.expect(200);
    tenant.owner.patch(&path(&tenant.staff), json!({ "role": "owner" })).await.expect(200);
    // Not by SQL either: the policies say the same.
    let api = system().connect("appointd_api").await;
    crate::harness::enter(&api, tenant.id, &tenant.admin).await;
    let updated = api
        .execute("update tenancy.members set role = 'viewer' where role = 'owner'", &[])
        .await
        .expect("an attempt");
    assert_eq!(updated, 0);
    let up = api
        .execute("update tenancy.members set role = 'owner' where role = 'staff' or role = 'admin'", &[])
        .await;
    assert!(up.is_err_and(|error| error.code().is_some_and(|code| code.code() == "42501")));
}

#[tokio::test]
async fn suspended_and_removed_members_are_refused_at_once() {
    let tenant = Tenant::new().await;
    let (staff, viewer) = (&tenant.staff, &tenant.viewer);
    let suspend = format!("{}/suspend", path(staff));
    assert_eq!(tenant.admin.post(&suspend, json!({})).await.expect(200)["status"], "suspended");
    staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    tenant.admin.post(&format!("{}/reactivate", path(staff)), json!({})).await.expect(200);
    staff.get("/api/v1/contacts").await.expect(200);

    tenant.admin.delete(&path(viewer)).await.expect(204);
    viewer.get("/api/v1/contacts").await.refused(401, "session_ended");
    tenant.admin.delete(&path(viewer)).await.refused(404, "not_found");
    let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
    staff.post(&leave, json!({})).await.expect(204);
    staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    tenant.customer.post(&leave, json!({})).await.expect(204);
    assert_eq!(tenant.customer.get("/api/v1/auth/me").await.expect(200).get("role"), None);
    tenant.customer.post(&leave, json!({})).await.refused(404, "not_found");
    // A suspended member may leave as well.
    let manager = &tenant.manager;
    tenant.admin.post(&format!("{}/suspend", path(manager)), json!({})).await.expect(200);
    manager.post(&leave, json!({})).await.expect(204);
    // And a customer can be parted from.
    let customer = person(tenant.id, "customer").await;
    tenant.admin.delete(&path(&customer)).await.expect(204);
    assert_eq!(customer.get("/api/v1/auth/me").await.expect(200).get("role"), None);
}

#[tokio::test]
async fn last_owner_cannot_leave() {
    let tenant = Tenant::new().await;
    let owner = &tenant.owner;
    owner.patch(&path(owner), json!({ "role": "admin" })).await.refused(409, "last_owner");
    owner.delete(&path(owner)).await.refused(409, "last_owner");
    owner.post(&format!("{}/suspend", path(owner)), json!({})).await.refused(409, "last_owner");
    let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
    owner.post(&leave, json!({})).await.refused(409, "last_owner");

    let transfer = "/api/v1/organizations/me/transfer-ownership";
    owner.post(transfer, json!({ "account_id": owner.account })).await.invalid("account_id", "invalid_value");
    owner
        .post(transfer, json!({ "account_id": tenant.customer.account }))
        .await
        .invalid("account_id", "not_found");
    owner.post(transfer, json!({ "account_id": tenant.staff.account })).await.expect(200);
    assert_eq!(owner.get("/api/v1/auth/me").await.expect(200)["role"], "admin");
    assert_eq!(tenant.staff.get("/api/v1/auth/me").await.expect(200)["role"], "owner");
    owner.post(&leave, json!({})).await.expect(204);
}

#[tokio::test]
async fn returning_member_has_to_sign_in_again() {
    let tenant = Tenant::new().await;
    let staff = &tenant.staff;
    tenant.admin.delete(&path(staff)).await.expect(204);
    let invitation = json!({ "email": staff.email, "role": "viewer" });
    tenant.admin.post("/api/v1/invitations", invitation).await.expect(201);
    let token = system().token_mailed_to(&staff.email).await;
    staff.post("/api/v1/invitations/accept", json!({ "token": token })).await.expect(204);
    staff.get("/api/v1/contacts").await.refused(401, "session_ended");
    let switched =
        staff.post("/api/v1/auth/switch", json!({ "organization_id": tenant.id })).await.expect(200);
    let again = Actor::signed_in(&switched);
    again.get("/api/v1/contacts").await.expect(200);
}

#[tokio::test]
async fn transfer_during_other_changes_is_done_or_refused() {
    for _ in 0..6 {
        let tenant = Tenant::new().await;
        let second = person(tenant.id, "owner").await;
        let transfer = "/api/v1/organizations/me/transfer-ownership";
        let leave = format!("/api/v1/organizations/{}/leave", tenant.id);
        let to = |actor: &Actor| json!({ "account_id": actor.account });
        let answers = futures_util::future::join4(
            tenant.owner.post(transfer, to(&second)),
            second.post(transfer, to(&tenant.owner)),
            tenant.owner.post(transfer, to(&tenant.staff)),
            tenant.staff.post(&leave, json!({})),
        )
        .await;
        for answer in [answers.0, answers.1, answers.2, answers.3] {
            assert!(matches!(answer.status, 200 | 204 | 403 | 409 | 422), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn owners_leaving_at_once_leave_one() {
    for _ in 0..5 {
        let tenant = Tenant::new().await;
        let mut owners = vec![tenant.owner.clone()];
        for _ in 0..3 {
            owners.push(person(tenant.id, "owner").await);
        }
        // Each in another way.
        let ways: Vec<(&str, &str, Value)> = vec![
            ("POST", "/api/v1/organizations/{}/leave", json!({})),
            ("PATCH", "", json!({ "role": "viewer" })),
            ("POST", "/suspend", json!({})),
            ("DELETE", "", json!({})),
        ];
        let id = tenant.id.to_string();
        let attempts =
            owners.iter().zip(ways).map(|(owner, (method, way, body))| (owner, method, way, body, &id));
        let attempts = attempts.map(|(owner, method, way, body, id)| async move {
            let path = match way.starts_with("/api") {
                true => way.replace("{}", id),
                false => format!("{}{way}", path(owner)),
            };
            let status = owner.with_body(method.parse().expect("a method"), &path, body).await.status;
            assert!(matches!(status, 200 | 204 | 409), "{status}");
            status
        });
        let statuses = join_all(attempts).await;
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
        let left: i64 = system()
            .superuser()
            .await
            .query_one(
                "select count(*) from tenancy.members where tenant_id = $1 and role = 'owner' and status = 'active'",
                &[&tenant.id],
            )
            .await
            .expect("a count")
            .get(0);
        assert_eq!(left, 1);
    }
}

#[tokio::test]
async fn demoted_and_removed_member_is_refused_at_once() {
    let tenant = Tenant::new().await;
    tenant.staff.get("/api/v1/auth/me").await.expect(200);
    let superuser = system().superuser().await;
    superuser
        .execute("update tenancy.members set role = 'viewer' where account_id = $1", &[&tenant.staff.account])
        .await
        .expect("a change of role");
    let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
    tenant.staff.post("/api/v1/contacts", contact).await.refused(403, "role_too_low");
    superuser
        .execute("delete from tenancy.members where account_id = $1", &[&tenant.staff.account])
        .await
        .expect("a removal");
    let me = tenant.staff.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me.get("role"), None, "still a person, and nothing there");
    let answer = tenant.staff.get("/api/v1/organizations/me").await;
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="appointd", error="invalid_token""#);
    answer.refused(401, "session_ended");
}
