//! `If-Match` (RFC 9110 section 13.1.1): a client that changes an object sends the `ETag` of the version that it knows.
//! If the object is another one by then, the answer is 412, so that no client overwrites changes that it has not seen.
//!
//! An operation takes an [`IfMatch`] and checks it inside the transaction of the change, after the row of the object is
//! locked: the statement that reads the object then sees every change that the lock waited for. Without the header,
//! nothing is locked or read. `docs/api.md` and the description of 412 follow from the parameter.

use std::marker::PhantomData;

use poem::{
    Request, RequestBody, Result,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};
use serde::Serialize;

use super::{
    conditional::{self, Tag},
    headers,
    problem::{Failure, Problem},
};
use crate::db::{Db, Entry, FromRow, Params, Sql, Tx};

/// The name of the header.
pub const NAME: &str = "If-Match";

/// `*`, or a list of entity tags, which may be empty (RFC 9110 appendix A).
const PATTERN: &str = r#"^(\*|((W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)?)$"#;

/// The header `If-Match` of a request, or its absence.
#[derive(Debug)]
pub struct IfMatch(Option<Condition>);

#[derive(Debug)]
enum Condition {
    /// `*`: any version.
    Any,
    Tags(Vec<Tag>),
}

/// An object with an `ETag`: how its row is locked, how it is read, and what it is answered as.
pub struct Single<R, V = R> {
    lock: Option<Sql>,
    get: Sql<R>,
    shown_as: PhantomData<fn() -> V>,
}

impl<R, V> Single<R, V> {
    /// `lock` and `get` take the same parameters.
    pub const fn new(lock: Sql, get: Sql<R>) -> Self {
        Self { lock: Some(lock), get, shown_as: PhantomData }
    }

    /// An object whose row the server has no right to change, and therefore not to lock.
    pub const fn unlocked(get: Sql<R>) -> Self {
        Self { lock: None, get, shown_as: PhantomData }
    }
}

/// What a change requires of the object as it is, for a transaction that several operations share: each answers with
/// the object in its own form, and the tag is that of the form.
pub struct Precondition<'a, T>(Option<Check<'a, T>>);

type Check<'a, T> = Box<dyn Fn(&T) -> Result<(), Problem> + Send + Sync + 'a>;

impl<T> Precondition<'_, T> {
    /// Nothing is required.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether anything is required, so that the object must be read.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// 412 if the object is not what is required. Its row must be locked.
    pub fn check(&self, current: &T) -> Result<(), Problem> {
        self.0.as_ref().map_or(Ok(()), |check| check(current))
    }
}

impl IfMatch {
    /// A request without the header.
    pub const fn absent() -> Self {
        Self(None)
    }

    /// Whether the header was sent, so that the object must be read.
    pub fn is_sent(&self) -> bool {
        self.0.is_some()
    }

    /// 412 unless the client knows this version of the object, which is given as it is answered. Its row must be
    /// locked.
    pub fn matches(&self, current: &impl Serialize) -> Result<(), Problem> {
        let Some(Condition::Tags(tags)) = &self.0 else {
            return Ok(());
        };
        let etag = conditional::etag_of(current)?;
        if tags.iter().any(|tag| !tag.is_weak && tag.version() == etag) {
            return Ok(());
        }
        let detail = if tags.iter().any(|tag| tag.version() == etag) {
            "A weak tag (`W/…`) never matches; a proxy may have made it weak. Send the tag without `W/`."
        } else {
            "The object has changed since you read it. Read it again, and repeat the change if it still applies."
        };
        let problem = failed(detail);
        Err(match HeaderValue::from_str(&etag) {
            Ok(etag) => problem.with_header(header::ETAG, etag),
            Err(_) => problem,
        })
    }

    /// Locks and reads the object, and fails with 404 if it does not exist, with 412 if the client knows another
    /// version. Without the header, does nothing.
    pub async fn check<R: FromRow, V: From<R> + Serialize>(
        &self,
        tx: &mut Tx,
        single: &Single<R, V>,
        ids: Params<'_>,
    ) -> Result<(), Failure> {
        if !self.is_sent() {
            return Ok(());
        }
        if let Some(lock) = single.lock {
            tx.all(lock, ids).await?;
        }
        let current = tx.optional(single.get, ids).await?.ok_or_else(Problem::not_found)?;
        Ok(self.matches(&V::from(current))?)
    }

    /// Changes the object with one statement, which returns one row or none. Without the header, all is sent in one
    /// flight.
    pub async fn change<R: FromRow, V: From<R> + Serialize, C: FromRow>(
        &self,
        db: &Db,
        entry: impl Into<Entry>,
        (single, ids): (&Single<R, V>, Params<'_>),
        sql: Sql<C>,
        params: Params<'_>,
    ) -> Result<Option<C>, Failure> {
        if !self.is_sent() {
            return Ok(db.optional(entry, sql, params).await?);
        }
        db.attempt(entry, async |mut tx: Tx, _| -> Result<Option<C>, Failure> {
            self.check(&mut tx, single, ids).await?;
            Ok(tx.commit_with(sql, params).await?)
        })
        .await
    }

    /// For a transaction that reads the object in the form in which it is answered.
    pub fn on<T: Serialize + 'static>(&self) -> Precondition<'_, T> {
        let check = move |current: &T| self.matches(current);
        Precondition(self.is_sent().then(|| Box::new(check) as _))
    }

    /// For a transaction that reads the object in another form than the one in which it is answered.
    pub fn on_view<'a, T: 'static, V: Serialize + 'static>(
        &'a self,
        view: impl Fn(&T) -> Result<V, Problem> + Send + Sync + 'a,
    ) -> Precondition<'a, T> {
        let check = move |current: &T| self.matches(&view(current)?);
        Precondition(self.is_sent().then(|| Box::new(check) as _))
    }
}

fn failed(detail: &'static str) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
}

impl<'a> ApiExtractor<'a> for IfMatch {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let tags = MetaSchema::new_with_format("string", "entity-tags");
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema { pattern: Some(PATTERN.to_owned()), ..tags })))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let lines = headers::list(request.headers(), NAME)?;
        if lines.is_empty() {
            return Ok(Self::absent());
        }
        let text = lines.join(",");
        if text.trim() == "*" {
            return Ok(Self(Some(Condition::Any)));
        }
        let expected =
            "`*`, or the ETag of an earlier answer with its quotes; several are separated by commas";
        // An empty list is a list (RFC 9110 section 5.6.1). No version is in it.
        match conditional::tags(&text) {
            Some(tags) => Ok(Self(Some(Condition::Tags(tags)))),
            None => Err(headers::malformed(NAME, expected))?,
        }
    }
}
