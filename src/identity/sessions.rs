//! Sessions between signing in and out. An access token is good for minutes and is refreshed with a refresh token that is
//! good once; a browser has a cookie instead. Behind both stands a row of `identity.sessions`, and without it they open
//! nothing.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Path, types::Example};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::door::{Door, SessionTokens, WebSession, WithCookie};
use crate::{
    db::Db,
    http::{
        Tag,
        caller::SignedIn,
        json::{Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Listing, Problem, Reading, SigningIn, Writing},
        secret::{self, Refresh, Secret},
        token::{Kind, Subject},
        values::named_enum,
    },
    sql,
};

/// How many refresh tokens of a session, each used within seconds of the one before, are followed to the last.
const LONGEST_ROW: usize = 8;

/// A refresh token to exchange.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct RefreshRequest {
    /// The one handed out last.
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
pub struct Switch {
    /// One the account belongs to: see `GET /api/v1/auth/organizations`.
    pub organization_id: Uuid,
}

impl Example for Switch {
    fn example() -> Self {
        Self { organization_id: Uuid::nil() }
    }
}

/// Where somebody is signed in.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Session {
    pub id: Uuid,
    /// The organization it is for; absent where it is for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    pub kind: SessionKind,
    /// What the client called itself when it signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The address it signed in from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed or switched.
    pub last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

named_enum! {
    /// How a session is kept: by tokens, or by a browser's cookie.
    SessionKind {
        Token = "token",
        Cookie = "cookie",
    }
}

pub struct SessionsApi {
    pub db: Db,
    pub door: Door,
}

#[OpenApi(tag = "Tag::Identity")]
impl SessionsApi {
    /// Refresh the tokens
    ///
    /// Exchanges a refresh token for the next pair of tokens. Each is good once. Within 10 seconds of its first use it is
    /// answered again, with the same next refresh token: two tabs may refresh at once, and a lost answer may be asked for
    /// again. 401 `refresh_token_invalid` if it is not known or has expired; 401 `refresh_token_reused` if it was used more
    /// than 10 seconds ago, which ends the session, since one of the two who have it has stolen it.
    #[oai(path = "/api/v1/auth/refresh", method = "post", operation_id = "refresh_tokens")]
    async fn refresh(&self, body: Json<RefreshRequest>) -> Result<Json<SessionTokens>, ApiError<SigningIn>> {
        let mut held = body.0.refresh_token;
        let (account, session) = (held.first, held.second);
        for _ in 0..LONGEST_ROW {
            let salt = secret::random();
            let next = held.successor(&salt).hash();
            let params: [&(dyn ToSql + Sync); 5] =
                [&account, &session, &&held.hash()[..], &&salt[..], &&next[..]];
            let row = self.db.gate(sql!("identity/sessions_refresh.sql"), &params).await?;
            let successor = row.get::<_, Option<&[u8]>>(2).map(|salt| held.successor(salt));
            match (row.get(0), successor) {
                ("refreshed", Some(successor)) => {
                    let subject = Subject { account, session, organization: row.get(1) };
                    return Ok(Json(self.door.tokens_for(&subject, &successor)?));
                }
                // Somebody went on with it meanwhile: the last of the row is answered.
                ("followed", Some(successor)) => held = successor,
                ("reused", _) => Err(Problem::unauthorized(
                    "refresh_token_reused",
                    "This refresh token was used before. The session has ended; sign in again.",
                ))?,
                _ => break,
            }
        }
        Err(Problem::unauthorized(
            "refresh_token_invalid",
            "There is no such refresh token, or it has expired. Sign in again.",
        ))?
    }

    /// Log out
    ///
    /// Ends the session: its access token opens nothing from the next request on, its refresh token neither.
    #[oai(path = "/api/v1/auth/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, caller: SignedIn) -> Result<WithCookie<NoContent>, ApiError<Reading>> {
        self.db.optional(&caller, sql!("identity/sessions_end.sql"), &[&caller.claims.sid]).await?;
        Ok(WithCookie::ended())
    }

    /// Switch to another organization
    ///
    /// Moves the session: the tokens of before are over, those of the answer are for the other organization. The refresh
    /// token of before can be exchanged for 10 seconds more, for tabs that were about to. 404 where the
    /// account does not belong to it, or it cannot be entered.
    #[oai(path = "/api/v1/auth/switch", method = "post", operation_id = "switch_organization")]
    async fn switch(
        &self,
        caller: SignedIn,
        body: Json<Switch>,
    ) -> Result<Json<SessionTokens>, ApiError<Writing>> {
        if caller.claims.r#type == Kind::Cookie {
            Err(Problem::conflict(
                "cookie_session",
                "A browser switches at /api/v1/auth/web-session/switch.",
            ))?;
        }
        let refresh = Secret::<Refresh>::draw(caller.claims.sub, caller.claims.sid);
        let (subject, _) = self.door.move_session(&caller, body.0.organization_id, Some(&refresh)).await?;
        Ok(Json(self.door.tokens_for(&subject, &refresh)?))
    }

    /// List my sessions
    ///
    /// Everywhere I am signed in, in the order of signing in.
    #[oai(path = "/api/v1/auth/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(&self, caller: SignedIn, page: Paging) -> Result<Json<Page<Session>>, ApiError<Listing>> {
        let rows = self
            .db
            .all(&caller, sql!("identity/sessions_list.sql"), &[&page.after_id(), &page.rows()])
            .await?;
        let sessions = rows
            .into_iter()
            .map(|row| Session {
                id: row.get(0),
                organization_id: row.get(1),
                kind: SessionKind::from_name(row.get(2)),
                user_agent: row.get(3),
                address: row.get(4),
                current: row.get::<_, Uuid>(0) == caller.claims.sid,
                created_at: row.get(5),
                last_used_at: row.get(6),
                expires_at: row.get(7),
            })
            .collect();
        Ok(Json(page.of(sessions, |last| Cursor::id(last.id))))
    }

    /// End my other sessions
    ///
    /// All but the one that asks.
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

    /// Get the session of the cookie
    ///
    /// With its `csrf_token`, for a page that was loaded anew. 404 where there is no cookie but a token.
    #[oai(path = "/api/v1/auth/web-session", method = "get", operation_id = "get_web_session")]
    async fn get_web_session(&self, caller: SignedIn) -> Result<Json<WebSession>, ApiError<Reading>> {
        let row = self.db.one(&caller, sql!("identity/sessions_get.sql"), &[&caller.claims.sid]).await?;
        let csrf_token = caller.claims.csrf.clone().ok_or_else(Problem::not_found)?;
        Ok(Json(WebSession { csrf_token, organization_id: caller.claims.tenant_id, expires_at: row.get(0) }))
    }

    /// Switch the cookie to another organization
    ///
    /// As `POST /api/v1/auth/switch` does for tokens.
    #[oai(path = "/api/v1/auth/web-session/switch", method = "post", operation_id = "switch_web_session")]
    async fn switch_web_session(
        &self,
        caller: SignedIn,
        body: Json<Switch>,
    ) -> Result<WithCookie<Json<WebSession>>, ApiError<Writing>> {
        if caller.claims.r#type != Kind::Cookie {
            Err(Problem::conflict("token_session", "Tokens are switched at /api/v1/auth/switch."))?;
        }
        let (subject, expires_at) = self.door.move_session(&caller, body.0.organization_id, None).await?;
        Ok(self.door.cookie_for(&subject, expires_at)?)
    }
}
