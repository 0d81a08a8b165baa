//! Starts sessions: writes the row of `identity.sessions` and issues the tokens or the cookie for it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaResponses, Registry},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{FrontDoor, Person},
    http::{
        caller::{COOKIE, SignedIn},
        client::Client,
        json::{Json, NoContent},
        problem::{Failure, Problem},
        secret::{self, Refresh, Secret},
        token::{COOKIE_LIFETIME, LIFETIME, Subject, Tokens},
    },
    sql,
};

/// The maximum lifetime of a session, regardless of refreshes.
const SESSION_LIFETIME: TimeDelta = TimeDelta::days(90);

/// The tokens of a session (RFC 6749 section 5.1).
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct SessionTokens {
    /// The access token. Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// The refresh token. `POST /api/v1/auth/refresh` exchanges it once, within 30 days, for new tokens. Used again
    /// within 10 seconds, it returns the same new refresh token.
    pub refresh_token: String,
    /// The organization the tokens are for; absent if the account belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
}

/// The session of a browser.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebSession {
    /// The token to repeat in the header `X-CSRF-Token` of every request that changes data.
    pub csrf_token: String,
    /// The organization the session is for; absent if the account belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// When the session ends.
    pub expires_at: DateTime<Utc>,
}

/// A response body together with a `Set-Cookie` header.
pub struct WithCookie<T> {
    cookie: String,
    body: T,
}

impl WithCookie<NoContent> {
    /// The response to signing out: the browser deletes the cookie.
    pub fn ended() -> Self {
        Self {
            cookie: format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
            body: NoContent,
        }
    }
}

impl<T: IntoResponse> IntoResponse for WithCookie<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        if let Ok(cookie) = HeaderValue::from_str(&self.cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl<T: ApiResponse> ApiResponse for WithCookie<T> {
    fn meta() -> MetaResponses {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Starts sessions.
#[derive(Clone)]
pub struct SessionIssuer {
    pub door: FrontDoor,
    pub tokens: Arc<Tokens>,
}

/// What the credentials proved, for starting the session.
#[derive(Default)]
pub struct Proof {
    /// The hash that the password was compared with. If it has changed meanwhile, the session does not start.
    pub verified: Option<String>,
    pub rehashed: Option<String>,
    pub totp_step: Option<i64>,
    pub recovery_hash: Option<[u8; 32]>,
}

impl SessionIssuer {
    /// Starts a session for an account that is already authenticated.
    pub async fn start(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
    ) -> Result<(SessionTokens, Person), Failure> {
        self.start_with(client, account, organization, &Proof::default()).await
    }

    pub async fn start_with(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
        proof: &Proof,
    ) -> Result<(SessionTokens, Person), Failure> {
        let session = Uuid::now_v7();
        let refresh = Secret::<Refresh>::draw(account, session);
        let subject = Subject { account, session, secret: refresh.of_session(), organization };
        self.insert(client, &subject, Some(&refresh.hash()), SESSION_LIFETIME, proof).await?;
        let person = Person { account, session, secret: subject.secret };
        Ok((self.tokens_for(&subject, &refresh)?, person))
    }

    pub async fn start_in_browser(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
        proof: &Proof,
    ) -> Result<WithCookie<Json<WebSession>>, Failure> {
        let session = Uuid::now_v7();
        // A cookie is not refreshed, so this refresh token is not given out.
        let secret = Secret::<Refresh>::draw(account, session).of_session();
        let subject = Subject { account, session, secret, organization };
        let lifetime = TimeDelta::seconds(COOKIE_LIFETIME.as_secs().cast_signed());
        self.insert(client, &subject, None, lifetime, proof).await?;
        self.cookie_for(&subject, Utc::now() + lifetime)
    }

    async fn insert(
        &self,
        client: &Client,
        Subject { account, session, secret, organization }: &Subject,
        refresh_hash: Option<&[u8; 32]>,
        lifetime: TimeDelta,
        proof: &Proof,
    ) -> Result<(), Failure> {
        let kind = if refresh_hash.is_some() { "token" } else { "cookie" };
        let (outcome,) = self
            .door
            .gate(
                sql!("identity/sessions_start.sql" as (String,)),
                &[
                    account,
                    session,
                    organization,
                    &kind,
                    &&secret.hash()[..],
                    &refresh_hash.map(|hash| &hash[..]),
                    &(lifetime.num_seconds() as f64),
                    &client.user_agent,
                    &client.address,
                    &proof.verified,
                    &proof.rehashed,
                    &proof.totp_step,
                    &proof.recovery_hash.as_ref().map(|hash| &hash[..]),
                ],
            )
            .await?;
        match outcome.as_str() {
            "started" => Ok(()),
            "password_changed" => Err(credentials_invalid().into()),
            _ => Err(second_factor_invalid().into()),
        }
    }

    pub fn tokens_for(&self, subject: &Subject, refresh: &Secret<Refresh>) -> Result<SessionTokens, Failure> {
        Ok(SessionTokens {
            access_token: self.tokens.issue(subject, Utc::now())?,
            token_type: "bearer".to_owned(),
            expires_in: LIFETIME.as_secs(),
            refresh_token: refresh.reveal(),
            organization_id: subject.organization,
        })
    }

    pub fn cookie_for(
        &self,
        subject: &Subject,
        expires_at: DateTime<Utc>,
    ) -> Result<WithCookie<Json<WebSession>>, Failure> {
        let csrf = URL_SAFE_NO_PAD.encode(secret::random());
        let now = Utc::now();
        let token = self.tokens.issue_cookie(subject, csrf.clone(), now)?;
        let seconds = (expires_at - now).num_seconds().max(0);
        Ok(WithCookie {
            cookie: format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"),
            body: Json(WebSession { csrf_token: csrf, organization_id: subject.organization, expires_at }),
        })
    }

    /// Moves a session to another organization, with a new refresh token if it uses tokens. Also returns when the
    /// session ends.
    pub async fn move_session(
        &self,
        caller: &SignedIn,
        organization: Uuid,
        refresh: Option<&Secret<Refresh>>,
    ) -> Result<(Subject, DateTime<Utc>), Failure> {
        let hash = refresh.map(Secret::hash);
        let (moved, expires_at): (bool, Option<DateTime<Utc>>) = self
            .door
            .one(
                caller,
                sql!("identity/sessions_switch.sql" as (bool, Option<DateTime<Utc>>)),
                &[&caller.claims.sid, &organization, &hash.as_ref().map(|hash| &hash[..])],
            )
            .await?;
        let expires_at = expires_at.filter(|_| moved).ok_or_else(Problem::not_found)?;
        let subject = Subject {
            account: caller.claims.sub,
            session: caller.claims.sid,
            secret: caller.claims.key,
            organization: Some(organization),
        };
        Ok((subject, expires_at))
    }
}

pub fn credentials_invalid() -> Problem {
    Problem::unauthorized("credentials_invalid", "The e-mail address or the password is wrong.")
}

pub fn second_factor_invalid() -> Problem {
    Problem::unauthorized("second_factor_invalid", "The code is wrong, too old, or was used before.")
}
