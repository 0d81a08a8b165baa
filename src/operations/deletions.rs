//! The list of deleted objects, for clients that keep a copy of the data.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{Db, row},
    http::{
        caller::{Member, Viewer},
        described::DeletedKind,
        json::Json,
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Listing},
        values::Instant,
    },
    sql,
};

/// A deleted object.
#[derive(Debug, Object, Serialize)]
pub struct Deletion {
    pub kind: DeletedKind,
    /// The id of the object; for a member, the id of the account.
    pub id: Uuid,
    pub deleted_at: DateTime<Utc>,
}

row! {
    Deletion { kind, id = row_id, deleted_at }
}

pub struct DeletionsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl DeletionsApi {
    /// List deletions
    ///
    /// Objects of the kinds of `DeletedKind` that were deleted since an instant, in the order of their deletion. For
    /// clients that keep a copy of the data: lists with `updated_since` return what changed, this list returns what to
    /// remove. Appointments are never deleted; waitlist entries are deleted with their contact, service or provider.
    /// For the next synchronization, send the `as_of` of the first page as `since`.
    #[oai(path = "/deletions", method = "get", operation_id = "list_deletions")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only objects that were deleted at or after this instant.
        since: Query<Instant>,
        /// Only objects of this kind.
        kind: Query<Option<DeletedKind>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<Deletion>>, ApiError<Listing>> {
        let since = since.0.0;
        let after = page.after(since);
        let as_of = self.0.as_of().await?;
        let deletions = self
            .0
            .all(
                &caller,
                sql!("operations/deletions_list.sql" as Deletion),
                &[
                    &since,
                    &kind.0.as_ref().map(DeletedKind::name),
                    &after.time,
                    &after.id,
                    &page.rows(),
                    &ids.0,
                ],
            )
            .await?;
        Ok(Json(page.of(deletions, |last| Cursor::new(last.deleted_at, last.id)).as_of(as_of)))
    }
}
