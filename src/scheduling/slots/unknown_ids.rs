//! Names all unknown ids of a request. Statements stop at the first one; so the others are looked up after a refusal.

use uuid::Uuid;

use super::problems::{unknown_provider, unknown_service};
use crate::{
    db::{self, Context, Db, row},
    http::problem::{Failure, FieldError, Problem},
    sql,
};

/// The ids that a request names.
#[derive(Default)]
pub struct NamedIds<'a> {
    /// `service_id`, then those of `and_then`.
    pub services: Vec<Uuid>,
    pub provider: Option<Uuid>,
    pub contact: Option<Uuid>,
    pub provider_ids: &'a [Uuid],
    pub required_resources: &'a [Uuid],
}

/// Which ids do not exist.
struct Unknown {
    services: Vec<i32>,
    provider: bool,
    contact: bool,
    providers: bool,
    resources: bool,
}

row! {
    Unknown { services, provider, contact, providers, resources }
}

pub fn unknown_contact() -> Problem {
    Problem::invalid_field("contact_id", "not_found", "expected the id of a contact of the organization")
}

pub fn unknown_providers() -> Problem {
    Problem::invalid_field("provider_ids", "not_found", "expected ids of providers of the organization")
}

pub fn unknown_resources() -> Problem {
    let detail = "expected ids of rooms and equipment of the organization";
    Problem::invalid_field("required_resources", "not_found", detail)
}

pub fn unknown_following(place: usize) -> Problem {
    let detail = "expected the id of a service of the organization";
    Problem::invalid_field(format!("and_then[{place}]"), "not_found", detail)
}

impl<'a> NamedIds<'a> {
    /// The ids of something to book.
    pub fn of(services: Vec<Uuid>, provider: Option<Uuid>, contact: Option<Uuid>) -> Self {
        Self { services, provider, contact, ..Self::default() }
    }

    /// The errors of those that do not exist.
    pub async fn unknown(&self, db: &Db, context: Context) -> Result<Vec<FieldError>, db::Error> {
        let sql = sql!("scheduling/unknown_ids.sql" as Unknown);
        let Self { services, provider, contact, provider_ids, required_resources } = self;
        let Unknown { services, provider, contact, providers, resources } =
            db.one(context, sql, &[services, provider, contact, provider_ids, required_resources]).await?;
        let services = services.into_iter().filter_map(|place| usize::try_from(place).ok());
        let mut problems: Vec<Problem> = services
            .map(|place| place.checked_sub(1).map_or_else(unknown_service, unknown_following))
            .collect();
        let others: [(bool, fn() -> Problem); 4] = [
            (provider, unknown_provider),
            (contact, unknown_contact),
            (providers, unknown_providers),
            (resources, unknown_resources),
        ];
        problems.extend(others.into_iter().filter_map(|(unknown, problem)| unknown.then(problem)));
        Ok(problems.into_iter().flat_map(|problem| problem.errors).collect())
    }

    /// What was done, or the refusal with all unknown ids if it names one.
    pub async fn named<T>(&self, db: &Db, context: Context, done: Result<T, Failure>) -> Result<T, Failure> {
        match done {
            Err(Failure::Problem(problem))
                if problem.errors.iter().any(|error| error.code == "not_found") =>
            {
                let unknown = self.unknown(db, context).await?;
                Err(if unknown.is_empty() { problem } else { Problem::invalid(unknown) }.into())
            }
            done => done,
        }
    }
}
