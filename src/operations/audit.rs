//! The change log: who changed which row, and when. Triggers write it; see
//! `sql/migrations/V0004__operations_audit_log.sql`.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{Db, row},
    http::{
        caller::{Admin, Member},
        json::{AnyObject, Json},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Listing},
        query,
        values::{InstantOrDate, Text, named_enum},
    },
    sql,
};

named_enum! {
    /// The kind of actor that made a change.
    ActorKind {
        Account = "account",
        ApiKey = "api_key",
        /// The operator, or the server itself.
        System = "system",
    }
}

named_enum! {
    /// How the row was changed.
    AuditAction {
        Insert = "insert",
        Update = "update",
        Delete = "delete",
    }
}

/// A change of one row.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditEvent {
    pub id: Uuid,
    pub occurred_at: DateTime<Utc>,
    pub actor_kind: ActorKind,
    /// The account or API key that made the change; absent if it was the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<Uuid>,
    /// The `X-Request-Id` of the request that made the change; absent if it was not made by a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    pub action: AuditAction,
    /// The table with its module, such as `crm.contacts`.
    pub relation: String,
    /// The id of the row, or of the object it belongs to; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_id: Option<Uuid>,
    /// The row before the change, without secrets. For an update, only the changed columns. Absent for an insert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<AnyObject>,
    /// The row after the change, without secrets. For an update, only the changed columns. Absent for a delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AnyObject>,
}

row! {
    AuditEvent {
        id, occurred_at, actor_kind, actor_id, request_id, action, relation, row_id, before as json, after as json
    }
}

pub struct AuditApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl AuditApi {
    /// List the change log
    ///
    /// Every change of the organization's rows, latest first: the actor, the time, the request, and the row before and
    /// after.
    #[expect(clippy::too_many_arguments, reason = "the filters of a list are the arguments of its operation")]
    #[oai(path = "/audit-events", method = "get", operation_id = "list_audit_events")]
    async fn list(
        &self,
        caller: Member<Admin>,
        /// Only changes of the row with this id.
        row_id: Query<Option<Uuid>>,
        /// Only changes by this account or API key.
        actor_id: Query<Option<Uuid>>,
        /// Only changes of this table, with its module, such as `crm.contacts`.
        relation: Query<Option<Text<1, 100>>>,
        /// Only changes at or after this instant, or on or after this date in UTC.
        from: Query<Option<InstantOrDate>>,
        /// Only changes before this instant, or before this date in UTC.
        to: Query<Option<InstantOrDate>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<AuditEvent>>, ApiError<Listing>> {
        let (from, to) = (from.0.map(InstantOrDate::in_utc), to.0.map(InstantOrDate::in_utc));
        query::in_order(from, to)?;
        let (before, before_id) = page.cursor().map(|cursor| (cursor.time, cursor.id)).unzip();
        let events = self
            .0
            .all(
                &caller,
                sql!("operations/audit_events_list.sql" as AuditEvent),
                &[
                    &row_id.0,
                    &actor_id.0,
                    &relation.0.as_deref(),
                    &from,
                    &to,
                    &before,
                    &before_id,
                    &page.rows(),
                    &ids.0,
                ],
            )
            .await?;
        Ok(Json(page.of(events, |last| Cursor::new(last.occurred_at, last.id))))
    }
}
