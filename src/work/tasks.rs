//! Tasks: what members have to do.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use uuid::Uuid;

use super::{
    features::Tasks,
    people,
    repetition::{self, Repetition},
    task::{NewTask, Task, TaskChanges, TaskLink, TaskListPage, TaskPriority, TaskStatus},
};
use crate::{
    db::{Context, Db, Params, Sql, Tx},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, Paging, any_of},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{Date, IdempotencyKey, Instant, List, Number, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// The page size of lists by page number.
const DEFAULT_PAGE_SIZE: i32 = 20;

pub const GET: Sql<Task> = sql!("work/tasks_get.sql" as Task);

pub const SINGLE: Single<Task> = Single::new(sql!("work/tasks_lock_row.sql"), GET);

/// Which tasks are listed.
struct Filter {
    statuses: Option<Vec<&'static str>>,
    priorities: Option<Vec<&'static str>>,
    assignee: Option<Uuid>,
    tag: Option<Text<1, 50>>,
    linked_to: Option<Uuid>,
    due: Option<NaiveDate>,
    updated: Option<DateTime<Utc>>,
    ids: Option<Vec<Uuid>>,
}

impl Filter {
    async fn rows(
        &self,
        db: &Db,
        caller: &Member<Viewer, Tasks>,
        (after, rows, skipped): (Uuid, i64, i64),
    ) -> Result<Vec<Task>, Failure> {
        let sql = sql!("work/tasks_list.sql" as Task);
        let tag = self.tag.as_deref();
        let params: Params = &[
            &self.statuses,
            &self.priorities,
            &self.assignee,
            &tag,
            &self.linked_to,
            &self.due,
            &self.updated,
            &self.ids,
            &after,
            &rows,
            &skipped,
        ];
        Ok(db.all(caller, sql, params).await?)
    }

    async fn count(&self, db: &Db, caller: &Member<Viewer, Tasks>) -> Result<i64, Failure> {
        let sql = sql!("work/tasks_count.sql" as (i64,));
        let tag = self.tag.as_deref();
        let params: Params = &[
            &self.statuses,
            &self.priorities,
            &self.assignee,
            &tag,
            &self.linked_to,
            &self.due,
            &self.updated,
            &self.ids,
        ];
        Ok(db.one(caller, sql, params).await?.0)
    }
}

pub struct TasksApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl TasksApi {
    /// List tasks
    ///
    /// All tasks, in the order in which they were created. With `page` or `page_size` the answer has `total`, `page`,
    /// `page_size` and `pages` instead of `next_cursor`. A task that is created or deleted meanwhile moves others to
    /// another page; with `cursor` each is listed once. `GET /api/v1/task-board` lists tasks in the order of the board.
    #[oai(path = "/tasks", method = "get", operation_id = "list_tasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer, Tasks>,
        /// Only tasks with one of these statuses. Can be repeated.
        status: Query<List<TaskStatus, 0, 3>>,
        /// Only tasks with one of these priorities. Can be repeated.
        priority: Query<List<TaskPriority, 0, 3>>,
        /// Only tasks of this member.
        assignee_id: Query<Option<Uuid>>,
        /// Only tasks with this tag.
        tag: Query<Option<Text<1, 50>>>,
        /// Only tasks that are linked to the object with this id.
        linked_to: Query<Option<Uuid>>,
        /// Only tasks that are due on this date or before.
        due_until: Query<Option<Date>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        /// The number of the page, 1 to 1,000, instead of `cursor`. Defaults to 1 if `page_size` is sent.
        page: Query<Option<Number<1, 1000>>>,
        /// Items per page, 1 to 100, instead of `limit`. Defaults to 20 if `page` is sent.
        page_size: Query<Option<Number<1, 100>>>,
        paging: Paging,
    ) -> Result<Json<TaskListPage>, ApiError<Listing>> {
        let filter = Filter {
            statuses: any_of(status.0.iter().map(|status| status.name()).collect()),
            priorities: any_of(priority.0.iter().map(|priority| priority.name()).collect()),
            assignee: assignee_id.0,
            tag: tag.0,
            linked_to: linked_to.0,
            due: due_until.0.map(|date| date.0),
            updated: updated_since.0.map(|instant| instant.0),
            ids: ids.0,
        };
        let as_of = self.0.as_of().await?;
        if page.0.is_none() && page_size.0.is_none() {
            let rows = filter.rows(&self.0, &caller, (paging.after_id(), paging.rows(), 0)).await?;
            return Ok(Json(TaskListPage::by_cursor(
                paging.of(rows, |last| Cursor::id(last.id)).as_of(as_of),
            )));
        }
        if paging.cursor().is_some() {
            let detail = "expected either cursor, or page and page_size";
            Err(Problem::invalid_field("cursor", "conflicting", detail))?;
        }
        let (number, size) =
            (page.0.map_or(1, |page| page.0), page_size.0.map_or(DEFAULT_PAGE_SIZE, |size| size.0));
        let skipped = i64::from(number - 1) * i64::from(size);
        let tasks = filter.rows(&self.0, &caller, (Uuid::nil(), size.into(), skipped)).await?;
        let total = filter.count(&self.0, &caller).await?;
        Ok(Json(TaskListPage::by_number(tasks, total, number, size, as_of)))
    }

    /// Create a task
    ///
    /// It goes to the end of its column of the board. The assignee is notified in the background, unless they create it
    /// themselves. 400 `assignee_not_found` if the assignee is no member who works for the organization. 422
    /// `not_found` on `links` if an object does not exist.
    #[oai(path = "/tasks", method = "post", operation_id = "create_task")]
    async fn create(
        &self,
        caller: Member<Staff, Tasks>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewTask>,
    ) -> Result<Created<Task>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_task", idempotency_key.0, &body.0)?;
        let task = create(&self.0, context, &body.0, &once).await?;
        Ok(once.created(format!("/api/v1/tasks/{}", task.id), task))
    }

    /// Get a task
    #[oai(path = "/tasks/:task_id", method = "get", operation_id = "get_task")]
    async fn get(
        &self,
        caller: Member<Viewer, Tasks>,
        task_id: Path<Uuid>,
    ) -> Result<Json<Task>, ApiError<Reading>> {
        let task = self.0.optional(&caller, GET, &[&task_id.0]).await?;
        Ok(Json(task.ok_or_else(Problem::not_found)?))
    }

    /// Change a task
    ///
    /// If it is done and repeats, the next task is created, once. 400 `assignee_not_found` if the assignee is no member
    /// who works for the organization. 422 `not_found` on `links` if an object does not exist.
    #[oai(path = "/tasks/:task_id", method = "patch", operation_id = "update_task")]
    async fn update(
        &self,
        caller: Member<Staff, Tasks>,
        task_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<TaskChanges>,
    ) -> Result<Json<Task>, ApiError<Writing>> {
        let changes = &body.0;
        let changed = self.0.attempt(&caller, |tx, _| change(tx, task_id.0, changes, &if_match));
        Ok(Json(changed.await?))
    }

    /// Delete a task
    ///
    /// With its checklist and comments.
    #[oai(path = "/tasks/:task_id", method = "delete", operation_id = "delete_task")]
    async fn delete(
        &self,
        caller: Member<Staff, Tasks>,
        task_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&task_id.0];
        if_match
            .change(&self.0, &caller, (&SINGLE, id), sql!("work/tasks_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Creates a task.
pub async fn create(db: &Db, context: Context, new: &NewTask, once: &Once) -> Result<Task, Failure> {
    db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            people::check_assignee(tx, new.assignee_id).await?;
            let id = Uuid::now_v7();
            let repeat = new.repeat.as_ref();
            let params: Params = &[
                &id,
                &&*new.title,
                &new.description.as_deref(),
                &new.status.unwrap_or(TaskStatus::Todo).name(),
                &new.priority.unwrap_or(TaskPriority::Medium).name(),
                &new.assignee_id,
                &new.due_on.map(|date| date.0),
                &repeat.map(|repeat| repeat.frequency.name()),
                &repeat.map(Repetition::interval),
                &repeat.map(|repeat| repeat.from.name()),
            ];
            on_rules(tx.all(sql!("work/tasks_create.sql"), params).await)?;
            set_lists(tx, id, new.tags.as_deref(), new.links.as_deref()).await?;
            if new.status == Some(TaskStatus::Done) {
                repetition::repeat(tx, id).await?;
            }
            Ok(tx.one(GET, &[&id]).await?)
        })
        .await
    })
    .await
}

/// Changes a task, in one transaction.
async fn change(mut tx: Tx, id: Uuid, changes: &TaskChanges, if_match: &IfMatch) -> Result<Task, Failure> {
    if_match.check(&mut tx, &SINGLE, &[&id]).await?;
    people::check_assignee(&mut tx, changes.assignee_id.value().copied()).await?;
    let repeat = changes.repeat.value();
    let params: Params = &[
        &id,
        &changes.title.as_deref(),
        &changes.status.map(TaskStatus::name),
        &changes.priority.map(TaskPriority::name),
        &!changes.description.is_undefined(),
        &changes.description.value().map(|description| &**description),
        &!changes.assignee_id.is_undefined(),
        &changes.assignee_id.value(),
        &!changes.due_on.is_undefined(),
        &changes.due_on.value().map(|date| date.0),
        &!changes.repeat.is_undefined(),
        &repeat.map(|repeat| repeat.frequency.name()),
        &repeat.map(Repetition::interval),
        &repeat.map(|repeat| repeat.from.name()),
    ];
    on_rules(tx.optional(sql!("work/tasks_update.sql"), params).await)?.ok_or_else(Problem::not_found)?;
    set_lists(&mut tx, id, changes.tags.as_deref(), changes.links.as_deref()).await?;
    if changes.status == Some(TaskStatus::Done) {
        repetition::repeat(&mut tx, id).await?;
    }
    let task = tx.commit_with(GET, &[&id]).await?;
    Ok(task.ok_or_else(Problem::not_found)?)
}

/// The rules that the database decides.
fn on_rules<T, E: Into<Failure>>(result: Result<T, E>) -> Result<T, Failure> {
    result.on_constraint("tasks_assignee_fkey", people::assignee_not_found).on_constraint(
        "tasks_repeat_due",
        || {
            let detail = "expected a date: a task that repeats has one";
            Problem::invalid_field("due_on", "required", detail)
        },
    )
}

/// Replaces the tags and the links that are given.
async fn set_lists(
    tx: &mut Tx,
    task: Uuid,
    tags: Option<&[Text<1, 50>]>,
    links: Option<&[TaskLink]>,
) -> Result<(), Failure> {
    if let Some(tags) = tags {
        let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
        tx.all(sql!("work/tasks_tag.sql"), &[&task, &tags]).await?;
    }
    if let Some(links) = links {
        let (kinds, ids): (Vec<&str>, Vec<Uuid>) =
            links.iter().map(|link| (link.kind.name(), link.id)).unzip();
        let missing = || {
            let detail = "expected ids of objects of the organization, each of its kind";
            Problem::invalid_field("links", "not_found", detail)
        };
        tx.all(sql!("work/tasks_link.sql"), &[&task, &kinds, &ids])
            .await
            .on_constraint("task_links_contact_fkey", missing)
            .on_constraint("task_links_appointment_fkey", missing)
            .on_constraint("task_links_service_fkey", missing)
            .on_constraint("task_links_provider_fkey", missing)?;
    }
    Ok(())
}
