//! What a plan has to include.

use crate::http::caller::features;

features! {
    /// Tasks, their checklists and comments.
    Tasks = "tasks",
}
