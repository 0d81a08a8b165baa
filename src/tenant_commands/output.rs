//! What the commands print: lines for people, or objects for programs.

use std::fmt::Arguments;

use serde::Serialize;

use super::database::Outcome;
use crate::terminal;

/// How the commands print.
#[derive(Clone, Copy)]
pub struct Output {
    /// JSON, one object a line (<https://jsonlines.org>).
    pub json: bool,
}

/// What a command has done to an organization.
#[derive(Serialize)]
pub struct Done<'a> {
    /// The slug.
    pub organization: &'a str,
    pub action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
}

impl Output {
    /// Prints a line.
    pub fn line(self, object: &impl Serialize, text: Arguments<'_>) -> Outcome<()> {
        let line = if self.json { serde_json::to_string(object)? } else { text.to_string() };
        Ok(terminal::print(format!("{line}\n").as_bytes())?)
    }

    /// Says what has been done with how many rows.
    pub fn done(self, action: &'static str, organization: &str, rows: i64) -> Outcome<()> {
        let done = Done { organization, action, rows: Some(rows) };
        let more = if action == ADOPTED { " added" } else { "" };
        self.line(&done, format_args!("{action} {organization}: {rows} rows{more}"))
    }
}

pub const ADOPTED: &str = "adopted";
