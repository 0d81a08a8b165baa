//! Tasks: what members have to do.

pub mod board;
pub mod checklists;
pub mod comments;
pub mod events;
pub mod features;
mod people;
pub mod repetition;
pub mod task;
pub mod tasks;

use board::BoardApi;
use checklists::ChecklistsApi;
use comments::CommentsApi;
use poem_openapi::OpenApi;
use tasks::TasksApi;

use crate::{
    db::Db,
    http::{
        module::{Apis, Module, Tag},
        problem::{AnsweredBy, ProblemCode, problem_codes},
    },
};

/// What this module is.
pub enum Work {}

impl Module for Work {
    const NAME: &str = "work";
    const TAGS: &[Tag] = &[Tag {
        name: "Tasks",
        about: "What members have to do, with a board, checklists and comments.",
        paths: &["/tasks", "/task-board", "/checklist-items", "/task-comments"],
    }];
    const DELETED: &[&str] = &["task"];
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        400 Named {
            "assignee_not_found" = "The assignee is no member who works for the organization.",
        }
        403 Named {
            "not_the_author" = "Another member has written the comment.",
        }
        409 Named {
            "not_in_column" = "The task of `before` or `after` is in another column.",
            "too_many_items" = "The checklist has 100 steps.",
        }
    };
}

pub fn apis(db: Db) -> Apis<Work, impl OpenApi> {
    Apis::new((TasksApi(db.clone()), BoardApi(db.clone()), ChecklistsApi(db.clone()), CommentsApi(db)))
}
