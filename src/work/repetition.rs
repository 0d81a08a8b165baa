//! Repeating tasks: a task that is done stays done, and the next one is a task of its own. A unique key decides that
//! one task has one next task, however often and by however many people it is completed.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Tx, row},
    http::{
        problem::Failure,
        values::{Number, named_enum},
    },
    sql,
    tenancy::organizations,
};

named_enum! {
    /// The unit of the interval after which a task is to be done again.
    RepetitionFrequency {
        Daily = "daily",
        Weekly = "weekly",
        Monthly = "monthly",
    }
}

named_enum! {
    /// Where the interval of a repetition begins.
    RepetitionStart {
        /// On the day on which the task was due.
        Due = "due",
        /// On the day on which the task was done.
        Completion = "completion",
    }
}

/// When a task is to be done again. Once it is done, the next task is created. It is due an interval later, and after
/// today in any case: a task that is three weeks late has one next task.
#[derive(Clone, Copy, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Repetition {
    pub frequency: RepetitionFrequency,
    /// The interval in days, weeks or months, 1 to 52.
    pub every: Number<1, 52>,
    /// Where the interval begins.
    pub from: RepetitionStart,
}

impl Repetition {
    /// As the column holds it.
    pub fn interval(&self) -> i16 {
        i16::try_from(self.every.0).unwrap_or(1)
    }
}

/// How a task that is done repeats.
#[derive(Clone, Copy, Debug)]
pub struct Completed {
    pub frequency: RepetitionFrequency,
    pub every: i16,
    pub starts_from: RepetitionStart,
    /// The day of the month on which the first task was due.
    pub day: i16,
    pub due_on: NaiveDate,
    pub completed_at: DateTime<Utc>,
}

row! {
    Completed { frequency, every, starts_from, day, due_on, completed_at }
}

impl Completed {
    /// When the next task is due, if the task was done on this date. `None`: beyond the calendar.
    pub fn next_due(&self, done_on: NaiveDate) -> Option<NaiveDate> {
        let (start, day) = match self.starts_from {
            RepetitionStart::Due => (self.due_on, u32::from(self.day.unsigned_abs())),
            RepetitionStart::Completion => (done_on, done_on.day()),
        };
        let every = u32::from(self.every.unsigned_abs()).max(1);
        for nth in 1.. {
            let steps = every.checked_mul(nth)?;
            let date = match self.frequency {
                RepetitionFrequency::Daily => start.checked_add_days(Days::new(steps.into()))?,
                RepetitionFrequency::Weekly => start.checked_add_days(Days::new(u64::from(steps) * 7))?,
                RepetitionFrequency::Monthly => {
                    let first = start.with_day(1)?.checked_add_months(Months::new(steps))?;
                    // The last day of a shorter month.
                    (1..=day).rev().find_map(|day| first.with_day(day))?
                }
            };
            if date > done_on {
                return Some(date);
            }
        }
        None
    }
}

/// Creates the next task if this one is done and repeats. For the transaction that completes it.
pub async fn repeat(tx: &mut Tx, task: Uuid) -> Result<(), Failure> {
    let sql = sql!("work/tasks_repetition.sql" as Completed);
    let Some(completed) = tx.optional(sql, &[&task]).await? else {
        return Ok(());
    };
    let zone = organizations::time_zone(tx).await?.0;
    let done_on = completed.completed_at.with_timezone(&zone).date_naive();
    if let Some(due) = completed.next_due(done_on) {
        tx.all(sql!("work/tasks_repeat.sql"), &[&task, &Uuid::now_v7(), &due]).await?;
    }
    Ok(())
}
