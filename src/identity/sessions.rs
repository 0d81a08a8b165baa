//! Sessions between signing in and out. An access token expires within minutes and is renewed with a single-use refresh
//! token; a browser has a cookie instead. Both are valid only while their row of `identity.sessions` exists.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Path, types::Example};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::session_issuer::{SessionIssuer, SessionTokens, WebSession, WithCookie};
use crate::{
    db::{Db, row},
    http::{
        caller::SignedIn,
        json::{Json, NoContent},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Deleting, Listing, OpenWriting, Problem, Reading, Writing},
        secret::{self, Refresh, Secret},
        token::{Kind, Subject},
        values::named_enum,
    },
    sql,
};

/// How many successors of a refresh token are followed, each used within seconds of the one before.
const LONGEST_ROW: usize = 8;

/// A refresh token to exchange for new tokens.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct RefreshRequest {
    /// The refresh token issued last.
    pub refresh_token: Secret<Refresh>,
}

impl Example for RefreshRequest {
    fn example() -> Self {
        Self { refresh_token: Secret::example() }
    }
}

/// An organization to switch to.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct OrganizationSwitch {
    /// An organization the account belongs to; see `GET /api/v1/auth/organizations`.
    pub organization_id: Uuid,
}

impl Example for OrganizationSwitch {
    fn example() -> Self {
        Self { organization_id: uuid::uuid!("019a9c3e-5a11-7c1e-9f6b-2f1f4a3d9b11") }
    }
}

/// A signed-in session of the account.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Session {
    pub id: Uuid,
    /// The organization the session is for; absent if it is for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    pub kind: SessionKind,
    /// The `User-Agent` header of the request that signed in; absent if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The network address it signed in from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether this is the session of the request.
    pub current: bool,
    pub created_at: DateTime<Utc>,
    /// When the session was last refreshed or switched.
    pub last_used_at: DateTime<Utc>,
    /// When the session ends at the latest.
    pub expires_at: DateTime<Utc>,
}

named_enum! {
    /// How the client holds the session: `token`, or `cookie` in a browser.
    SessionKind {
        Token = "token",
        Cookie = "cookie",
    }
}

row! {
    Session {
        id, organization_id, kind, user_agent, address, created_at, last_used_at, expires_at;
        current: false
    }
}

named_enum! {
    /// What became of a refresh token.
    RefreshOutcome {
        Refreshed = "refreshed",
        /// It was exchanged within the last seconds.
        Followed = "followed",
        /// It was exchanged before. The session has ended.
        Reused = "reused",
        /// It belongs to no session.
        Unknown = "unknown",
    }
}

/// The outcome of a refresh.
struct Refreshed {
    outcome: RefreshOutcome,
    organization_id: Option<Uuid>,
    salt: Option<Vec<u8>>,
}

row! {
    Refreshed { outcome, organization_id, salt }
}

pub struct SessionsApi {
    pub db: Db,
    pub issuer: SessionIssuer,
}

#[OpenApi]
impl SessionsApi {
    /// Refresh the tokens
    ///
    /// Exchanges a refresh token for a new access token and a new refresh token. A refresh token can be used once.
    /// Within 10 seconds of its first use, repeating the request returns the same new refresh token, so two browser
    /// tabs may refresh at once and a lost answer can be requested again. 401 `refresh_token_invalid` if the token is
    /// unknown or has expired. 401 `refresh_token_reused` if it was used more than 10 seconds ago; this ends the
    /// session, because the token may be stolen.
    #[oai(path = "/api/v1/auth/refresh", method = "post", operation_id = "refresh_tokens")]
    async fn refresh(
        &self,
        body: Json<RefreshRequest>,
    ) -> Result<Json<SessionTokens>, ApiError<OpenWriting>> {
        let mut held = body.0.refresh_token;
        let (account, session) = (held.first, held.second);
        for _ in 0..LONGEST_ROW {
            let salt = secret::random();
            let next = held.successor(&salt).hash();
            let params: [&(dyn ToSql + Sync); 5] =
                [&account, &session, &&held.hash()[..], &&salt[..], &&next[..]];
            let Refreshed { outcome, organization_id: organization, salt } =
                self.issuer.door.gate(sql!("identity/sessions_refresh.sql" as Refreshed), &params).await?;
            let successor = salt.map(|salt| held.successor(&salt));
            match (outcome, successor) {
                (RefreshOutcome::Refreshed, Some(successor)) => {
                    let subject = Subject { account, session, secret: successor.of_session(), organization };
                    return Ok(Json(self.issuer.tokens_for(&subject, &successor)?));
                }
                // It was exchanged again meanwhile: follow it to the newest token.
                (RefreshOutcome::Followed, Some(successor)) => held = successor,
                (RefreshOutcome::Reused, _) => Err(Problem::unauthorized(
                    "refresh_token_reused",
                    "This refresh token was used before. The session has ended; sign in again.",
                ))?,
                (RefreshOutcome::Unknown, _) => break,
                // Both have the salt of the successor.
                (RefreshOutcome::Refreshed | RefreshOutcome::Followed, None) => Err(Problem::internal())?,
            }
        }
        Err(Problem::unauthorized(
            "refresh_token_invalid",
            "The refresh token is unknown or has expired. Sign in again.",
        ))?
    }

    /// Log out
    ///
    /// Ends the session. Its access and refresh tokens stop working immediately.
    #[oai(path = "/api/v1/auth/logout", method = "post", operation_id = "log_out")]
    pub async fn log_out(&self, caller: SignedIn) -> Result<WithCookie<NoContent>, ApiError<Reading>> {
        self.db.optional(&caller, sql!("identity/sessions_end.sql"), &[&caller.claims.sid]).await?;
        Ok(WithCookie::ended())
    }

    /// Switch to another organization
    ///
    /// Moves the session to another organization and returns new tokens for it. The old access token stops working
    /// immediately. The old refresh token can be exchanged for another 10 seconds, so that other browser tabs can
    /// follow. 404 if the account is not an active member of the organization, or the organization is not active. 409
    /// `cookie_session` if the session uses a cookie.
    #[oai(path = "/api/v1/auth/switch", method = "post", operation_id = "switch_organization")]
    async fn switch(
        &self,
        caller: SignedIn,
        body: Json<OrganizationSwitch>,
    ) -> Result<Json<SessionTokens>, ApiError<Writing>> {
        if caller.claims.r#type == Kind::Cookie {
            Err(Problem::conflict(
                "cookie_session",
                "This session uses a cookie: call /api/v1/auth/web-session/switch.",
            ))?;
        }
        let refresh = Secret::draw_for(caller.claims.sub, caller.claims.sid, caller.claims.key);
        let (subject, _) = self.issuer.move_session(&caller, body.0.organization_id, Some(&refresh)).await?;
        Ok(Json(self.issuer.tokens_for(&subject, &refresh)?))
    }

    /// List my sessions
    ///
    /// All sessions of the account, in the order in which they signed in.
    #[oai(path = "/api/v1/auth/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(
        &self,
        caller: SignedIn,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<Session>>, ApiError<Listing>> {
        let sql = sql!("identity/sessions_list.sql" as Session);
        let mut sessions = self.db.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0]).await?;
        for session in &mut sessions {
            session.current = session.id == caller.claims.sid;
        }
        Ok(Json(page.of(sessions, |last| Cursor::id(last.id))))
    }

    /// End my other sessions
    ///
    /// Ends all sessions except the one of this request.
    #[oai(path = "/api/v1/auth/sessions", method = "delete", operation_id = "end_other_sessions")]
    async fn end_others(&self, caller: SignedIn) -> Result<NoContent, ApiError<Reading>> {
        self.db.all(&caller, sql!("identity/sessions_end_others.sql"), &[&caller.claims.sid]).await?;
        Ok(NoContent)
    }

    /// End a session of mine
    #[oai(path = "/api/v1/auth/sessions/:session_id", method = "delete", operation_id = "end_session")]
    async fn end(&self, caller: SignedIn, session_id: Path<Uuid>) -> Result<NoContent, ApiError<Deleting>> {
        self.db
            .optional(&caller, sql!("identity/sessions_end.sql"), &[&session_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Switch the cookie to another organization
    ///
    /// Moves the session to another organization and sets a new cookie. Works like `POST /api/v1/auth/switch` for
    /// tokens. 409 `token_session` if the session uses tokens.
    #[oai(path = "/api/v1/auth/web-session/switch", method = "post", operation_id = "switch_web_session")]
    async fn switch_web_session(
        &self,
        caller: SignedIn,
        body: Json<OrganizationSwitch>,
    ) -> Result<WithCookie<Json<WebSession>>, ApiError<Writing>> {
        if caller.claims.r#type != Kind::Cookie {
            Err(Problem::conflict("token_session", "This session uses tokens: call /api/v1/auth/switch."))?;
        }
        let (subject, expires_at) = self.issuer.move_session(&caller, body.0.organization_id, None).await?;
        Ok(self.issuer.cookie_for(&subject, expires_at)?)
    }
}
