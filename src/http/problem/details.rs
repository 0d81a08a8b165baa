//! Problem details (RFC 9457), and the response made from them.

use std::borrow::Cow;

use poem::{
    Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    Object,
    registry::Registry,
    types::{IsObjectType, Type as _},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The media type of problem details.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Why a request failed (RFC 9457).
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub struct ProblemDetails {
    /// Always `about:blank`: `code` tells the problems apart.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The name of the HTTP status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the problem. Programs should depend on this, not on the texts.
    pub code: String,
    /// What is wrong and how to correct it, for people.
    pub detail: String,
    /// The invalid fields, at most 20. Absent if the problem is not about fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// What the problem adds: see [`Problem::with_extension`].
    #[serde(flatten)]
    #[oai(skip)]
    pub extension: Option<Box<Extension>>,
    /// The id of this request, as in the header `X-Request-Id`: quote it when you ask for help.
    pub request_id: String,
}

/// Members of a problem beside those that every problem may have.
pub type Extension = Map<String, Value>;

/// What a caller lacks who may not do something.
#[derive(Debug, Default, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Requirement {
    /// The role that the operation needs. Only with `role_too_low` and `customer_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_role: Option<String>,
    /// The role of the caller. Only with `role_too_low` and `customer_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The scope that the API key lacks. Only with `scope_missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_scope: Option<String>,
    /// The feature that the operation needs. Only with `feature_not_in_plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_feature: Option<String>,
    /// The plans that include the feature. Only with `feature_not_in_plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans: Option<Vec<String>>,
}

/// Adds the members of an object to the description of problems, in front of the id of the request. Once is enough.
pub fn document<T: IsObjectType>(registry: &mut Registry) {
    ProblemDetails::register(registry);
    // Schemas of the members, such as enumerations.
    T::register(registry);
    let members = registry.create_fake_schema::<T>().properties;
    if let Some(problem) = registry.schemas.get_mut(ProblemDetails::name().as_ref()) {
        let is_known = |name: &str| problem.properties.iter().any(|(known, _)| *known == name);
        if members.iter().all(|(name, _)| is_known(name)) {
            return;
        }
        let last = problem.properties.len() - 1;
        problem.properties.splice(last..last, members);
    }
}

/// The code of a refusal to let in who has a good token and no session or membership (any more).
pub const SESSION_ENDED: &str = "session_ended";

/// The maximum number of errors in a problem, so that the answer is never much longer than the request.
pub const MOST_ERRORS: usize = 20;

/// How many characters of an unknown name an error repeats.
pub const LONGEST_NAME: usize = 64;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct FieldError {
    /// The name of the parameter, or a path into the body such as `rules[1].from`.
    pub field: String,
    /// The stable code of the error.
    pub code: String,
    /// How to correct it, for people.
    pub detail: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), detail: detail.into() }
    }
}

/// The first error as a sentence, and the number of further errors.
pub fn summary(errors: &[FieldError]) -> Cow<'static, str> {
    match errors {
        [] => "The request is invalid.".into(),
        [only] => format!("{}: {}", only.field, only.detail).into(),
        [first, rest @ ..] => {
            let others = if rest.len() == 1 {
                "1 more mistake".to_owned()
            } else {
                format!("{} more mistakes", rest.len())
            };
            format!("{}: {} ({others}; see `errors`)", first.field, first.detail).into()
        }
    }
}

/// An error to answer with. The edge writes the body, because it knows the id of the request.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldError>,
    /// Members that only this problem has. Most problems have none.
    pub extension: Option<Box<Extension>>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), extension: None, headers: Vec::new() }
    }

    /// 400: the request is malformed.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401, with the challenge of RFC 6750.
    pub fn unauthorized(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let challenge = match code {
            "credentials_missing"
            | "credentials_invalid"
            | "second_factor_required"
            | "second_factor_invalid" => r#"Bearer realm="appointd""#,
            _ => r#"Bearer realm="appointd", error="invalid_token""#,
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// 403: authenticated but not allowed.
    pub fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 403: the operation needs a higher role, or is for customers.
    pub fn role_too_low(needs: &str, held: &str) -> Self {
        let detail = match (needs, held) {
            ("", _) | (_, "") => "This needs a higher role in the organization.".to_owned(),
            ("customer", held) => format!("This is for customers of the organization; your role is {held}."),
            ("owner", held) => format!("This needs the role owner; yours is {held}."),
            (needs, held) => format!("This needs the role {needs} or a higher one; yours is {held}."),
        };
        let known = |role: &str| (!role.is_empty()).then(|| role.to_owned());
        let code = if needs == "customer" { "customer_required" } else { "role_too_low" };
        Self::forbidden(code, detail).with_extension(&Requirement {
            required_role: known(needs),
            role: known(held),
            ..Requirement::default()
        })
    }

    /// 403: the plan does not include the feature that the operation needs.
    pub(super) fn feature_not_in_plan(feature: &str, plans: &[String]) -> Self {
        let detail = match plans {
            [] => format!("This needs the feature {feature}, which is switched off for the organization."),
            [plan] => format!("This needs the feature {feature}, which the plan {plan} includes."),
            plans => {
                format!("This needs the feature {feature}, which the plans {} include.", plans.join(" and "))
            }
        };
        Self::forbidden("feature_not_in_plan", detail).with_extension(&Requirement {
            required_feature: Some(feature.to_owned()),
            plans: Some(plans.to_vec()),
            ..Requirement::default()
        })
    }

    /// 403: the API key lacks the scope that the operation needs.
    pub(super) fn scope_missing(scope: String) -> Self {
        Self::forbidden(
            "scope_missing",
            format!("This needs the scope {scope}, which the API key does not have."),
        )
        .with_extension(&Requirement { required_scope: Some(scope), ..Requirement::default() })
    }

    /// 403: the operation is for people, not for API keys.
    pub fn person_required() -> Self {
        Self::forbidden("person_required", "This is for people who have signed in, not for API keys.")
    }

    /// 403: the token names no organization.
    pub fn organization_required() -> Self {
        Self::forbidden(
            "organization_required",
            "The token is for no organization. Create an organization, accept an invitation, or call POST /api/v1/auth/switch.",
        )
    }

    /// 404: the object does not exist or is not visible to the caller. Both cases get the same body.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "The object does not exist, or you have no access to it.",
        )
    }

    /// 409: the request conflicts with the current state.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 410: what is asked for is not kept any more.
    pub fn gone(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::GONE, code, detail)
    }

    /// 422: these fields are invalid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = summary(&errors);
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 422: one field is invalid.
    pub fn invalid_field(
        field: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::invalid(vec![FieldError::new(field, code, detail)])
    }

    /// 403: the e-mail address is not verified, so it may belong to another person.
    pub fn email_not_verified() -> Self {
        Self::forbidden(
            "email_not_verified",
            "Verify the e-mail address of the account first: POST /api/v1/auth/email/request-verification sends the mail.",
        )
    }

    /// 429: too many attempts to guess a password or code.
    pub fn too_many_attempts(retry_after: i32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("Too many attempts. Try again after {retry_after} s."),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// 429: the limit of guest bookings is reached.
    pub fn guest_limit(retry_after: i32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "guest_limit",
            "The organization's limit of guest bookings from this network address or with this e-mail address is reached.",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// 503: not now, but soon.
    pub fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 500: our mistake. The cause is in the log, next to the id of the request.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. Quote the request_id when you report it.",
        )
    }

    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// With the members of an object of the module that refuses (RFC 9457 section 3.2). The description has them where
    /// the module registers the object by [`document`].
    pub fn with_extension(mut self, object: &(impl IsObjectType + Serialize)) -> Self {
        if let Ok(Value::Object(members)) = serde_json::to_value(object) {
            self.extension.get_or_insert_default().extend(members);
        }
        self
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The response as the client gets it.
    pub fn render(&self, request_id: &str) -> Response {
        let details = ProblemDetails {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone().into_owned(),
            errors: (!self.errors.is_empty())
                .then(|| self.errors.iter().take(MOST_ERRORS).cloned().collect()),
            extension: self.extension.clone(),
            request_id: request_id.to_owned(),
        };
        let mut response = Response::builder()
            .status(self.status)
            .content_type(CONTENT_TYPE)
            .body(serde_json::to_vec(&details).unwrap_or_default());
        response.extensions_mut().insert(Code(self.code));
        response.headers_mut().extend(self.headers.iter().cloned());
        response
    }
}

/// The code of the problem in a response, for the log.
#[derive(Clone, Copy, Debug)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }
}
