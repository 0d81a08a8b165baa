//! Checklists: the steps of a task.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{features::Tasks, tasks};
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// The maximum number of steps of a task.
pub const MOST_ITEMS: i64 = 100;

/// A step of a task.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct ChecklistItem {
    pub id: Uuid,
    pub task_id: Uuid,
    pub text: String,
    pub done: bool,
    pub created_at: DateTime<Utc>,
}

row! {
    ChecklistItem { id, task_id, text, done, created_at }
}

/// A new step.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewChecklistItem {
    /// What the step is, 1 to 200 characters.
    pub text: Text<1, 200>,
}

impl Example for NewChecklistItem {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({ "text": "Compare prices" }))
            .expect("the example follows the rules it is an example of")
    }
}

/// Changes to a step. Omitted fields are kept.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ChecklistItemChanges {
    /// What the step is, 1 to 200 characters.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub text: Option<Text<1, 200>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
}

impl Example for ChecklistItemChanges {
    fn example() -> Self {
        Self { text: None, done: Some(true) }
    }
}

const GET: Sql<ChecklistItem> = sql!("work/checklist_items_get.sql" as ChecklistItem);

const SINGLE: Single<ChecklistItem> = Single::new(sql!("work/checklist_items_lock_row.sql"), GET);

pub struct ChecklistsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl ChecklistsApi {
    /// List the checklist of a task
    ///
    /// Its steps, in the order in which they were created.
    #[oai(path = "/tasks/:task_id/checklist", method = "get", operation_id = "list_checklist")]
    async fn list(
        &self,
        caller: Member<Viewer, Tasks>,
        task_id: Path<Uuid>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<ChecklistItem>>, ApiError<Listing>> {
        let mut tx = self.0.begin(&caller);
        tx.optional(tasks::GET, &[&task_id.0]).await?.ok_or_else(Problem::not_found)?;
        let sql = sql!("work/checklist_items_list.sql" as ChecklistItem);
        let params: Params = &[&task_id.0, &page.after_id(), &page.rows(), &ids.0];
        let items = tx.commit_with_all(sql, params).await?;
        Ok(Json(page.of(items, |last| Cursor::id(last.id))))
    }

    /// Add a step to a task
    ///
    /// 409 `too_many_items` if the task has 100 steps.
    #[oai(path = "/tasks/:task_id/checklist", method = "post", operation_id = "create_checklist_item")]
    async fn create(
        &self,
        caller: Member<Staff, Tasks>,
        task_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewChecklistItem>,
    ) -> Result<Created<ChecklistItem>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let (task, new) = (task_id.0, &body.0);
        let once = Once::new(&context, "create_checklist_item", idempotency_key.0, &(task, new))?;
        let item = create(&self.0, context, task, new, &once).await?;
        Ok(once.created(format!("/api/v1/checklist-items/{}", item.id), item))
    }

    /// Get a step of a task
    #[oai(path = "/checklist-items/:checklist_item_id", method = "get", operation_id = "get_checklist_item")]
    async fn get(
        &self,
        caller: Member<Viewer, Tasks>,
        checklist_item_id: Path<Uuid>,
    ) -> Result<Json<ChecklistItem>, ApiError<Reading>> {
        let item = self.0.optional(&caller, GET, &[&checklist_item_id.0]).await?;
        Ok(Json(item.ok_or_else(Problem::not_found)?))
    }

    /// Change a step of a task
    #[oai(
        path = "/checklist-items/:checklist_item_id",
        method = "patch",
        operation_id = "update_checklist_item"
    )]
    async fn update(
        &self,
        caller: Member<Staff, Tasks>,
        checklist_item_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ChecklistItemChanges>,
    ) -> Result<Json<ChecklistItem>, ApiError<Writing>> {
        let id = checklist_item_id.0;
        let changes = body.0;
        let sql = sql!("work/checklist_items_update.sql" as ChecklistItem);
        let params: Params = &[&id, &changes.text.as_deref(), &changes.done];
        let item = if_match.change(&self.0, &caller, (&SINGLE, &[&id]), sql, params).await?;
        Ok(Json(item.ok_or_else(Problem::not_found)?))
    }

    /// Delete a step of a task
    #[oai(
        path = "/checklist-items/:checklist_item_id",
        method = "delete",
        operation_id = "delete_checklist_item"
    )]
    async fn delete(
        &self,
        caller: Member<Staff, Tasks>,
        checklist_item_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&checklist_item_id.0];
        if_match
            .change(&self.0, &caller, (&SINGLE, id), sql!("work/checklist_items_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Adds a step to a task.
async fn create(
    db: &Db,
    context: Context,
    task: Uuid,
    new: &NewChecklistItem,
    once: &Once,
) -> Result<ChecklistItem, Failure> {
    let full = || Problem::conflict("too_many_items", "The checklist has reached its limit of 100 steps.");
    db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            // Those who add to one task wait for each other, so that each counts the steps of the one before.
            let lock = sql!("work/tasks_lock_row.sql");
            tx.optional(lock, &[&task]).await?.ok_or_else(Problem::not_found)?;
            let sql = sql!("work/checklist_items_create.sql" as ChecklistItem);
            let params: Params = &[&Uuid::now_v7(), &task, &&*new.text, &MOST_ITEMS];
            Ok(tx.optional(sql, params).await?.ok_or_else(full)?)
        })
        .await
    })
    .await
}
