//! Tasks as they are answered and sent.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::repetition::Repetition;
use crate::{
    db::row,
    http::{
        json::present,
        page::PageAsOf,
        values::{Date, List, Text, named_enum},
    },
};

named_enum! {
    /// The status of a task, which is its column of the board.
    TaskStatus {
        Todo = "todo",
        InProgress = "in_progress",
        Done = "done",
    }
}

named_enum! {
    /// The priority of a task.
    TaskPriority {
        Low = "low",
        Medium = "medium",
        High = "high",
    }
}

named_enum! {
    /// A kind of objects that tasks can be about.
    LinkedKind {
        Contact = "contact",
        Appointment = "appointment",
        Service = "service",
        Provider = "provider",
    }
}

/// What a task is about. The link is removed when the object is deleted.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TaskLink {
    pub kind: LinkedKind,
    /// The id of the object.
    pub id: Uuid,
}

/// The tags of a task, 1 to 50 characters each.
pub type Tags = List<Text<1, 50>, 0, 20>;

/// What a task is about.
pub type Links = List<TaskLink, 0, 20>;

/// What a member has to do.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Task {
    pub id: Uuid,
    pub organization_id: Uuid,
    pub title: String,
    /// Absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub status: TaskStatus,
    pub priority: TaskPriority,
    /// The account of the member who has to do it; absent if it is assigned to no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<Uuid>,
    /// The due date, in the time zone of the organization; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// When its status became `done`; absent if it is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// In alphabetical order.
    pub tags: Vec<String>,
    pub links: Vec<TaskLink>,
    /// When it is to be done again; absent if once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repetition>,
    /// The number of steps of its checklist.
    pub checklist_items: i64,
    /// The number of these steps that are done.
    pub checklist_done: i64,
    /// The task after whose completion this one was made; absent if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_id: Option<Uuid>,
    /// The account or API key that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Task {
        id, organization_id, title, description, status, priority, assignee_id, due_on, completed_at, tags,
        links as json, repeat as json, checklist_items, checklist_done, follows_id, created_by, created_at, updated_at
    }
}

/// A new task.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewTask {
    /// What is to be done, 1 to 200 characters.
    pub title: Text<1, 200>,
    /// More about it, 1 to 10,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub description: Option<Text<1, 10_000>>,
    /// Defaults to `todo`.
    #[serde(default)]
    #[oai(nullable)]
    pub status: Option<TaskStatus>,
    /// Defaults to `medium`.
    #[serde(default)]
    #[oai(nullable)]
    pub priority: Option<TaskPriority>,
    /// The account of the member who has to do it.
    #[serde(default)]
    #[oai(nullable)]
    pub assignee_id: Option<Uuid>,
    /// The due date, in the time zone of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub due_on: Option<Date>,
    /// At most 20 tags of 1 to 50 characters each.
    #[serde(default)]
    #[oai(nullable)]
    pub tags: Option<Tags>,
    /// What it is about: at most 20 objects of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub links: Option<Links>,
    /// When it is to be done again. Requires `due_on`.
    #[serde(default)]
    #[oai(nullable)]
    pub repeat: Option<Repetition>,
}

impl Example for NewTask {
    fn example() -> Self {
        serde_json::from_value(json!({
            "title": "Order towels",
            "description": "Two dozen, white.",
            "priority": "high",
            "due_on": "2031-05-20",
            "tags": ["supplies"],
            "repeat": { "frequency": "monthly", "every": 3, "from": "due" },
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Changes to a task. Omitted fields are kept; `null` removes what can be absent.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct TaskChanges {
    /// What is to be done, 1 to 200 characters.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub title: Option<Text<1, 200>>,
    /// More about it, 1 to 10,000 characters.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub description: MaybeUndefined<Text<1, 10_000>>,
    /// With another status the task goes to the end of the other column of the board.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskStatus>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub priority: Option<TaskPriority>,
    /// The account of the member who has to do it.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub assignee_id: MaybeUndefined<Uuid>,
    /// The due date, in the time zone of the organization.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub due_on: MaybeUndefined<Date>,
    /// At most 20 tags of 1 to 50 characters each. Replaces all of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// What it is about: at most 20 objects of the organization. Replaces all of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// When it is to be done again. Requires `due_on`.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub repeat: MaybeUndefined<Repetition>,
}

impl Example for TaskChanges {
    fn example() -> Self {
        Self {
            title: None,
            description: MaybeUndefined::Undefined,
            status: Some(TaskStatus::InProgress),
            priority: None,
            assignee_id: MaybeUndefined::Undefined,
            due_on: MaybeUndefined::Undefined,
            tags: None,
            links: None,
            repeat: MaybeUndefined::Undefined,
        }
    }
}

/// A page of tasks, by cursor or by number.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct TaskListPage {
    pub items: Vec<Task>,
    /// Send this as `cursor` to get the next page. Absent on the last page, and if `page` was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Send the value of the first page as `updated_since` next time.
    pub as_of: DateTime<Utc>,
    /// The number of tasks on all pages. Absent unless `page` or `page_size` was sent, like the following fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The number of this page, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<i32>,
    /// Items per page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<i32>,
    /// The number of pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<i64>,
}

impl TaskListPage {
    /// A page that a cursor leads to.
    pub fn by_cursor(page: PageAsOf<Task>) -> Self {
        let PageAsOf { items, next_cursor, as_of } = page;
        Self { items, next_cursor, as_of, total: None, page: None, page_size: None, pages: None }
    }

    /// A page by its number.
    pub fn by_number(items: Vec<Task>, total: i64, page: i32, page_size: i32, as_of: DateTime<Utc>) -> Self {
        let pages = total.div_euclid(page_size.into()) + i64::from(total.rem_euclid(page_size.into()) > 0);
        Self {
            items,
            next_cursor: None,
            as_of,
            total: Some(total),
            page: Some(page),
            page_size: Some(page_size),
            pages: Some(pages),
        }
    }
}
