//! What an organization has used, day by day, for billing: days that have ended, which never change.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{self, Db, WorkerDb, row},
    http::{
        caller::{Admin, Member},
        json::Json,
        page::{Cursor, Page, Paging},
        problem::{ApiError, Listing},
        query,
    },
    sql,
};

/// What an organization has used on one day. The row is final.
#[derive(Debug, Object, Serialize)]
pub struct UsageDay {
    /// The day, in the time zone of the organization.
    pub day: NaiveDate,
    /// When the day began: when the one before ended.
    pub starts_at: DateTime<Utc>,
    /// When the day ended, exclusive.
    pub ends_at: DateTime<Utc>,
    /// When the day was closed.
    pub closed_at: DateTime<Utc>,
    /// Number of appointments that were booked on this day, with those that were cancelled later.
    pub appointments: i64,
    /// Number of requests answered.
    pub requests: i64,
    /// Size of all files at the end of the day, in bytes.
    pub storage_bytes: i64,
    /// Messages by channel.
    pub messages: MessageUsage,
}

/// Number of messages sent for an organization.
#[derive(Debug, Object, Serialize)]
pub struct MessageUsage {
    /// E-mails.
    pub email: i64,
    /// E-mails that were given up or came back. They are counted as sent as well.
    pub email_failed: i64,
    /// Text messages.
    pub sms: i64,
}

row! {
    MessageUsage { email = emails, email_failed = emails_failed, sms }
}

row! {
    UsageDay {
        day, starts_at, ends_at, closed_at, appointments, requests, storage_bytes, messages: MessageUsage
    }
}

pub struct UsageDaysApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl UsageDaysApi {
    /// List the usage by day
    ///
    /// What the organization has used on each day that has ended, oldest first. A day is that of the time zone of the
    /// organization. It is listed when it is closed, mostly within the hour after it has ended, and never changes after
    /// this. Days follow each other without gap: each booking and request is in one.
    #[oai(path = "/organizations/me/usage/days", method = "get", operation_id = "list_usage_days")]
    async fn list(
        &self,
        caller: Member<Admin>,
        /// Only days from this one on.
        from: Query<Option<NaiveDate>>,
        /// Only days up to this one, inclusive.
        to: Query<Option<NaiveDate>>,
        page: Paging,
    ) -> Result<Json<Page<UsageDay>>, ApiError<Listing>> {
        query::in_order(from.0, to.0)?;
        let after = page.cursor().map(|cursor| cursor.time.date_naive());
        let sql = sql!("tenancy/usage_days_list.sql" as UsageDay);
        let days = self.0.all(&caller, sql, &[&from.0, &to.0, &after, &page.rows()]).await?;
        Ok(Json(page.of(days, |last| Cursor::new(last.day.and_time(NaiveTime::MIN).and_utc(), Uuid::nil()))))
    }
}

/// Closes the days of an organization that have ended.
pub async fn close(db: &WorkerDb, tenant: Uuid) -> Result<(), db::Error> {
    db.begin(tenant).commit_with(sql!("tenancy/days_close.sql" as (i32,)), &[]).await.map(drop)
}

/// The active organizations whose day began so long ago, and not as long as `during` more, for the worker.
pub async fn in_day(db: &WorkerDb, since: Duration, during: Duration) -> Result<Vec<Uuid>, db::Error> {
    let sql = sql!("tenancy/organizations_in_day.sql" as (Uuid,));
    let found = db.gate_all(sql, &[&since.as_secs_f64(), &during.as_secs_f64()]).await?;
    Ok(found.into_iter().map(|(tenant,)| tenant).collect())
}
