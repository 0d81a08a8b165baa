//! How many mails may be sent: to one address, for one inviter, for one organization. Counted in the database
//! (`messaging.spend`), for all servers together.

use poem::http::{HeaderValue, StatusCode, header};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx},
    http::problem::{Failure, Problem},
    sql,
};

/// For whom a mail is sent, beside the person who gets it.
#[derive(Clone, Copy, Debug)]
pub enum OnBehalf {
    /// Nobody else: it is about the account of the person, who asked for it.
    Account,
    /// An organization; and of an invitation the account or API key that invites.
    Organization { id: Uuid, inviter: Option<Uuid> },
}

/// Leave to send one mail, to this address: made by [`ask`] alone.
pub struct Leave {
    pub(super) to: String,
}

/// Why a mail may not be sent.
#[derive(Debug)]
pub struct Refusal {
    budget: String,
    retry_after: i32,
}

impl Refusal {
    /// What is spent, for the log.
    pub fn budget(&self) -> &str {
        &self.budget
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal { budget, retry_after } = refusal;
        let whose = match budget.split('_').next().unwrap_or_default() {
            "unverified" => {
                return Self::forbidden(
                    "email_not_verified",
                    "The organization sends no mails until one of its owners has verified their e-mail address.",
                );
            }
            "inviter" => "you may send",
            "organization" => "the organization may send",
            _ => "this address may get",
        };
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "mail_limit",
            format!("As many mails as {whose} have been sent. Try again after {retry_after} s."),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
    }
}

/// Counts a mail, as part of a transaction: what is rolled back was not counted. Send it after the commit.
pub async fn ask(tx: &mut Tx, to: &str, on_behalf: OnBehalf) -> Result<Leave, Failure> {
    let (organization, inviter) = parts(on_behalf);
    let params: [&(dyn ToSql + Sync); 3] = [&to, &organization, &inviter];
    let row = tx.one(sql!("messaging/mails_spend.sql"), &params).await?;
    leave(&row, to).map_err(|refusal| Problem::from(refusal).into())
}

/// The same by itself, for a mail that is sent where it may be and left out where not.
pub async fn ask_alone(db: &Db, to: &str, on_behalf: OnBehalf) -> Result<Result<Leave, Refusal>, db::Error> {
    let (organization, inviter) = parts(on_behalf);
    let params: [&(dyn ToSql + Sync); 3] = [&to, &organization, &inviter];
    let row = db.gate(sql!("messaging/mails_spend.sql"), &params).await?;
    Ok(leave(&row, to))
}

fn parts(on_behalf: OnBehalf) -> (Option<Uuid>, Option<Uuid>) {
    match on_behalf {
        OnBehalf::Account => (None, None),
        OnBehalf::Organization { id, inviter } => (Some(id), inviter),
    }
}

fn leave(row: &Row, to: &str) -> Result<Leave, Refusal> {
    match row.get::<_, Option<String>>(0) {
        None => Ok(Leave { to: to.to_owned() }),
        Some(budget) => {
            Err(Refusal { budget, retry_after: row.get::<_, Option<i32>>(1).unwrap_or(1).max(1) })
        }
    }
}
