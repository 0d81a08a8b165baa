//! E-mail budgets: how many e-mails may be sent to one address, for one inviter and for one organization. Counted in
//! the database (`messaging.spend`), for all servers together.

use std::time::Duration;

use poem::http::{HeaderValue, StatusCode, header};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Sql, Tx},
    http::problem::{Failure, Problem},
    sql,
};

/// On whose behalf an e-mail is sent: whose budget it counts towards, besides that of the recipient.
#[derive(Clone, Copy, Debug)]
pub enum OnBehalf {
    /// The recipient's own: the e-mail is about their account and they requested it.
    Account,
    /// An organization. For an invitation also the account or API key that invites.
    Organization { id: Uuid, inviter: Option<Uuid> },
}

impl From<Context> for OnBehalf {
    /// For an organization, with the member or API key that invites.
    fn from(context: Context) -> Self {
        Self::Organization { id: context.tenant, inviter: context.actor() }
    }
}

/// Permission to send one e-mail to this address. Only the functions below create it.
pub struct SendPermit {
    pub(super) to: String,
    /// The organization it is sent for.
    pub(super) organization: Option<Uuid>,
}

/// Why an e-mail may not be sent.
#[derive(Debug)]
pub struct OverBudget {
    budget: String,
    retry_after: i32,
}

impl OverBudget {
    /// The budget that is used up, for the log.
    pub fn budget(&self) -> &str {
        &self.budget
    }

    /// When it allows more. `None`: not by waiting.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = u64::try_from(self.retry_after).unwrap_or(1);
        (self.budget != "unverified").then(|| Duration::from_secs(seconds))
    }
}

impl From<OverBudget> for Problem {
    fn from(error: OverBudget) -> Self {
        let OverBudget { budget, retry_after } = error;
        let whose = match budget.split('_').next().unwrap_or_default() {
            "unverified" => {
                return Self::forbidden(
                    "email_not_verified",
                    "The organization sends no e-mails until one of its owners has verified their e-mail address.",
                );
            }
            "inviter" => "from you",
            "organization" => "from the organization",
            _ => "to this address",
        };
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "mail_limit",
            format!("The limit of e-mails {whose} is reached. Try again after {retry_after} s."),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
    }
}

/// The budget that is used up, if any, and the seconds until it allows more.
type Spent = (Option<String>, Option<i32>);

const SPEND: Sql<Spent> = sql!("messaging/mails_spend.sql" as (Option<String>, Option<i32>));

/// Counts an e-mail within a transaction; a rollback takes the count back. Send the e-mail after the commit.
pub async fn spend(tx: &mut Tx, to: &str, on_behalf: OnBehalf) -> Result<SendPermit, Failure> {
    spend_inside(tx, to, on_behalf).await?.map_err(|error| Problem::from(error).into())
}

/// Counts an e-mail within a transaction of the worker.
pub async fn spend_inside(
    tx: &mut Tx,
    to: &str,
    on_behalf: OnBehalf,
) -> Result<Result<SendPermit, OverBudget>, db::Error> {
    let (organization, inviter) = parts(on_behalf);
    let params: [&(dyn ToSql + Sync); 3] = [&to, &organization, &inviter];
    Ok(permit(tx.one(SPEND, &params).await?, to, organization))
}

/// Permission to send an e-mail again that was counted for this address when it was first to be sent.
pub(super) fn spent_before(to: &str, on_behalf: OnBehalf) -> SendPermit {
    SendPermit { to: to.to_owned(), organization: parts(on_behalf).0 }
}

/// Counts an e-mail in a transaction of its own, for e-mails that are skipped if a budget is used up.
pub async fn spend_alone(
    db: &Db,
    to: &str,
    on_behalf: OnBehalf,
) -> Result<Result<SendPermit, OverBudget>, db::Error> {
    let (organization, inviter) = parts(on_behalf);
    let params: [&(dyn ToSql + Sync); 3] = [&to, &organization, &inviter];
    Ok(permit(db.gate(SPEND, &params).await?, to, organization))
}

fn parts(on_behalf: OnBehalf) -> (Option<Uuid>, Option<Uuid>) {
    match on_behalf {
        OnBehalf::Account => (None, None),
        OnBehalf::Organization { id, inviter } => (Some(id), inviter),
    }
}

fn permit(
    (refused, retry_after): Spent,
    to: &str,
    organization: Option<Uuid>,
) -> Result<SendPermit, OverBudget> {
    match refused {
        None => Ok(SendPermit { to: to.to_owned(), organization }),
        Some(budget) => Err(OverBudget { budget, retry_after: retry_after.unwrap_or(1).max(1) }),
    }
}
