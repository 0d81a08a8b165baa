//! Problem details (RFC 9457), and the response made from them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use poem::{
    Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

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
    /// The organizations to choose from. Only with `organization_ambiguous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<OrganizationChoice>>,
    /// Up to three nearby starts that can be booked. Only with `slot_unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternatives: Option<Vec<Alternative>>,
    /// The transitions that the current status allows. Only with `transition_not_allowed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// The id of this request, as in the header `X-Request-Id`. Quote it in support requests.
    pub request_id: String,
}

/// The code for a valid token whose session or membership has ended.
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

/// An organization to sign in to.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct OrganizationChoice {
    pub organization_id: Uuid,
    pub name: String,
    pub slug: String,
}

/// An alternative start that can be booked.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct Alternative {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The providers who are free.
    pub provider_ids: Vec<Uuid>,
}

/// Alternatives that a problem offers.
#[derive(Clone, Debug)]
pub enum Choices {
    Organizations(Vec<OrganizationChoice>),
    Starts(Vec<Alternative>),
    /// Empty if the status is final.
    Actions(Vec<&'static str>),
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
    /// Boxed, because most problems have none.
    pub choices: Option<Box<Choices>>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), choices: None, headers: Vec::new() }
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

    /// 403: the operation needs a higher role.
    pub fn role_too_low(needs: &str, held: &str) -> Self {
        let detail = match (needs, held) {
            ("", _) | (_, "") => "This needs a higher role in the organization.".to_owned(),
            ("customer", held) => format!("This is for customers of the organization; your role is {held}."),
            ("owner", held) => format!("This needs the role owner; yours is {held}."),
            (needs, held) => format!("This needs the role {needs} or a higher one; yours is {held}."),
        };
        Self::forbidden("role_too_low", detail)
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
        Self::forbidden("feature_not_in_plan", detail)
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

    pub fn with_organizations(mut self, organizations: Vec<OrganizationChoice>) -> Self {
        self.choices = Some(Box::new(Choices::Organizations(organizations)));
        self
    }

    pub fn with_alternatives(mut self, alternatives: Vec<Alternative>) -> Self {
        if !alternatives.is_empty() {
            self.choices = Some(Box::new(Choices::Starts(alternatives)));
        }
        self
    }

    pub fn with_allowed(mut self, allowed: Vec<&'static str>) -> Self {
        self.choices = Some(Box::new(Choices::Actions(allowed)));
        self
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The response as the client gets it.
    pub fn render(&self, request_id: &str) -> Response {
        let (mut organizations, mut alternatives, mut allowed) = (None, None, None);
        match self.choices.as_deref() {
            None => {}
            Some(Choices::Organizations(choices)) => organizations = Some(choices.clone()),
            Some(Choices::Starts(choices)) => alternatives = Some(choices.clone()),
            Some(Choices::Actions(choices)) => {
                allowed = Some(choices.iter().map(|action| (*action).to_owned()).collect());
            }
        }
        let details = ProblemDetails {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone().into_owned(),
            errors: (!self.errors.is_empty())
                .then(|| self.errors.iter().take(MOST_ERRORS).cloned().collect()),
            organizations,
            alternatives,
            allowed,
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
