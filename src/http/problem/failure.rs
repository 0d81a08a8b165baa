//! The error type of handlers, and the mapping of database errors to problems.

use super::details::{Problem, SESSION_ENDED};
use crate::db;

/// An error that ends a handler: a problem, or an error of the database.
#[derive(Debug)]
pub enum Failure {
    Problem(Problem),
    Database(db::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Problem(problem) => problem,
            Failure::Database(error) => error.into(),
        }
    }
}

/// Maps a violated constraint, by its name, to a problem.
pub trait OnConstraint<T> {
    fn on_constraint<R: Into<Failure>>(self, name: &str, refuse: impl FnOnce() -> R) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> OnConstraint<T> for Result<T, E> {
    fn on_constraint<R: Into<Failure>>(self, name: &str, refuse: impl FnOnce() -> R) -> Result<T, Failure> {
        self.map_err(|error| match error.into() {
            Failure::Database(db::Error::Constraint(violated)) if violated == name => refuse().into(),
            failure => failure,
        })
    }
}

impl db::Transient for Failure {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_transient())
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::NotAMember => Self::unauthorized(
                SESSION_ENDED,
                "The session has ended, the account is not an active member of the organization, or the organization is not active.",
            ),
            db::Error::KeyInvalid => Self::unauthorized(
                "api_key_invalid",
                "The API key is unknown, was revoked or has expired, or the organization is not active.",
            ),
            db::Error::RoleTooLow { needs, held } => Self::role_too_low(needs, &held),
            db::Error::FeatureNotInPlan { feature, plans } => Self::feature_not_in_plan(&feature, &plans),
            db::Error::ScopeMissing { scope } => Self::scope_missing(scope),
            // The same answer as for an object that does not exist.
            db::Error::WrongHost => Self::not_found(),
            db::Error::Constraint(name) if name.starts_with("plan_limit_") => Self::forbidden(
                "plan_limit",
                match name.as_str() {
                    "plan_limit_providers" => "The plan of the organization allows no more active providers.",
                    "plan_limit_members" => {
                        "The plan of the organization allows no more members and invitations."
                    }
                    "plan_limit_api_keys" => {
                        "The plan of the organization allows no more API keys: revoke one that is not in use."
                    }
                    _ => "The plan of the organization allows no more of these.",
                },
            ),
            db::Error::Constraint(name) if name == "verified_only" => Self::email_not_verified(),
            db::Error::Constraint(name) if name.ends_with("_external_id_key") => Self::conflict(
                "external_id_taken",
                "Another object of this kind has the same external_id; the list of these objects finds it.",
            ),
            db::Error::Crowded => Self::unavailable(
                "organization_busy",
                "The organization has reached its limit of concurrent requests; try again.",
            ),
            db::Error::Unstorable => Self::bad_request(
                "invalid_text",
                "The request contains a character that cannot be stored, such as NUL.",
            ),
            db::Error::Conflict | db::Error::OutOfDate | db::Error::Unclean => Self::unavailable(
                "try_again",
                "Concurrent requests prevented this one. Nothing was changed; try again.",
            ),
            db::Error::Busy => {
                Self::unavailable("busy", "All connections to the database are in use; try again.")
            }
            db::Error::Timeout => {
                Self::unavailable("timeout", "The database took too long; the statement was cancelled.")
            }
            db::Error::InDoubt => Self::unavailable(
                "outcome_unknown",
                "The connection to the database broke before it answered. The request may have been executed; check \
                 before you try again.",
            ),
            db::Error::Unavailable => Self::unavailable(
                "database_unavailable",
                "The database cannot be reached or is full. Nothing was changed; try again.",
            ),
            db::Error::Pooler => Self::unavailable(
                "pooler_detected",
                "A transaction pooler stands between the server and the database. Nothing was changed.",
            ),
            db::Error::ReadOnly => Self::unavailable(
                "database_read_only",
                "The database is read-only at the moment. Nothing was changed; try again.",
            ),
            // Already logged.
            db::Error::Unreadable { .. } => Self::internal(),
            error @ (db::Error::Constraint(_) | db::Error::Failed | db::Error::Other { .. }) => {
                tracing::error!(error = %error, "database error");
                Self::internal()
            }
        }
    }
}
