//! The error type of the database, made from the errors of the driver, and the logging of failures.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_postgres::error::SqlState;

use crate::metrics;

/// An error of the database. Contains no values and no texts of PostgreSQL, which may quote rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the account is not, or no longer, an active member of the organization")]
    NotAMember,
    #[error("the role is too low")]
    RoleTooLow {
        /// The lowest role that the operation allows; empty if a function of the database requires the role.
        needs: &'static str,
        held: String,
    },
    #[error("the plan of the organization lacks the feature")]
    FeatureNotInPlan {
        feature: String,
        /// The plans that include it; empty if the organization has disabled it.
        plans: Vec<String>,
    },
    #[error("the host of the request leads to another organization")]
    WrongHost,
    #[error("the API key is unknown or no longer valid")]
    KeyInvalid,
    #[error("the API key lacks the scope")]
    ScopeMissing { scope: String },
    #[error("the organization has reached its limit of concurrent requests")]
    Crowded,
    #[error("constraint {0} refused")]
    Constraint(String),
    #[error("text PostgreSQL cannot store")]
    Unstorable,
    #[error("another transaction got in the way")]
    Conflict,
    #[error("the statement or a lock it needed took too long")]
    Timeout,
    #[error("the database cannot be reached or is full")]
    Unavailable,
    #[error("the database is read-only")]
    ReadOnly,
    #[error("a pooler between server and database mixes sessions")]
    Pooler,
    #[error("all connections are in use")]
    Busy,
    #[error("the connection broke while a commit was under way")]
    InDoubt,
    #[error("the transaction failed earlier and cannot be committed")]
    Failed,
    #[error("a prepared statement is out of date")]
    OutOfDate,
    #[error("something was left behind on a connection")]
    Unclean,
    #[error("{statement}: column {column} cannot be read")]
    Unreadable { statement: &'static str, column: String },
    #[error("{statement} failed with SQLSTATE {sqlstate}")]
    Other { statement: &'static str, sqlstate: String },
}

impl Error {
    /// The error for a statement that returned no row although it always must.
    pub(super) fn no_row(statement: &'static str) -> Self {
        Self::Other { statement, sqlstate: "none (no row where one was due)".to_owned() }
    }

    /// The error for a column that this version cannot read. Logs it here, so that no caller can ignore it.
    pub(super) fn unreadable(statement: &'static str, column: &str) -> Self {
        tracing::error!(statement, column, "a column cannot be read");
        Self::Unreadable { statement, column: column.to_owned() }
    }

    /// Whether the same transaction may succeed if it is run again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict | Self::OutOfDate | Self::Unclean)
    }

    /// Whether entering was refused: the caller may not call the operation, regardless of the rest of the request.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotAMember
                | Self::RoleTooLow { .. }
                | Self::FeatureNotInPlan { .. }
                | Self::WrongHost
                | Self::KeyInvalid
                | Self::ScopeMissing { .. }
        )
    }

    /// Keeps SQLSTATE and constraint name, and drops the rest.
    pub(super) fn from_postgres(statement: &'static str, error: &tokio_postgres::Error) -> Self {
        let Some(reported) = error.as_db_error() else {
            let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
            return if io || error.is_closed() {
                metrics::count_sqlstate(statement, None);
                log_failure(statement, "none");
                Self::Unavailable
            } else {
                Self::Other { statement, sqlstate: format!("none ({error})") }
            };
        };
        metrics::count_sqlstate(statement, Some(reported.code().code()));
        let error = Self::from_db_error(statement, reported);
        // Errors caused by requests are only answered; these concern the operator.
        if matches!(error, Self::Timeout | Self::Unavailable | Self::ReadOnly | Self::Pooler) {
            log_failure(statement, reported.code().code());
        }
        error
    }

    fn from_db_error(statement: &'static str, reported: &tokio_postgres::error::DbError) -> Self {
        match reported.code() {
            code if POOLER.contains(code) => Self::Pooler,
            code if code.code() == "AP401" => Self::NotAMember,
            // The hints of these errors are written by our own functions and contain only names of roles, features and
            // plans.
            code if code.code() == "AP402" => {
                let mut words = reported.hint().unwrap_or_default().split(' ').map(ToOwned::to_owned);
                Self::FeatureNotInPlan { feature: words.next().unwrap_or_default(), plans: words.collect() }
            }
            code if code.code() == "AP403" => {
                Self::RoleTooLow { needs: "", held: reported.hint().unwrap_or_default().to_owned() }
            }
            code if code.code() == "AP404" => Self::WrongHost,
            code if code.code() == "AP405" => Self::ScopeMissing { scope: String::new() },
            code if code.code() == "AP406" => Self::KeyInvalid,
            code if code.code() == "AP407" => Self::Unclean,
            &SqlState::FOREIGN_KEY_VIOLATION
            | &SqlState::UNIQUE_VIOLATION
            | &SqlState::EXCLUSION_VIOLATION
            | &SqlState::CHECK_VIOLATION => Self::Constraint(constraint_name(reported)),
            &SqlState::CHARACTER_NOT_IN_REPERTOIRE | &SqlState::UNTRANSLATABLE_CHARACTER => Self::Unstorable,
            &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE => Self::Conflict,
            &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => Self::Timeout,
            &SqlState::FEATURE_NOT_SUPPORTED => Self::OutOfDate,
            // A standby, a primary that was demoted, or default_transaction_read_only.
            &SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly,
            // Class 08: connection; 57P: the server goes down or comes up; 53: out of connections or memory.
            code if ["08", "57P", "53"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Unavailable
            }
            code => Self::Other { statement, sqlstate: code.code().to_owned() },
        }
    }
}

/// The name of the violated constraint. A Citus worker reports the constraint of a shard, which is our name and a
/// number, and only inside the message.
fn constraint_name(reported: &tokio_postgres::error::DbError) -> String {
    let name = reported.constraint().or_else(|| reported.message().rsplit('"').nth(1)).unwrap_or_default();
    match name.rsplit_once('_') {
        Some((prefix, shard)) if !shard.is_empty() && shard.bytes().all(|b| b.is_ascii_digit()) => {
            prefix.to_owned()
        }
        _ => name.to_owned(),
    }
}

/// A prepared statement is missing or exists already, or a pooler reports that. None of these happens in a session of
/// our own.
const POOLER: [SqlState; 3] =
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT, SqlState::PROTOCOL_VIOLATION];

pub(super) fn is_pooler(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| POOLER.contains(code))
}

/// Logs that the database failed at a statement. During an outage every request fails, so at most one line per second
/// is written for each statement and SQLSTATE, with the number of failures left out since the previous line.
pub(super) fn log_failure(statement: &'static str, sqlstate: &str) {
    if let Some(left_out) = Folded::once_a_second(statement, sqlstate) {
        tracing::warn!(statement, sqlstate, left_out, "the database failed");
    }
}

/// Logs that no connection could be opened, at most one line per second.
pub(super) fn log_unreachable(error: &str, reason: &str) {
    if let Some(left_out) = Folded::once_a_second("connect", "") {
        tracing::warn!(error, reason, left_out, "cannot connect to the database");
    }
}

/// When a line was last written, and how many of the same kind were left out since.
struct Folded {
    written: Instant,
    left_out: u64,
}

impl Folded {
    /// How many lines were left out, if a line is due; otherwise counts one more and returns `None`.
    fn once_a_second(subject: &'static str, cause: &str) -> Option<u64> {
        // Bounded by the number of statements and of logged SQLSTATEs.
        static LINES: LazyLock<Mutex<HashMap<(&'static str, String), Folded>>> =
            LazyLock::new(Mutex::default);
        let now = Instant::now();
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = lines.get_mut(&(subject, cause.to_owned())) else {
            lines.insert((subject, cause.to_owned()), Self { written: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(line.written) < Duration::from_secs(1) {
            line.left_out += 1;
            return None;
        }
        line.written = now;
        Some(std::mem::take(&mut line.left_out))
    }
}

/// What PostgreSQL said, for the person at the terminal.
pub fn explain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(reported) => reported.message().to_owned(),
        None => error_chain(error),
    }
}

/// An error, and what it came from.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
