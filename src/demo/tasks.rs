//! Some tasks of each organization: in every column of the board, with a checklist, a comment and one that repeats.

use chrono::{DateTime, Days, Utc};
use serde_json::json;
use uuid::Uuid;

use super::loaded::{Error, Loaded};
use crate::{
    db::{Db, Params},
    operations::idempotency::Once,
    scheduling::hours::wall_time,
    sql,
    work::{checklists::MOST_ITEMS, task::NewTask, tasks},
};

/// The tasks: title, status, priority, days until it is due, tag, and whether it repeats weekly.
const TASKS: [(&str, &str, &str, u64, &str, bool); 5] = [
    ("Order towels", "todo", "medium", 5, "supplies", false),
    ("Check the fire extinguishers", "todo", "high", 2, "safety", false),
    ("Clean the coffee machine", "todo", "low", 1, "supplies", true),
    ("Call back about the invoice", "in_progress", "high", 1, "customers", false),
    ("Write the holiday notice", "done", "medium", 3, "customers", false),
];

/// The steps of the first task.
const STEPS: [&str; 3] = ["Count what is left", "Compare prices", "Order"];

/// `colleague` is the account of a member who is not the owner, if the organization has one.
pub(super) async fn load(
    db: &Db,
    loaded: &Loaded,
    colleague: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let today = wall_time::date(loaded.zone.0, now);
    let mut first = None;
    for (title, status, priority, days, tag, weekly) in TASKS {
        let repeat = weekly.then(|| json!({ "frequency": "weekly", "every": 1, "from": "due" }));
        let about: Vec<_> = loaded
            .contacts
            .iter()
            .take(usize::from(tag == "customers"))
            .map(|contact| json!({ "kind": "contact", "id": contact }))
            .collect();
        let new = json!({
            "title": title,
            "status": status,
            "priority": priority,
            "due_on": today + Days::new(days),
            "tags": [tag],
            "repeat": repeat,
            "assignee_id": colleague.filter(|_| priority == "high"),
            "links": about,
        });
        let new: NewTask = serde_json::from_value(new).map_err(|error| Error(error.to_string()))?;
        let id = tasks::create(db, loaded.context, &new, &Once::without_key()).await?.id;
        first.get_or_insert(id);
    }
    let Some(task) = first else {
        return Ok(());
    };
    for text in STEPS {
        let params: Params = &[&Uuid::now_v7(), &task, &text, &MOST_ITEMS];
        db.one(loaded.context, sql!("work/checklist_items_create.sql"), params).await?;
    }
    let params: Params = &[&Uuid::now_v7(), &task, &"The usual supplier is cheaper.", &Vec::<Uuid>::new()];
    db.one(loaded.context, sql!("work/comments_create.sql"), params).await?;
    Ok(())
}
