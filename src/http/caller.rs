//! The credentials of a request. The edge reads them once. The type of a handler's first argument says which
//! credentials the operation requires: the API description is generated from it, and the database checks it when the
//! tenant is entered.

use std::{
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, Utc};
use poem::{Request, RequestBody, Result, http::Method};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSchema, MetaSecurityScheme, Registry},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{
    deferred, headers,
    problem::Problem,
    schema::schema_type,
    secret::{ApiKey, Purpose as _, Secret},
    token::{Kind, TokenClaims, Tokens},
};
use crate::db::{Context, Entry, Person, Who};

/// The security schemes are named after their requirements; [`super::description`] replaces them by the real schemes.
pub const ROLE_PREFIX: &str = "role:";
pub const FEATURE_PREFIX: &str = "feature:";
/// The scheme of operations for any signed-in account, regardless of organization and role.
pub const ACCOUNT: &str = "account";
/// The scheme of operations that read the object of a guest's link.
pub const LINK: &str = "link";

/// The cookie of a browser's session. Its prefix makes browsers send it to this host only, over TLS only (RFC 6265bis).
pub const COOKIE: &str = "__Host-appointd";
/// The header in which a request with that cookie repeats the CSRF token, unless it only reads.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// A member's role as a type: owner > admin > manager > staff > viewer; and customer.
pub trait Role: Send + Sync + 'static {
    /// The name that `app.enter` expects.
    const NAME: &'static str;
    const SCHEME: &'static str;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal,)*) => {$(
        $(#[$doc])*
        pub enum $role {}

        impl Role for $role {
            const NAME: &'static str = $name;
            const SCHEME: &'static str = concat!("role:", $name);
        }
    )*};
}

roles! {
    /// Sees their own appointments as a customer.
    Customer = "customer",
    /// Reads the organization's data.
    Viewer = "viewer",
    /// Manages contacts and appointments.
    Staff = "staff",
    /// Manages services and hours.
    Manager = "manager",
    /// Manages providers, members and the organization.
    Admin = "admin",
    /// Manages the plan, domains and API keys; deletes the organization.
    Owner = "owner",
}

/// A feature of a plan as a type.
pub trait Feature: Send + Sync + 'static {
    /// The name that `app.enter` expects.
    const NAME: Option<&'static str>;
    const SCHEME: Option<&'static str>;
}

/// No feature required.
pub enum AnyPlan {}

impl Feature for AnyPlan {
    const NAME: Option<&'static str> = None;
    const SCHEME: Option<&'static str> = None;
}

/// The features of a module. What they are called in plans is a row of `tenancy.features`.
macro_rules! features {
    ($($(#[$doc:meta])* $feature:ident = $name:literal,)*) => {$(
        $(#[$doc])*
        pub enum $feature {}

        impl $crate::http::caller::Feature for $feature {
            const NAME: Option<&'static str> = Some($name);
            const SCHEME: Option<&'static str> = Some(concat!("feature:", $name));
        }
    )*};
}
pub(crate) use features;

/// The credentials of a request.
#[derive(Clone, Debug)]
pub enum Credentials {
    Person(TokenClaims),
    Program(Secret<ApiKey>),
}

/// The credentials of a request, or the error in them. The edge adds them to the request.
#[derive(Clone)]
pub struct Presented(pub Result<Credentials, Problem>);

/// How a handler will enter the database. The handler's first argument reports it to the edge.
#[derive(Clone, Default)]
pub struct RequestedEntry(Arc<OnceLock<Entry>>);

impl RequestedEntry {
    pub fn entry(&self) -> Option<Entry> {
        self.0.get().copied()
    }
}

/// Reports how the handler will enter, and fails if path or query are invalid.
fn report_entry(request: &Request, entry: Entry) -> Result<(), Problem> {
    if let Some(asked) = request.extensions().get::<RequestedEntry>() {
        // Set once per request: a handler has one first argument.
        let _ = asked.0.set(entry);
    }
    deferred::check(request)
}

/// Reads the credentials of a request.
pub fn present(request: &Request, tokens: &Tokens) -> Presented {
    Presented(read(request, tokens))
}

fn read(request: &Request, tokens: &Tokens) -> Result<Credentials, Problem> {
    if !headers::has(request.headers(), "Authorization")
        && let Some(token) = cookie(request)?
    {
        let claims = tokens.verify(token, Kind::Cookie)?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let repeated = headers::one(request.headers(), CSRF_HEADER)?;
        let matches = claims
            .csrf
            .as_deref()
            .zip(repeated)
            .is_some_and(|(a, b)| a.as_bytes().ct_eq(b.as_bytes()).into());
        return if reads || matches {
            Ok(Credentials::Person(claims))
        } else {
            Err(Problem::forbidden(
                "csrf_token_invalid",
                "A request with a session cookie that changes data must repeat the session's csrf_token in the header X-CSRF-Token.",
            ))
        };
    }
    let token = bearer_token(request)?.ok_or_else(|| {
        Problem::unauthorized(
            "credentials_missing",
            "Sign in at /api/v1/auth/login and send the token as `Authorization: Bearer …`.",
        )
    })?;
    if token.starts_with(ApiKey::PREFIX) {
        return Secret::parse(token)
            .map(Credentials::Program)
            .map_err(|_| Problem::unauthorized("token_invalid", "The API key is incomplete or malformed."));
    }
    tokens.verify(token, Kind::Access).map(Credentials::Person)
}

/// RFC 6750 section 2.1. The name of the scheme is case-insensitive.
fn bearer_token(request: &Request) -> Result<Option<&str>, Problem> {
    let given = headers::one(request.headers(), "Authorization")?;
    Ok(given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim()))
}

fn cookie(request: &Request) -> Result<Option<&str>, Problem> {
    let lines = headers::list(request.headers(), "Cookie")?;
    Ok(lines
        .into_iter()
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=')))
}

fn presented(request: &Request) -> Result<Credentials, Problem> {
    request.extensions().get::<Presented>().cloned().ok_or_else(Problem::internal)?.0
}

/// A member of the token's organization with the role `R` or a higher one, or an API key of it with that role; the
/// organization's plan includes `F`.
pub struct Member<R, F = AnyPlan> {
    context: Context,
    expires_at: Option<DateTime<Utc>>,
    asks: PhantomData<(R, F)>,
}

impl<R, F> Member<R, F> {
    pub fn tenant(&self) -> Uuid {
        self.context.tenant
    }

    /// When its token expires; `None` for an API key.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    /// The account; fails for an API key.
    pub fn account(&self) -> Result<Uuid, Problem> {
        match self.context.who {
            Who::Session { account, .. } | Who::Customer { account, .. } => Ok(account),
            Who::Key { .. } | Who::Guest { .. } | Who::Scheduler { .. } | Who::Worker => {
                Err(Problem::person_required())
            }
        }
    }
}

impl<F> Member<Customer, F> {
    /// The context of a customer who creates or changes the object with this id.
    pub fn about(&self, subject: Uuid) -> Result<Context, Problem> {
        match self.context.who {
            Who::Session { account, session, secret } => {
                Ok(Context { who: Who::Customer { account, session, secret, subject }, ..self.context })
            }
            _ => Err(Problem::person_required()),
        }
    }
}

impl<R, F> From<&Member<R, F>> for Context {
    fn from(member: &Member<R, F>) -> Self {
        member.context
    }
}

impl<R, F> From<&Member<R, F>> for Entry {
    fn from(member: &Member<R, F>) -> Self {
        member.context.into()
    }
}

fn scheme(name: &'static str, registry: &mut Registry) {
    registry.create_security_scheme(
        name,
        MetaSecurityScheme {
            ty: "http",
            description: None,
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}

impl<'a, R: Role, F: Feature> ApiExtractor<'a> for Member<R, F> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        for name in std::iter::once(R::SCHEME).chain(F::SCHEME) {
            scheme(name, registry);
        }
    }

    fn security_schemes() -> Vec<&'static str> {
        std::iter::once(R::SCHEME).chain(F::SCHEME).collect()
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let (tenant, who, expires_at) = match presented(request)? {
            Credentials::Person(claims) => (
                claims.tenant_id.ok_or_else(Problem::organization_required)?,
                Who::Session { account: claims.sub, session: claims.sid, secret: claims.key },
                claims.expires_at(),
            ),
            Credentials::Program(key) => (key.first, Who::Key { id: key.second, secret: key.bits() }, None),
        };
        let context = Context { tenant, who, needs: R::NAME, feature: F::NAME };
        report_entry(request, context.into())?;
        Ok(Self { context, expires_at, asks: PhantomData })
    }
}

/// A signed-in account, regardless of organization and role. Never an API key.
#[derive(Clone)]
pub struct SignedIn {
    pub claims: TokenClaims,
}

impl SignedIn {
    pub fn person(&self) -> Person {
        Person { account: self.claims.sub, session: self.claims.sid, secret: self.claims.key }
    }
}

impl From<&SignedIn> for Person {
    fn from(signed_in: &SignedIn) -> Self {
        signed_in.person()
    }
}

impl From<&SignedIn> for Entry {
    fn from(signed_in: &SignedIn) -> Self {
        signed_in.person().into()
    }
}

impl<'a> ApiExtractor<'a> for SignedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        scheme(ACCOUNT, registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![ACCOUNT]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match presented(request)? {
            Credentials::Person(claims) => {
                let signed_in = Self { claims };
                report_entry(request, signed_in.person().into())?;
                Ok(signed_in)
            }
            Credentials::Program(_) => Err(Problem::person_required())?,
        }
    }
}

/// The `manage_token` of a guest, sent in a body. It is not verified yet. The description tells by its format which
/// operations take it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ManageToken(pub String);

/// The format of a [`ManageToken`] in the description.
pub const MANAGE_TOKEN: &str = "manage-token";

schema_type!(ManageToken, "manage-token", MetaSchema::new_with_format("string", MANAGE_TOKEN));

/// The `manage_token` of a guest, sent as a bearer token. It is not verified yet.
pub struct Link(pub ManageToken);

impl<'a> ApiExtractor<'a> for Link {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        scheme(LINK, registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![LINK]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let token = bearer_token(request)?.ok_or_else(|| {
            Problem::unauthorized(
                "credentials_missing",
                "Send the `manage_token` of the link as `Authorization: Bearer …`.",
            )
        })?;
        Ok(Self(ManageToken(token.to_owned())))
    }
}
