use appointd::{
    messaging::queue::{Done, Handler as _, Job},
    work::events::NotifyAssignee,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{PATH, task, titles};
use crate::harness::{Tenant, enter, person, system};

#[tokio::test]
async fn task_is_created_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let contact = tenant.contact().await;
    let body = json!({
        "title": " Order towels ",
        "description": "Two dozen,\nwhite.",
        "priority": "high",
        "assignee_id": tenant.viewer.account,
        "due_on": "2031-05-20",
        "tags": ["supplies", "linen", "supplies"],
        "links": [{ "kind": "contact", "id": contact }],
    });
    let id = tenant.staff.post(PATH, body).await.created();
    let path = format!("{PATH}/{id}");
    let made = tenant.viewer.get(&path).await.expect(200);
    assert_eq!((&made["title"], &made["status"]), (&json!("Order towels"), &json!("todo")));
    assert_eq!(made["organization_id"], json!(tenant.id));
    assert_eq!(made["assignee_id"], json!(tenant.viewer.account));
    assert_eq!(made["tags"], json!(["linen", "supplies"]));
    assert_eq!(made["links"], json!([{ "kind": "contact", "id": contact }]));
    assert_eq!(made["created_by"], json!(tenant.staff.account));
    assert_eq!((made.get("completed_at"), made.get("repeat")), (None, None));

    let changes = json!({
        "status": "done", "description": null, "assignee_id": null, "due_on": null, "tags": ["x"], "links": [],
    });
    let done = tenant.staff.patch(&path, changes).await.expect(200);
    assert_eq!((&done["status"], &done["priority"]), (&json!("done"), &json!("high")));
    assert_eq!((&done["tags"], &done["links"]), (&json!(["x"]), &json!([])));
    for absent in ["description", "assignee_id", "due_on"] {
        assert_eq!(done.get(absent), None, "{absent}");
    }
    let completed = done["completed_at"].as_str().expect("an instant");
    // It was done once.
    let again = tenant.staff.patch(&path, json!({ "status": "done" })).await.expect(200);
    assert_eq!(again["completed_at"], completed);
    let undone = tenant.staff.patch(&path, json!({ "status": "in_progress" })).await.expect(200);
    assert_eq!(undone.get("completed_at"), None);

    assert_eq!(tenant.staff.delete(&path).await.expect(204), Value::Null);
    tenant.viewer.get(&path).await.refused(404, "not_found");
    tenant.staff.delete(&path).await.refused(404, "not_found");
    tenant.staff.patch(&path, json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn create_task_with_wrong_fields_names_each() {
    let tenant = Tenant::new().await;
    for (field, value, code) in [
        ("title", json!(""), "too_short"),
        ("title", json!("x".repeat(201)), "too_long"),
        ("title", json!("a\nb"), "invalid_value"),
        ("description", json!("x".repeat(10_001)), "too_long"),
        ("status", json!("waiting"), "invalid_value"),
        ("priority", json!("urgent"), "invalid_value"),
        ("assignee_id", json!("me"), "invalid_value"),
        ("due_on", json!("2031-02-30"), "invalid_value"),
        ("tags", json!(vec!["t"; 21]), "too_many"),
        ("tags[0]", json!([""]), "too_short"),
        ("links[0].kind", json!([{ "kind": "invoice", "id": tenant.id }]), "invalid_value"),
        ("links", json!([{ "kind": "contact", "id": tenant.id }]), "not_found"),
        ("repeat.every", json!({ "frequency": "daily", "every": 0, "from": "due" }), "out_of_range"),
        ("due_on", json!(null), "required"),
        ("position", json!(1), "unknown_field"),
        ("organization_id", json!(tenant.id), "unknown_field"),
    ] {
        let mut body = json!({ "title": "T" });
        let name = field.split(['[', '.']).next().expect("a name");
        body[name] = value;
        if code == "required" {
            body["repeat"] = json!({ "frequency": "weekly", "every": 1, "from": "due" });
        }
        tenant.staff.post(PATH, body).await.invalid(field, code);
    }
    tenant.staff.post(PATH, json!({})).await.invalid("title", "required");
    let answer = tenant.staff.post(PATH, json!({ "title": "", "status": "x", "tags": "y" })).await;
    let fields: Vec<_> = answer.body["errors"].as_array().expect("errors").iter().collect();
    assert_eq!(fields.len(), 3, "{}", answer.text);
    assert_eq!(tenant.viewer.get(PATH).await.expect(200)["items"], json!([]), "nothing was half-written");
}

#[tokio::test]
async fn assignee_who_does_not_work_here_is_refused_in_one_way() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let id = task(&tenant, "T").await;
    let mut bodies = Vec::new();
    for account in [other.staff.account, Uuid::now_v7(), tenant.customer.account] {
        let created = tenant.staff.post(PATH, json!({ "title": "T", "assignee_id": account })).await;
        let changed = tenant.staff.patch(&format!("{PATH}/{id}"), json!({ "assignee_id": account })).await;
        for answer in [created, changed] {
            let mut body = answer.refused(400, "assignee_not_found");
            assert_eq!(body["detail"], "Assignee not found in your organization");
            body.as_object_mut().expect("an object").remove("request_id");
            bodies.push(body);
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn tasks_of_a_member_who_leaves_are_assigned_to_no_member() {
    let tenant = Tenant::new().await;
    let member = person(tenant.id, "staff").await;
    let id = tenant.staff.post(PATH, json!({ "title": "T", "assignee_id": member.account })).await.created();
    let before = tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200);
    tenant.owner.delete(&format!("/api/v1/members/{}", member.account)).await.expect(204);
    let left = tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200);
    assert_eq!(left.get("assignee_id"), None);
    assert_ne!(left["updated_at"], before["updated_at"], "programs that keep a copy see it");
}

#[tokio::test]
async fn links_go_with_the_objects_they_lead_to() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (contact, foreign) = (tenant.contact().await, other.contact().await);
    let link = |id: &str| json!({ "title": "T", "links": [{ "kind": "contact", "id": id }] });
    tenant.staff.post(PATH, link(&foreign)).await.invalid("links", "not_found");
    let id = tenant.staff.post(PATH, link(&contact)).await.created();
    let listed = tenant.viewer.get(&format!("{PATH}?linked_to={contact}")).await.expect(200);
    assert_eq!(listed["items"][0]["id"], json!(id));
    let before = tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200);
    tenant.manager.delete(&format!("/api/v1/contacts/{contact}")).await.expect(204);
    let after = tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200);
    assert_eq!(after["links"], json!([]));
    assert_ne!(after["updated_at"], before["updated_at"], "programs that keep a copy see it");
}

#[tokio::test]
async fn list_tasks_by_filters() {
    let tenant = Tenant::new().await;
    let bodies = [
        json!({ "title": "A", "tags": ["x", "y"], "due_on": "2031-01-01", "assignee_id": tenant.viewer.account }),
        json!({ "title": "B", "status": "done", "priority": "low", "tags": ["y"], "due_on": "2031-01-02" }),
        json!({ "title": "C", "status": "in_progress", "priority": "high" }),
    ];
    for body in bodies {
        tenant.staff.post(PATH, body).await.created();
    }
    let assignee = format!("assignee_id={}", tenant.viewer.account);
    for (query, expected) in [
        ("status=todo", vec!["A"]),
        ("status=todo&status=done", vec!["A", "B"]),
        ("priority=low&priority=high", vec!["B", "C"]),
        (assignee.as_str(), vec!["A"]),
        ("tag=y", vec!["A", "B"]),
        ("tag=x", vec!["A"]),
        ("tag=X", vec![]),
        ("due_until=2031-01-01", vec!["A"]),
        ("tag=y&status=done", vec!["B"]),
    ] {
        let page = tenant.viewer.get(&format!("{PATH}?{query}")).await.expect(200);
        assert_eq!(titles(&page), expected, "{query}");
        let numbered = tenant.viewer.get(&format!("{PATH}?{query}&page=1")).await.expect(200);
        assert_eq!(
            (titles(&numbered), &numbered["total"]),
            (expected.clone(), &json!(expected.len())),
            "{query}"
        );
    }
    tenant.viewer.get(&format!("{PATH}?status=waiting")).await.invalid("status", "invalid_value");
}

#[tokio::test]
async fn list_tasks_by_page_number_has_totals() {
    let tenant = Tenant::new().await;
    for n in 0..5 {
        task(&tenant, &format!("T{n}")).await;
    }
    let page = tenant.viewer.get(&format!("{PATH}?page=2&page_size=2")).await.expect(200);
    assert_eq!(titles(&page), ["T2", "T3"]);
    let numbers = ["total", "page", "page_size", "pages"].map(|name| page[name].as_i64().expect("a number"));
    assert_eq!(numbers, [5, 2, 2, 3]);
    assert_eq!(page.get("next_cursor"), None);
    let default = tenant.viewer.get(&format!("{PATH}?page=1")).await.expect(200);
    assert_eq!((&default["page_size"], &default["pages"]), (&json!(20), &json!(1)));
    let beyond = tenant.viewer.get(&format!("{PATH}?page=9")).await.expect(200);
    assert_eq!((titles(&beyond), &beyond["total"]), (vec![], &json!(5)));

    let first = tenant.viewer.get(&format!("{PATH}?limit=3")).await.expect(200);
    assert_eq!((titles(&first), first.get("total")), (vec!["T0", "T1", "T2"], None));
    let cursor = first["next_cursor"].as_str().expect("another page");
    let second = tenant.viewer.get(&format!("{PATH}?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!(titles(&second), ["T3", "T4"]);
    tenant.viewer.get(&format!("{PATH}?page=1&cursor={cursor}")).await.invalid("cursor", "conflicting");
    tenant.viewer.get(&format!("{PATH}?page=0")).await.invalid("page", "out_of_range");
    tenant.viewer.get(&format!("{PATH}?page_size=101")).await.invalid("page_size", "out_of_range");
}

#[tokio::test]
async fn tasks_are_written_by_staff_and_seen_by_members_of_their_organization() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let id = task(&tenant, "T").await;
    let path = format!("{PATH}/{id}");
    tenant.viewer.post(PATH, json!({ "title": "T" })).await.refused(403, "role_too_low");
    tenant.viewer.patch(&path, json!({})).await.refused(403, "role_too_low");
    tenant.viewer.delete(&path).await.refused(403, "role_too_low");
    tenant.viewer.post(&format!("{path}/move"), json!({})).await.refused(403, "role_too_low");
    tenant.customer.get(PATH).await.refused(403, "role_too_low");
    other.owner.get(&path).await.refused(404, "not_found");
    other.owner.patch(&path, json!({ "title": "Mine" })).await.refused(404, "not_found");
    other.owner.post(&format!("{path}/move"), json!({})).await.refused(404, "not_found");
    other.owner.delete(&path).await.refused(404, "not_found");
    assert_eq!(other.owner.get(PATH).await.expect(200)["items"], json!([]));
    assert_eq!(tenant.viewer.get(&path).await.expect(200)["title"], "T");
}

#[tokio::test]
async fn feature_that_is_switched_off_closes_operations_and_rows() {
    let tenant = Tenant::new().await;
    task(&tenant, "T").await;
    let off = |off: bool| json!({ "features": { "tasks": !off } });
    let subscription = "/api/v1/organizations/me/subscription";
    tenant.owner.patch(subscription, off(true)).await.expect(200);
    tenant.owner.get(PATH).await.refused(403, "feature_not_in_plan");
    tenant.owner.post(PATH, json!({ "title": "T" })).await.refused(403, "feature_not_in_plan");
    // A statement that does not ask for the feature sees nothing.
    let client = system().connect("appointd_api").await;
    enter(&client, tenant.id, &tenant.owner).await;
    let count = "select count(*) from work.tasks";
    assert_eq!(client.query_one(count, &[]).await.expect("a count").get::<_, i64>(0), 0);
    client.batch_execute("rollback").await.expect("a rollback");
    tenant.owner.patch(subscription, off(false)).await.expect(200);
    assert_eq!(titles(&tenant.owner.get(PATH).await.expect(200)), ["T"], "kept");
}

#[tokio::test]
async fn assigning_to_another_member_is_an_event_and_a_job_and_to_oneself_none() {
    let tenant = Tenant::new().await;
    let assigned = |account: Uuid| json!({ "title": "T", "assignee_id": account });
    let id = tenant.staff.post(PATH, assigned(tenant.viewer.account)).await.created();
    tenant.staff.post(PATH, assigned(tenant.staff.account)).await.created();
    // The same assignee again is none.
    tenant.owner.patch(&format!("{PATH}/{id}"), assigned(tenant.viewer.account)).await.expect(200);
    system().publish(tenant.id).await;
    let events = tenant.viewer.get("/api/v1/events?types=task.assigned").await.expect(200);
    let events = events["items"].as_array().expect("items");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["subject_id"], json!(id));
    let jobs = tenant.admin.get("/api/v1/jobs?kind=work.notify_assignee").await.expect(200);
    let jobs = jobs["items"].as_array().expect("items");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let payload = json!({ "task_id": id, "assignee_id": tenant.viewer.account });
    assert_eq!(jobs[0]["payload"], payload);
    let payload: Map<String, Value> = payload.as_object().expect("an object").clone();
    let job = Job {
        tenant: tenant.id,
        id: Uuid::now_v7(),
        kind: NotifyAssignee.kind().name.to_owned(),
        key: None,
        payload,
        attempt: 1,
        max_attempts: 12,
        token: Uuid::now_v7(),
    };
    assert_eq!(NotifyAssignee.run(&job).await.expect("no failure"), Done::Finished);
}
