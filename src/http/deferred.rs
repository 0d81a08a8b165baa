//! Mistakes in the path and the query, reported after the credentials are checked and together with those in the body.
//!
//! The framework reads the arguments of a handler one after the other and stops at the first mistake. So the edge
//! checks path and query before the handler runs ([`super::query`]). If the operation has a body, the edge corrects
//! what is wrong in its copy of the request, so that the framework goes on to the body; reading the body then fails
//! with all mistakes. No handler runs with a corrected value.

use poem::Request;

use super::problem::{FieldError, MOST_ERRORS, Problem, summary};

/// The mistakes in path and query. The edge adds them to the request.
#[derive(Clone)]
pub struct DeferredError {
    pub problem: Problem,
    /// Whether reading the body reports them.
    pub with_body: bool,
}

/// 400 for invalid parameters.
pub fn invalid(errors: Vec<FieldError>) -> Problem {
    Problem::bad_request("invalid_parameter", summary(&errors)).with_errors(errors)
}

/// Fails if path or query are wrong, unless that is reported with the body.
pub fn check(request: &Request) -> Result<(), Problem> {
    match request.extensions().get::<DeferredError>() {
        Some(DeferredError { problem, with_body: false }) => Err(problem.clone()),
        _ => Ok(()),
    }
}

/// What was read of a body; the mistakes in it with those in path and query.
pub fn with_body<T>(request: &Request, body: Result<T, Problem>) -> Result<T, Problem> {
    let Some(DeferredError { problem, .. }) = request.extensions().get::<DeferredError>() else {
        return body;
    };
    let mut errors = problem.errors.clone();
    errors.extend(body.err().into_iter().flat_map(|problem| problem.errors));
    errors.truncate(MOST_ERRORS);
    Err(invalid(errors))
}
