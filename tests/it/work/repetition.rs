use appointd::work::repetition::{Completed, RepetitionFrequency, RepetitionStart};
use chrono::{NaiveDate, Utc};
use futures_util::future::join_all;
use serde_json::json;

use super::PATH;
use crate::harness::Tenant;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

#[test]
fn next_task_is_due_an_interval_later_and_after_the_day_it_was_done() {
    use RepetitionFrequency::{Daily, Monthly, Weekly};
    use RepetitionStart::{Completion, Due};
    for (frequency, every, starts_from, day, due, done, expected) in [
        (Weekly, 1, Due, 2, "2026-11-02", "2026-11-02", "2026-11-09"),
        (Weekly, 1, Due, 2, "2026-11-02", "2026-10-30", "2026-11-09"),
        // Three weeks late: one task, not three.
        (Weekly, 1, Due, 2, "2026-11-02", "2026-11-23", "2026-11-30"),
        (Weekly, 2, Due, 2, "2026-11-02", "2026-11-23", "2026-11-30"),
        (Daily, 3, Completion, 2, "2026-11-02", "2026-11-23", "2026-11-26"),
        (Monthly, 1, Due, 31, "2031-01-31", "2031-01-31", "2031-02-28"),
        (Monthly, 1, Due, 31, "2031-02-28", "2031-02-28", "2031-03-31"),
        (Monthly, 12, Due, 29, "2028-02-29", "2028-02-29", "2029-02-28"),
        (Monthly, 1, Completion, 31, "2031-01-31", "2031-02-03", "2031-03-03"),
    ] {
        let completed =
            Completed { frequency, every, starts_from, day, due_on: date(due), completed_at: Utc::now() };
        assert_eq!(completed.next_due(date(done)), Some(date(expected)), "{completed:?} {done}");
    }
}

async fn weekly(tenant: &Tenant) -> String {
    let repeat = json!({ "frequency": "weekly", "every": 1, "from": "due" });
    let body = json!({ "title": "Weekly", "due_on": "2099-11-02", "tags": ["x"], "repeat": repeat });
    tenant.staff.post(PATH, body).await.created()
}

#[tokio::test]
async fn task_that_is_done_undone_and_done_again_has_one_next_task() {
    let tenant = Tenant::new().await;
    let id = weekly(&tenant).await;
    let path = format!("{PATH}/{id}");
    tenant.staff.post(&format!("{path}/checklist"), json!({ "text": "Step" })).await.created();
    for status in ["done", "todo", "done"] {
        tenant.staff.patch(&path, json!({ "status": status })).await.expect(200);
    }
    let open = tenant.viewer.get(&format!("{PATH}?status=todo")).await.expect(200);
    let open = open["items"].as_array().expect("items");
    assert_eq!(open.len(), 1, "{open:?}");
    let next = &open[0];
    assert_eq!((&next["due_on"], &next["follows_id"]), (&json!("2099-11-09"), &json!(id)));
    assert_eq!((&next["tags"], &next["checklist_items"]), (&json!(["x"]), &json!(1)));
    assert_eq!(tenant.viewer.get(&path).await.expect(200)["status"], "done");
    tenant.staff.delete(&path).await.expect(204);
    let next_path = format!("{PATH}/{}", next["id"].as_str().expect("an id"));
    let alone = tenant.viewer.get(&next_path).await.expect(200);
    assert_eq!(alone.get("follows_id"), None);
    assert_ne!(alone["updated_at"], next["updated_at"], "programs that keep a copy see it");
}

#[tokio::test]
async fn task_that_many_complete_at_once_has_one_next_task() {
    let tenant = Tenant::new().await;
    let id = weekly(&tenant).await;
    let path = format!("{PATH}/{id}");
    let attempts = (0..10).map(|n| {
        let (tenant, path) = (&tenant, &path);
        async move {
            match n % 2 {
                0 => tenant.staff.patch(path, json!({ "status": "done" })).await.status,
                _ => tenant.staff.post(&format!("{path}/move"), json!({ "status": "done" })).await.status,
            }
        }
    });
    assert!(join_all(attempts).await.into_iter().all(|status| status == 200));
    let page = tenant.viewer.get(&format!("{PATH}?page=1")).await.expect(200);
    assert_eq!(page["total"], 2);
}

#[tokio::test]
async fn task_that_repeats_keeps_a_date() {
    let tenant = Tenant::new().await;
    let path = format!("{PATH}/{}", weekly(&tenant).await);
    tenant.staff.patch(&path, json!({ "due_on": null })).await.invalid("due_on", "required");
    let once = tenant.staff.patch(&path, json!({ "due_on": null, "repeat": null })).await.expect(200);
    assert_eq!(once.get("repeat"), None);
    tenant.staff.patch(&path, json!({ "status": "done" })).await.expect(200);
    assert_eq!(tenant.viewer.get(&format!("{PATH}?page=1")).await.expect(200)["total"], 1);
}
