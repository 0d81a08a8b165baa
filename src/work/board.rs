//! The board: a column for each status, and in it an order that people choose. One lock of the organization decides
//! between moves, so that two tasks that are moved to one place both get there, one behind the other.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    features::Tasks,
    repetition,
    task::{Task, TaskStatus},
    tasks::{GET, SINGLE},
};
use crate::{
    db::{Context, Db, Params, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::IfMatch,
        json::Json,
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Failure, Listing, Problem, Writing},
    },
    sql,
};

/// The room between the last task of a column and one that is moved behind it.
const GAP: i64 = 1 << 20;

/// Where a task goes on the board.
#[derive(Clone, Copy, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct TaskMove {
    /// The column. Defaults to the one that the task is in.
    #[serde(default)]
    #[oai(nullable)]
    pub status: Option<TaskStatus>,
    /// The task of the column before which it goes. Without `before` and `after` it goes to the end.
    #[serde(default)]
    #[oai(nullable)]
    pub before: Option<Uuid>,
    /// The task of the column after which it goes. Send either `before` or `after`.
    #[serde(default)]
    #[oai(nullable)]
    pub after: Option<Uuid>,
}

impl Example for TaskMove {
    fn example() -> Self {
        Self { status: Some(TaskStatus::InProgress), ..Self::default() }
    }
}

/// A task at its position.
struct Placed {
    position: i64,
    task: Task,
}

row! {
    Placed { position, task: Task }
}

/// Between which positions a task goes.
#[derive(Clone, Copy, Debug)]
struct Place {
    status: TaskStatus,
    /// Of the task that was named as its neighbour, if that exists.
    neighbour_status: Option<TaskStatus>,
    low: Option<i64>,
    high: Option<i64>,
}

row! {
    Place { status, neighbour_status, low, high }
}

impl Place {
    /// A position there; `None` without room between the two.
    fn position(&self) -> Option<i64> {
        match (self.low, self.high) {
            (Some(low), Some(high)) => Some(low + (high - low) / 2).filter(|position| *position > low),
            (Some(low), None) => Some(low + GAP),
            (None, Some(high)) => Some(high - GAP.min(high / 2)).filter(|position| *position < high),
            (None, None) => Some(Utc::now().timestamp_micros()),
        }
    }
}

pub struct BoardApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl BoardApi {
    /// List a column of the board
    ///
    /// The tasks with one status, in the order of the board.
    #[oai(path = "/task-board", method = "get", operation_id = "list_task_board")]
    async fn list(
        &self,
        caller: Member<Viewer, Tasks>,
        /// The column. Defaults to `todo`.
        status: Query<Option<TaskStatus>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<Task>>, ApiError<Listing>> {
        let status = status.0.unwrap_or(TaskStatus::Todo).name();
        let (position, id) =
            page.cursor().map_or((0, Uuid::nil()), |cursor| (cursor.time.timestamp_micros(), cursor.id));
        let sql = sql!("work/tasks_board.sql" as Placed);
        let placed = self.0.all(&caller, sql, &[&status, &position, &id, &page.rows(), &ids.0]).await?;
        // A position is a number of microseconds, which is what a cursor holds.
        let positions: HashMap<Uuid, i64> =
            placed.iter().map(|placed| (placed.task.id, placed.position)).collect();
        let tasks: Vec<Task> = placed.into_iter().map(|placed| placed.task).collect();
        Ok(Json(page.of(tasks, |last| {
            let position = positions.get(&last.id).copied().unwrap_or_default();
            Cursor::new(DateTime::from_timestamp_micros(position).unwrap_or_default(), last.id)
        })))
    }

    /// Move a task on the board
    ///
    /// To a place in its column or another one. Moved to `done`, a task that repeats gets its next one. The task's
    /// `updated_at` changes only with the column. 409 `not_in_column` if the task of `before` or `after` is in another
    /// column. 422 `not_found` if it does not exist.
    #[oai(path = "/tasks/:task_id/move", method = "post", operation_id = "move_task")]
    async fn move_task(
        &self,
        caller: Member<Staff, Tasks>,
        task_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<TaskMove>,
    ) -> Result<Json<Task>, ApiError<Writing>> {
        let wanted = body.0;
        if wanted.before.is_some() && wanted.after.is_some() {
            Err(Problem::invalid_field("after", "conflicting", "expected either before or after"))?;
        }
        // Making room changes other tasks, which may be changed by other requests.
        let context = Context::from(&caller);
        let task = self.0.attempt(context, |tx, _| go(tx, task_id.0, wanted, &if_match)).await?;
        Ok(Json(task))
    }
}

/// Moves a task, in one transaction.
async fn go(mut tx: Tx, id: Uuid, wanted: TaskMove, if_match: &IfMatch) -> Result<Task, Failure> {
    tx.all(sql!("work/board_lock.sql"), &[]).await?;
    if_match.check(&mut tx, &SINGLE, &[&id]).await?;
    // So that its column stays the same.
    tx.optional(sql!("work/tasks_lock_row.sql"), &[&id]).await?.ok_or_else(Problem::not_found)?;
    let mut place = find(&mut tx, id, wanted).await?;
    if place.position().is_none() {
        let low = place.low.unwrap_or_default();
        let params: Params = &[&id, &place.status.name(), &wanted.before, &wanted.after, &low];
        tx.all(sql!("work/tasks_make_room.sql"), params).await?;
        place = find(&mut tx, id, wanted).await?;
    }
    let position = place.position().ok_or_else(Problem::internal)?;
    let params: Params = &[&id, &place.status.name(), &position];
    tx.optional(sql!("work/tasks_move.sql"), params).await?.ok_or_else(Problem::not_found)?;
    if place.status == TaskStatus::Done {
        repetition::repeat(&mut tx, id).await?;
    }
    let task = tx.commit_with(GET, &[&id]).await?;
    Ok(task.ok_or_else(Problem::not_found)?)
}

/// The place that is wanted.
async fn find(tx: &mut Tx, id: Uuid, wanted: TaskMove) -> Result<Place, Failure> {
    let sql = sql!("work/tasks_place.sql" as Place);
    let status = wanted.status.map(TaskStatus::name);
    let place = tx.optional(sql, &[&id, &status, &wanted.before, &wanted.after]).await?;
    let place = place.ok_or_else(Problem::not_found)?;
    let named = match (wanted.before, wanted.after) {
        (Some(_), _) => "before",
        (None, Some(_)) => "after",
        (None, None) => return Ok(place),
    };
    match place.neighbour_status {
        None => {
            let detail = "expected the id of another task of the organization";
            Err(Problem::invalid_field(named, "not_found", detail).into())
        }
        Some(status) if status != place.status => {
            let detail = format!("The task of `{named}` is in the column {}.", status.name());
            Err(Problem::conflict("not_in_column", detail).into())
        }
        Some(_) => Ok(place),
    }
}
