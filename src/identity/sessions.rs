//! Signing in and out, and the sessions in between. An access token is good for minutes and is refreshed with a refresh
//! token that is good once; a browser has a cookie instead. Behind both stands a row of `identity.sessions`, and without it
//! they open nothing.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiRequest, ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
    registry::{MetaResponses, Registry},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{passwords::Passwords, recovery, second_factors};
use crate::{
    db::{Db, Entry, Person},
    http::{
        Tag,
        caller::{COOKIE, SignedIn},
        client::{Client, Host},
        json::{Form, Json, NoContent},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{
            Changing, Deleting, Failure, Listing, Open, OrganizationChoice, Problem, Reading, ReadingOwn,
            Refused, SigningIn,
        },
        secret::{self, Refresh, Secret},
        text::{EmailAddress, Password, Slug, Text, named_enum},
        token::{COOKIE_LIFETIME, Kind, LIFETIME, Subject, Tokens},
    },
    sql,
};

/// How long a session lasts at most, however often it is refreshed.
const SESSION_LIFETIME: TimeDelta = TimeDelta::days(90);
/// How many refresh tokens of a session, each used within seconds of the one before, are followed to the last.
const LONGEST_ROW: usize = 8;

/// Who signs in.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Credentials {
    /// The e-mail address of the account.
    pub email: Text<1, 254>,
    /// Its password.
    pub password: Password,
    /// The organization to sign in to. Needed where the account belongs to several and no host says which.
    #[serde(default)]
    #[oai(nullable)]
    pub organization_slug: Option<Slug>,
    /// Where the account has a second factor: the six digits of the authenticator, or a recovery code.
    #[serde(default)]
    #[oai(nullable)]
    pub code: Option<Text<6, 40>>,
}

impl Example for Credentials {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "email": "ada@example.com",
            "password": "three small brass kettles",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Who signs in, as the OAuth 2.0 password grant has it (RFC 6749 section 4.3.2).
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordGrant {
    /// The e-mail address of the account.
    pub username: Text<1, 254>,
    /// Its password.
    pub password: Password,
    #[serde(default)]
    pub grant_type: Option<GrantType>,
    /// The organization to sign in to.
    #[serde(default)]
    pub organization_slug: Option<Slug>,
    /// The six digits of the authenticator, or a recovery code.
    #[serde(default)]
    pub code: Option<Text<6, 40>>,
    /// Not used.
    #[serde(default)]
    pub scope: Option<String>,
    /// Not used.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Not used.
    #[serde(default)]
    pub client_secret: Option<String>,
}

/// The kind of grant: always `password`.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum GrantType {
    Password,
}

/// The two forms of signing in.
#[derive(ApiRequest)]
pub enum SignIn {
    Json(Json<Credentials>),
    Form(Form<PasswordGrant>),
}

/// Tokens of a session (RFC 6749 section 5.1).
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct SessionTokens {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Good once, within 30 days, for the next pair of tokens: `POST /api/v1/auth/refresh`. Used again within 10 seconds it is
    /// answered with the same next one.
    pub refresh_token: String,
    /// The organization the tokens are for; absent where the account belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
}

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

/// The session of a browser.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct WebSession {
    /// Repeat it in the header `X-CSRF-Token` of every request that changes something.
    pub csrf_token: String,
    /// The organization the session is for; absent where the account belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
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

/// An organization the account belongs to.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Membership {
    pub organization_id: Uuid,
    pub name: String,
    pub slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// owner, admin, manager, staff, viewer or customer.
    pub role: String,
    /// `active`; or why it cannot be entered: `suspended` (the membership or the organization) or `deleted`.
    pub status: String,
    /// Of a deleted organization: until when an owner may restore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_after: Option<DateTime<Utc>>,
    /// Slugs it had until a while ago.
    #[serde(default, skip_serializing)]
    #[oai(skip)]
    former_slugs: Vec<String>,
}

/// The organizations of an account.
#[derive(Debug, Object, Serialize)]
pub struct Memberships {
    /// The one joined first in front.
    pub items: Vec<Membership>,
}

/// A JSON body, and a cookie set beside it.
pub struct WithCookie<T> {
    cookie: String,
    body: T,
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
pub struct Door {
    pub db: Db,
    pub tokens: Arc<Tokens>,
}

/// What was proved beside the password.
#[derive(Default)]
struct Proof {
    /// The hash the password was compared with.
    verified: Option<String>,
    rehashed: Option<String>,
    totp_step: Option<i64>,
    recovery_hash: Option<[u8; 32]>,
}

impl Door {
    /// A session of somebody who has shown who they are.
    pub async fn start(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
    ) -> Result<(SessionTokens, Person), Failure> {
        self.start_with(client, account, organization, &Proof::default()).await
    }

    async fn start_with(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
        proof: &Proof,
    ) -> Result<(SessionTokens, Person), Failure> {
        let session = Uuid::now_v7();
        let refresh = Secret::<Refresh>::draw(account, session);
        let hash = refresh.hash();
        let subject =
            self.insert(client, account, session, organization, Some(&hash), SESSION_LIFETIME, proof).await?;
        Ok((self.tokens_for(&subject, &refresh)?, Person { account, session }))
    }

    async fn start_in_browser(
        &self,
        client: &Client,
        account: Uuid,
        organization: Option<Uuid>,
        proof: &Proof,
    ) -> Result<WithCookie<Json<WebSession>>, Failure> {
        let session = Uuid::now_v7();
        let lifetime = TimeDelta::seconds(COOKIE_LIFETIME.as_secs().cast_signed());
        let subject = self.insert(client, account, session, organization, None, lifetime, proof).await?;
        self.cookie_for(&subject, Utc::now() + lifetime)
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a session, said once, here")]
    async fn insert(
        &self,
        client: &Client,
        account: Uuid,
        session: Uuid,
        organization: Option<Uuid>,
        refresh_hash: Option<&[u8; 32]>,
        lifetime: TimeDelta,
        proof: &Proof,
    ) -> Result<Subject, Failure> {
        let kind = if refresh_hash.is_some() { "token" } else { "cookie" };
        let row = self
            .db
            .gate(
                sql!("identity/sessions_start.sql"),
                &[
                    &account,
                    &session,
                    &organization,
                    &kind,
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
        match row.get(0) {
            "started" => Ok(Subject { account, session, organization }),
            "password_changed" => Err(credentials_invalid().into()),
            _ => Err(second_factor_invalid().into()),
        }
    }

    fn tokens_for(&self, subject: &Subject, refresh: &Secret<Refresh>) -> Result<SessionTokens, Failure> {
        Ok(SessionTokens {
            access_token: self.tokens.issue(subject, Utc::now())?,
            token_type: "bearer".to_owned(),
            expires_in: LIFETIME.as_secs(),
            refresh_token: refresh.reveal(),
            organization_id: subject.organization,
        })
    }

    fn cookie_for(
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
}

fn credentials_invalid() -> Problem {
    Problem::unauthorized("credentials_invalid", "The e-mail address or the password is wrong.")
}

fn second_factor_invalid() -> Problem {
    Problem::unauthorized("second_factor_invalid", "The code is wrong, too old, or was used before.")
}

/// The cookie of no session.
fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

pub struct SessionsApi {
    pub db: Db,
    pub passwords: Arc<Passwords>,
    pub door: Door,
}

#[OpenApi(tag = "Tag::Identity")]
impl SessionsApi {
    /// Log in
    ///
    /// With JSON, or with the form of the OAuth 2.0 password grant. The answer to an unknown e-mail address and to a
    /// wrong password is the same, and takes the same time: 401 `credentials_invalid`. 401 `second_factor_required` where the
    /// password is right and a `code` is needed, `second_factor_invalid` where that is wrong. 409 `organization_ambiguous`,
    /// with the list, where the account belongs to several organizations and neither `organization_slug` nor the host says
    /// which. The tokens of an account that belongs to none are for none. 429 `too_many_attempts` after
    /// ten wrong passwords, and after ten wrong codes.
    #[oai(path = "/api/v1/auth/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, client: Client, body: SignIn) -> Result<Json<SessionTokens>, Refused<SigningIn>> {
        let credentials = match body {
            SignIn::Json(Json(credentials)) => credentials,
            SignIn::Form(Form(grant)) => Credentials {
                email: grant.username,
                password: grant.password,
                organization_slug: grant.organization_slug,
                code: grant.code,
            },
        };
        let (account, organization, proof) = self.check(&client, &credentials).await?;
        Ok(Json(self.door.start_with(&client, account, organization, &proof).await?.0))
    }

    /// Refresh the tokens
    ///
    /// Exchanges a refresh token for the next pair of tokens. Each is good once. Within 10 seconds of its first use it is
    /// answered again, with the same next refresh token: two tabs may refresh at once, and a lost answer may be asked for
    /// again. 401 `refresh_token_invalid` if it is not known or has expired; 401 `refresh_token_reused` if it was used more
    /// than 10 seconds ago, which ends the session, since one of the two who have it has stolen it.
    #[oai(path = "/api/v1/auth/refresh", method = "post", operation_id = "refresh_tokens")]
    async fn refresh(&self, body: Json<RefreshRequest>) -> Result<Json<SessionTokens>, Refused<SigningIn>> {
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
    async fn log_out(&self, caller: SignedIn) -> Result<WithCookie<NoContent>, Refused<ReadingOwn>> {
        self.db.optional(&caller, sql!("identity/sessions_end.sql"), &[&caller.claims.sid]).await?;
        Ok(WithCookie { cookie: no_cookie(), body: NoContent })
    }

    /// List my organizations
    ///
    /// All the account belongs to, the one joined first in front. Few, so there are no pages.
    #[oai(path = "/api/v1/auth/organizations", method = "get", operation_id = "list_my_organizations")]
    async fn organizations(&self, caller: SignedIn) -> Result<Json<Memberships>, Refused<ReadingOwn>> {
        let row = self.db.one(&caller, sql!("identity/accounts_memberships.sql"), &[]).await?;
        Ok(Json(Memberships { items: memberships(row.get(0)) }))
    }

    /// Get one of my organizations
    ///
    /// Of those that `GET /api/v1/auth/organizations` lists. What belongs to it is for tokens that are for it: see
    /// `POST /api/v1/auth/switch`.
    #[oai(
        path = "/api/v1/organizations/:organization_id",
        method = "get",
        operation_id = "get_my_organization"
    )]
    async fn organization(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
    ) -> Result<Json<Membership>, Refused<Reading>> {
        let row = self.db.one(&caller, sql!("identity/accounts_memberships.sql"), &[]).await?;
        let found = memberships(row.get(0))
            .into_iter()
            .find(|membership| membership.organization_id == organization_id.0);
        Ok(Json(found.ok_or_else(Problem::not_found)?))
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
    ) -> Result<Json<SessionTokens>, Refused<Changing>> {
        if caller.claims.r#type == Kind::Cookie {
            Err(Problem::conflict(
                "cookie_session",
                "A browser switches at /api/v1/auth/web-session/switch.",
            ))?;
        }
        let refresh = Secret::<Refresh>::draw(caller.claims.sub, caller.claims.sid);
        let (subject, _) = self.move_session(&caller, body.0.organization_id, Some(&refresh)).await?;
        Ok(Json(self.door.tokens_for(&subject, &refresh)?))
    }

    /// List my sessions
    ///
    /// Everywhere I am signed in, in the order of signing in.
    #[oai(path = "/api/v1/auth/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(
        &self,
        caller: SignedIn,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Session>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows =
            self.db.all(&caller, sql!("identity/sessions_list.sql"), &[&after, &i64::from(size + 1)]).await?;
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
        Ok(Json(Page::new(sessions, size, |last| Cursor::id(last.id))))
    }

    /// End my other sessions
    ///
    /// All but the one that asks.
    #[oai(path = "/api/v1/auth/sessions", method = "delete", operation_id = "end_other_sessions")]
    async fn end_others(&self, caller: SignedIn) -> Result<NoContent, Refused<ReadingOwn>> {
        self.db.all(&caller, sql!("identity/sessions_end_others.sql"), &[&caller.claims.sid]).await?;
        Ok(NoContent)
    }

    /// End a session of mine
    #[oai(path = "/api/v1/auth/sessions/:session_id", method = "delete", operation_id = "end_session")]
    async fn end(&self, caller: SignedIn, session_id: Path<Uuid>) -> Result<NoContent, Refused<Deleting>> {
        self.db
            .optional(&caller, sql!("identity/sessions_end.sql"), &[&session_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Log in with a cookie
    ///
    /// For browsers. Sets the cookie `__Host-appointd` (Secure, HttpOnly, SameSite=Lax), good for twelve hours, in place of
    /// tokens; refuses as `POST /api/v1/auth/login` does.
    #[oai(path = "/api/v1/auth/web-session", method = "post", operation_id = "start_web_session")]
    async fn start_web_session(
        &self,
        client: Client,
        body: Json<Credentials>,
    ) -> Result<WithCookie<Json<WebSession>>, Refused<SigningIn>> {
        let (account, organization, proof) = self.check(&client, &body.0).await?;
        Ok(self.door.start_in_browser(&client, account, organization, &proof).await?)
    }

    /// Get the session of the cookie
    ///
    /// With its `csrf_token`, for a page that was loaded anew. 404 where there is no cookie but a token.
    #[oai(path = "/api/v1/auth/web-session", method = "get", operation_id = "get_web_session")]
    async fn get_web_session(&self, caller: SignedIn) -> Result<Json<WebSession>, Refused<ReadingOwn>> {
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
    ) -> Result<WithCookie<Json<WebSession>>, Refused<Changing>> {
        if caller.claims.r#type != Kind::Cookie {
            Err(Problem::conflict("token_session", "Tokens are switched at /api/v1/auth/switch."))?;
        }
        let (subject, expires_at) = self.move_session(&caller, body.0.organization_id, None).await?;
        Ok(self.door.cookie_for(&subject, expires_at)?)
    }

    /// The keys access tokens are signed with
    ///
    /// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). The first signs; the others are the next or the last ones.
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "get_key_set")]
    async fn key_set(&self) -> Result<Json<KeySet>, Refused<Open>> {
        let keys = serde_json::to_value(self.door.tokens.key_set())
            .ok()
            .and_then(|set| serde_json::from_value(set).ok())
            .ok_or_else(Problem::internal)?;
        Ok(Json(keys))
    }
}

/// A JSON Web Key Set (RFC 7517 section 5).
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct KeySet {
    pub keys: Vec<PublicKey>,
}

/// A public Ed25519 key (RFC 8037 section 2).
#[derive(Debug, Deserialize, Object, Serialize)]
pub struct PublicKey {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The key, in base64url.
    pub x: String,
    /// Its name in the header of tokens: the SHA-256 thumbprint of RFC 7638.
    pub kid: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[oai(rename = "use")]
    pub usage: String,
}

impl SessionsApi {
    /// Whether somebody is who they say, and where they go in.
    async fn check(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<(Uuid, Option<Uuid>, Proof), Failure> {
        let email = EmailAddress::typed(&credentials.email);
        let turn = self.passwords.turn().await?;
        let row = self.db.gate(sql!("identity/accounts_sign_in.sql"), &[&email, &client.address]).await?;
        let retry_after: i32 = row.get(0);
        if retry_after > 0 {
            Err(Problem::too_many_attempts(retry_after))?;
        }
        let (account, hash): (Option<Uuid>, Option<String>) = (row.get(1), row.get(2));
        let verified = turn.verify(&credentials.password, hash.clone()).await?;
        let (Some(account), Some(verified)) = (account, verified) else {
            return Err(credentials_invalid().into());
        };
        let mut proof = Proof { verified: hash, rehashed: verified.rehashed, ..Proof::default() };
        if let Some(secret) = row.get::<_, Option<Vec<u8>>>(3) {
            let Some(code) = &credentials.code else {
                return Err(Problem::unauthorized(
                    "second_factor_required",
                    "The account has a second factor: send the code of the authenticator, or a recovery code, as `code`.",
                )
                .into());
            };
            recovery::code_attempt(&self.db, Entry::Stranger, account).await?;
            match second_factors::read(code, &secret, Utc::now()).ok_or_else(second_factor_invalid)? {
                second_factors::Code::Step(step) => proof.totp_step = Some(step),
                second_factors::Code::Recovery(hash) => proof.recovery_hash = Some(hash),
            }
        }
        let memberships = memberships(row.get(5));
        let organization =
            self.choose(client, credentials.organization_slug.as_deref(), &memberships).await?;
        Ok((account, organization, proof))
    }

    /// The organization to sign in to: the one that was named, by host or slug, or the only one.
    async fn choose(
        &self,
        client: &Client,
        slug: Option<&str>,
        memberships: &[Membership],
    ) -> Result<Option<Uuid>, Failure> {
        let active: Vec<&Membership> =
            memberships.iter().filter(|membership| membership.status == "active").collect();
        let at_host: Option<Uuid> = match &client.host {
            Host::Ours => None,
            Host::Tenant(name) => {
                let row = self.db.gate(sql!("tenancy/organizations_at.sql"), &[name]).await?;
                Some(row.get::<_, Option<Uuid>>(0).unwrap_or_default())
            }
        };
        let named = |membership: &&&Membership| {
            slug.is_none_or(|slug| {
                membership.slug == slug || membership.former_slugs.iter().any(|former| former == slug)
            }) && at_host.is_none_or(|at_host| membership.organization_id == at_host)
        };
        let mut found = active.iter().filter(named);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(Some(one.organization_id)),
            (None, _) if slug.is_some() || at_host.is_some() => Err(Problem::forbidden(
                "not_a_member",
                "The account is no active member of that organization, or the organization is not active.",
            )
            .into()),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => {
                let choices = active
                    .iter()
                    .map(|membership| OrganizationChoice {
                        organization_id: membership.organization_id,
                        name: membership.name.clone(),
                        slug: membership.slug.clone(),
                    })
                    .collect();
                Err(Problem::conflict(
                    "organization_ambiguous",
                    "The account belongs to several organizations: say which one by organization_slug.",
                )
                .with_organizations(choices)
                .into())
            }
        }
    }

    async fn move_session(
        &self,
        caller: &SignedIn,
        organization: Uuid,
        refresh: Option<&Secret<Refresh>>,
    ) -> Result<(Subject, DateTime<Utc>), Failure> {
        let hash = refresh.map(Secret::hash);
        let row = self
            .db
            .one(
                caller,
                sql!("identity/sessions_switch.sql"),
                &[&caller.claims.sid, &organization, &hash.as_ref().map(|hash| &hash[..])],
            )
            .await?;
        if !row.get::<_, bool>(0) {
            return Err(Problem::not_found().into());
        }
        let subject = Subject {
            account: caller.claims.sub,
            session: caller.claims.sid,
            organization: Some(organization),
        };
        Ok((subject, row.get(1)))
    }
}

fn memberships(json: Option<serde_json::Value>) -> Vec<Membership> {
    json.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default()
}
