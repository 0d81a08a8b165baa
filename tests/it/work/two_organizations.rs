//! Two organizations register, each creates a task, and each sees only its own. The lines of `docs/tasks.md`, which
//! `docs` runs, do the same with the demo data.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{PATH, titles};
use crate::harness::{Actor, PASSWORD};

/// Registers an organization as a stranger does, and signs in.
async fn join(name: &str) -> (Actor, Value) {
    let slug = format!("{name}-{}", Uuid::new_v4().simple());
    let email = format!("admin@{slug}.example");
    let body = json!({
        "email": email, "password": PASSWORD, "organization_name": name, "organization_slug": slug,
    });
    let registered = Actor::anonymous().post("/api/v1/auth/register", body).await.expect(201);
    assert!(registered["access_token"].is_string(), "{registered}");
    let body = json!({ "email": email, "password": PASSWORD });
    let session = Actor::anonymous().post("/api/v1/auth/login", body).await.expect(200);
    let actor = Actor::signed_in(&session);
    let me = actor.get("/api/v1/auth/me").await.expect(200);
    (actor, me)
}

#[tokio::test]
async fn two_organizations_each_see_only_their_own_tasks() {
    let (acme, of_acme) = join("acme").await;
    let (techstart, of_techstart) = join("techstart").await;
    assert_ne!(of_acme["organization_id"], of_techstart["organization_id"]);
    let body =
        json!({ "title": "Task of Acme", "description": "Private", "status": "todo", "priority": "high" });
    let first = acme.post(PATH, body).await.expect(201);
    assert_eq!(first["organization_id"], of_acme["organization_id"]);
    techstart.post(PATH, json!({ "title": "Task of TechStart" })).await.expect(201);

    for (actor, expected) in [(&acme, "Task of Acme"), (&techstart, "Task of TechStart")] {
        let page = actor.get(&format!("{PATH}?page=1&page_size=20")).await.expect(200);
        assert_eq!(titles(&page), [expected]);
        let numbers =
            ["total", "page", "page_size", "pages"].map(|name| page[name].as_i64().expect("a number"));
        assert_eq!(numbers, [1, 1, 20, 1]);
    }
    let path = format!("{PATH}/{}", first["id"].as_str().expect("an id"));
    techstart.get(&path).await.refused(404, "not_found");
    techstart.patch(&path, json!({ "status": "done" })).await.refused(404, "not_found");
    techstart.delete(&path).await.refused(404, "not_found");
    let foreign = json!({ "title": "T", "assignee_id": of_acme["id"] });
    let refused = techstart.post(PATH, foreign).await.refused(400, "assignee_not_found");
    assert_eq!(refused["detail"], "Assignee not found in your organization");
    acme.patch(&path, json!({ "status": "in_progress", "assignee_id": of_acme["id"] })).await.expect(200);
    acme.delete(&path).await.expect(204);
}
