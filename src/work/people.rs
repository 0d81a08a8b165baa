//! The people whom tasks and comments name.

use std::collections::HashSet;

use uuid::Uuid;

use crate::{
    db::{self, Tx},
    http::problem::{Failure, Problem},
    sql,
};

/// One body for a person of another organization, an unknown one and a customer.
pub fn assignee_not_found() -> Problem {
    Problem::bad_request("assignee_not_found", "Assignee not found in your organization")
}

/// 400 unless the assignee works here. A member who leaves at the same time violates `tasks_assignee_fkey`.
pub async fn check_assignee(tx: &mut Tx, assignee: Option<Uuid>) -> Result<(), Failure> {
    let Some(assignee) = assignee else {
        return Ok(());
    };
    match who_work_here(tx, &[assignee]).await?.is_empty() {
        true => Err(assignee_not_found().into()),
        false => Ok(()),
    }
}

/// Those of these accounts that are active members of the organization, and not customers.
pub async fn who_work_here(tx: &mut Tx, accounts: &[Uuid]) -> Result<HashSet<Uuid>, db::Error> {
    let sql = sql!("work/people_who_work_here.sql" as (Uuid,));
    let known = tx.all(sql, &[&accounts]).await?;
    Ok(known.into_iter().map(|(account,)| account).collect())
}
