//! Who asks. The first argument of a handler is its credentials, and their type says what the operation needs: the
//! description is generated from it, and the database checks it when the tenant is entered.

use std::{marker::PhantomData, sync::Arc};

use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use uuid::Uuid;

use super::{problem::Problem, token::Tokens};
use crate::db::Context;

/// The security schemes are named after the role; [`super::description`] turns them into one scheme and a role.
pub const SCHEME_PREFIX: &str = "member:";

/// A member's role as a type: owner > admin > manager > staff > viewer.
pub trait Role: Send + Sync + 'static {
    /// As `app.enter` takes it.
    const NAME: &'static str;
    const SCHEME: &'static str;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal,)*) => {$(
        $(#[$doc])*
        pub enum $role {}

        impl Role for $role {
            const NAME: &'static str = $name;
            const SCHEME: &'static str = concat!("member:", $name);
        }
    )*};
}

roles! {
    /// Reads.
    Viewer = "viewer",
    /// Works: contacts and appointments.
    Staff = "staff",
    /// Manages: services and hours.
    Manager = "manager",
    /// Administers: providers and the organization.
    Admin = "admin",
}

/// A member of the organization the token names, with the role `R` or a higher one.
pub struct Member<R> {
    pub account: Uuid,
    pub tenant: Uuid,
    role: PhantomData<R>,
}

impl<R: Role> From<&Member<R>> for Context {
    fn from(member: &Member<R>) -> Self {
        Self { tenant: member.tenant, account: member.account, needs: R::NAME }
    }
}

impl<'a, R: Role> ApiExtractor<'a> for Member<R> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            R::SCHEME,
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

    fn security_schemes() -> Vec<&'static str> {
        vec![R::SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let claims =
            request.data::<Arc<Tokens>>().ok_or_else(Problem::internal)?.verify(bearer_token(request)?)?;
        let span = tracing::Span::current();
        span.record("tenant_id", tracing::field::display(claims.tenant_id));
        span.record("account_id", tracing::field::display(claims.sub));
        Ok(Self { account: claims.sub, tenant: claims.tenant_id, role: PhantomData })
    }
}

/// RFC 6750 section 2.1. The name of the scheme is case-insensitive.
fn bearer_token(request: &Request) -> Result<&str, Problem> {
    let missing = || {
        Problem::unauthorized(
            "credentials_missing",
            "Sign in at /api/v1/auth/login and send the token as `Authorization: Bearer …`.",
        )
    };
    let mut given = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(missing());
    };
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
