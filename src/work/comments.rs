//! Comments: what members say about a task, and whom they mention.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{features::Tasks, people, tasks};
use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, Page, Paging},
        problem::{
            ApiError, Deleting, Failure, FieldError, Listing, OnConstraint as _, Problem, Reading, Writing,
        },
        values::{IdempotencyKey, List, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// What a member says about a task.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct TaskComment {
    pub id: Uuid,
    pub task_id: Uuid,
    pub text: String,
    /// The accounts of the members who are mentioned.
    pub mentions: Vec<Uuid>,
    /// The account or API key that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
}

row! {
    TaskComment { id, task_id, text, mentions, author_id, created_at }
}

/// A new comment.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewTaskComment {
    /// The text, 1 to 5,000 characters.
    pub text: Text<1, 5000>,
    /// The accounts of at most 20 members who are mentioned: the event of the comment names them.
    #[serde(default)]
    #[oai(nullable)]
    pub mentions: Option<List<Uuid, 0, 20>>,
}

impl Example for NewTaskComment {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({ "text": "The second supplier is cheaper." }))
            .expect("the example follows the rules it is an example of")
    }
}

const GET: Sql<TaskComment> = sql!("work/comments_get.sql" as TaskComment);

/// Comments are written once.
const SINGLE: Single<TaskComment> = Single::unlocked(GET);

pub struct CommentsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl CommentsApi {
    /// List the comments on a task
    ///
    /// In the order in which they were written.
    #[oai(path = "/tasks/:task_id/comments", method = "get", operation_id = "list_task_comments")]
    async fn list(
        &self,
        caller: Member<Viewer, Tasks>,
        task_id: Path<Uuid>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<TaskComment>>, ApiError<Listing>> {
        let mut tx = self.0.begin(&caller);
        tx.optional(tasks::GET, &[&task_id.0]).await?.ok_or_else(Problem::not_found)?;
        let sql = sql!("work/comments_list.sql" as TaskComment);
        let params: Params = &[&task_id.0, &page.after_id(), &page.rows(), &ids.0];
        let comments = tx.commit_with_all(sql, params).await?;
        Ok(Json(page.of(comments, |last| Cursor::id(last.id))))
    }

    /// Comment on a task
    ///
    /// 422 `not_found` on each of `mentions` that is no member who works for the organization.
    #[oai(path = "/tasks/:task_id/comments", method = "post", operation_id = "create_task_comment")]
    async fn create(
        &self,
        caller: Member<Staff, Tasks>,
        task_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewTaskComment>,
    ) -> Result<Created<TaskComment>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let (task, new) = (task_id.0, &body.0);
        let once = Once::new(&context, "create_task_comment", idempotency_key.0, &(task, new))?;
        let comment = create(&self.0, context, task, new, &once).await?;
        Ok(once.created(format!("/api/v1/task-comments/{}", comment.id), comment))
    }

    /// Get a comment
    #[oai(path = "/task-comments/:comment_id", method = "get", operation_id = "get_task_comment")]
    async fn get(
        &self,
        caller: Member<Viewer, Tasks>,
        comment_id: Path<Uuid>,
    ) -> Result<Json<TaskComment>, ApiError<Reading>> {
        let comment = self.0.optional(&caller, GET, &[&comment_id.0]).await?;
        Ok(Json(comment.ok_or_else(Problem::not_found)?))
    }

    /// Delete a comment
    ///
    /// Its author can, and managers. 403 `not_the_author` for others.
    #[oai(path = "/task-comments/:comment_id", method = "delete", operation_id = "delete_task_comment")]
    async fn delete(
        &self,
        caller: Member<Staff, Tasks>,
        comment_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&comment_id.0];
        let deleting = self.0.attempt(&caller, async |mut tx: Tx, _| -> Result<Option<(Uuid,)>, Failure> {
            if_match.check(&mut tx, &SINGLE, id).await?;
            tx.optional(GET, id).await?.ok_or_else(Problem::not_found)?;
            // The policies decide who may.
            Ok(tx.commit_with(sql!("work/comments_delete.sql" as (Uuid,)), id).await?)
        });
        match deleting.await? {
            Some(_) => Ok(NoContent),
            None => Err(Problem::forbidden(
                "not_the_author",
                "Another member has written the comment. Its author can delete it, and managers.",
            ))?,
        }
    }
}

/// Writes a comment on a task.
async fn create(
    db: &Db,
    context: Context,
    task: Uuid,
    new: &NewTaskComment,
    once: &Once,
) -> Result<TaskComment, Failure> {
    db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            let mentions = mentioned(tx, new.mentions.as_deref().unwrap_or_default()).await?;
            let sql = sql!("work/comments_create.sql" as TaskComment);
            let params: Params = &[&Uuid::now_v7(), &task, &&*new.text, &mentions];
            tx.one(sql, params).await.on_constraint("comments_task_fkey", Problem::not_found)
        })
        .await
    })
    .await
}

/// The mentioned accounts, each once, or an error for each that does not work here.
async fn mentioned(tx: &mut Tx, accounts: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let known = people::who_work_here(tx, accounts).await?;
    let unknown: Vec<FieldError> = accounts
        .iter()
        .enumerate()
        .filter(|(_, account)| !known.contains(*account))
        .map(|(index, _)| {
            let detail = "expected the account of a member of the organization";
            FieldError::new(format!("mentions[{index}]"), "not_found", detail)
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Problem::invalid(unknown).into());
    }
    let mut seen = HashSet::new();
    Ok(accounts.iter().copied().filter(|account| seen.insert(*account)).collect())
}
