//! The events of this module, and the notice to those who are assigned a task.

use serde_json::json;

use crate::messaging::{
    event_types::{KnownEvent, events},
    publisher::{Describe, Describing, Happened},
    queue::{Done, Handler, Job, Kind, Lane, NewJob, Working},
};

pub const EVENTS: &[KnownEvent] = events! {
    viewer {
        "task.created" = "A task was created.",
        "task.updated" = "A task was changed, or its checklist.",
        "task.assigned" = "A task was assigned to a member who did not do it themselves.",
        "task.deleted" = "A task was deleted.",
        "checklist_item.created" = "A step was added to a task.",
        "checklist_item.updated" = "A step of a task was changed.",
        "checklist_item.deleted" = "A step of a task was deleted.",
        "task_comment.created" = "A member commented on a task; `mentions` are the accounts that are mentioned.",
        "task_comment.deleted" = "A comment on a task was deleted.",
    }
};

/// Telling members about tasks that were assigned to them.
const NOTIFY: Kind = Kind::new("work.notify_assignee", Lane::Live);

/// Makes a job of each assignment, in the transaction that publishes its event.
pub struct Assignments;

impl Describe for Assignments {
    fn describe<'a>(&'a self, tx: &'a mut crate::db::Tx, events: &'a mut [Happened]) -> Describing<'a> {
        Box::pin(async move {
            for event in events.iter().filter(|event| event.kind == "task.assigned") {
                let payload =
                    json!({ "task_id": event.subject_id, "assignee_id": event.reference("assignee_id") });
                NewJob { kind: NOTIFY, key: None, payload, run_at: None }.add(tx).await?;
            }
            Ok(())
        })
    }
}

/// Tells members about tasks that were assigned to them: a line of the log. It names ids alone.
pub struct NotifyAssignee;

impl Handler for NotifyAssignee {
    fn kind(&self) -> Kind {
        NOTIFY
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let (task, assignee) = (job.named("task_id")?, job.named("assignee_id")?);
            tracing::info!(tenant = %job.tenant, %task, %assignee, "a task was assigned");
            Ok(Done::Finished)
        })
    }
}
