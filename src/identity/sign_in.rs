//! Signing in with a password, and with a second factor if the account has one.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    memberships::Membership,
    passwords::Passwords,
    recovery, second_factors,
    session_issuer::{
        Proof, SessionIssuer, SessionTokens, WebSession, WithCookie, credentials_invalid,
        second_factor_invalid,
    },
};
use crate::{
    db::{Db, FrontDoor, row},
    http::{
        caller::SignedIn,
        client::{Client, Host},
        json::{Form, Json},
        problem::{ApiError, Failure, OpenWriting, Problem, Reading},
        token::Kind,
        values::{EmailAddress, Password, Slug, Text},
    },
    sql,
};

/// The credentials of an account.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Credentials {
    /// The e-mail address of the account.
    pub email: Text<1, 254>,
    /// Its password.
    pub password: Password,
    /// The slug of the organization to sign in to. Required if the account belongs to several organizations and the
    /// request's host does not name one.
    #[serde(default)]
    #[oai(nullable)]
    pub organization_slug: Option<Slug>,
    /// The six digits from the authenticator app, or a recovery code. Required if the account has a second factor.
    #[serde(default)]
    #[oai(nullable)]
    pub code: Option<Text<6, 40>>,
}

impl Example for Credentials {
    /// An owner of the demo data.
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "email": "admin@acme.com",
            "password": "admin123",
            "organization_slug": "acme",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// The credentials of an account as an OAuth 2.0 password grant (RFC 6749 section 4.3.2).
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PasswordGrant {
    /// The e-mail address of the account.
    pub username: Text<1, 254>,
    /// Its password.
    pub password: Password,
    #[serde(default)]
    pub grant_type: Option<GrantType>,
    /// The slug of the organization to sign in to. Required if the account belongs to several organizations and the
    /// request's host does not name one.
    #[serde(default)]
    pub organization_slug: Option<Slug>,
    /// The six digits from the authenticator app, or a recovery code. Required if the account has a second factor.
    #[serde(default)]
    pub code: Option<Text<6, 40>>,
    /// Accepted and ignored.
    #[serde(default)]
    pub scope: Option<String>,
    /// Accepted and ignored.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Accepted and ignored.
    #[serde(default)]
    pub client_secret: Option<String>,
}

impl Example for PasswordGrant {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "grant_type": "password",
            "username": "admin@acme.com",
            "password": "admin123",
            "organization_slug": "acme",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// The grant type: always `password`.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum GrantType {
    Password,
}

/// What `organization_ambiguous` adds to a problem.
#[derive(Debug, Object, Serialize)]
pub struct OrganizationChoices {
    /// The organizations to choose from. Only with `organization_ambiguous`.
    pub organizations: Vec<OrganizationChoice>,
}

/// An organization to sign in to.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct OrganizationChoice {
    pub organization_id: Uuid,
    pub name: String,
    pub slug: String,
}

/// The account with an e-mail address, as far as signing in needs it. All `None` if no account has the address.
pub struct AccountToSignIn {
    /// Seconds until the next attempt; 0 for now.
    retry_after: i32,
    pub account_id: Option<Uuid>,
    password_hash: Option<String>,
    totp_secret: Option<Vec<u8>>,
    pub memberships: Option<Vec<Membership>>,
}

row! {
    AccountToSignIn { retry_after, account_id, password_hash, totp_secret, memberships as json }
}

pub struct SignInApi {
    pub db: Db,
    pub door: FrontDoor,
    pub passwords: Arc<Passwords>,
    pub issuer: SessionIssuer,
}

#[OpenApi]
impl SignInApi {
    /// Log in
    ///
    /// An unknown e-mail address and a wrong password get the same answer after the same time: 401
    /// `credentials_invalid`. 401 `second_factor_required` if the password is right and the account needs a `code`; 401
    /// `second_factor_invalid` if the code is wrong. 403 `not_a_member` if the account is not an active member of the
    /// organization that `organization_slug` or the host names. 409 `organization_ambiguous`, with a list of
    /// organizations, if the account belongs to several and neither `organization_slug` nor the host names one. If the
    /// account belongs to no organization, the tokens are for none. 429 `too_many_attempts` after ten wrong passwords
    /// or ten wrong codes, `too_many_requests` if the server is comparing as many passwords as it can.
    #[oai(path = "/api/v1/auth/login", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        client: Client,
        body: Json<Credentials>,
    ) -> Result<Json<SessionTokens>, ApiError<OpenWriting>> {
        self.sign_in(&client, &body.0).await
    }

    /// Log in with the OAuth 2.0 password grant
    ///
    /// Works like `POST /api/v1/auth/login`, with the form of RFC 6749 section 4.3.2, for OAuth 2.0 clients. Errors are
    /// problem details, not those of RFC 6749. Errors are those of `POST /api/v1/auth/login`: 401
    /// `credentials_invalid`, `second_factor_required` or `second_factor_invalid`, 403 `not_a_member`, 409
    /// `organization_ambiguous`, 429 `too_many_attempts` or `too_many_requests`.
    #[oai(path = "/api/v1/auth/token", method = "post", operation_id = "grant_token")]
    async fn grant_token(
        &self,
        client: Client,
        body: Form<PasswordGrant>,
    ) -> Result<Json<SessionTokens>, ApiError<OpenWriting>> {
        let Form(PasswordGrant { username: email, password, organization_slug, code, .. }) = body;
        self.sign_in(&client, &Credentials { email, password, organization_slug, code }).await
    }

    /// Log in with a cookie
    ///
    /// For browsers. Sets the cookie `__Host-appointd` (Secure, HttpOnly, SameSite=Lax) instead of returning tokens.
    /// The cookie expires after twelve hours. Errors are those of `POST /api/v1/auth/login`: 401 `credentials_invalid`,
    /// `second_factor_required` or `second_factor_invalid`, 403 `not_a_member`, 409 `organization_ambiguous`, 429
    /// `too_many_attempts` or `too_many_requests`.
    #[oai(path = "/api/v1/auth/web-session", method = "post", operation_id = "start_web_session")]
    async fn start_web_session(
        &self,
        client: Client,
        body: Json<Credentials>,
    ) -> Result<WithCookie<Json<WebSession>>, ApiError<OpenWriting>> {
        let (account, organization, proof) = self.check(&client, &body.0).await?;
        Ok(self.issuer.start_in_browser(&client, account, organization, &proof).await?)
    }

    /// Get the session of the cookie
    ///
    /// Returns the session's `csrf_token`, for a page that was reloaded. 404 if the request carries a token instead of
    /// the cookie.
    #[oai(path = "/api/v1/auth/web-session", method = "get", operation_id = "get_web_session")]
    async fn get_web_session(&self, caller: SignedIn) -> Result<Json<WebSession>, ApiError<Reading>> {
        let sql = sql!("identity/sessions_get.sql" as (DateTime<Utc>,));
        let (expires_at,) = self.db.one(&caller, sql, &[&caller.claims.sid]).await?;
        let csrf_token = caller.claims.csrf.clone().ok_or_else(Problem::not_found)?;
        Ok(Json(WebSession { csrf_token, organization_id: caller.claims.tenant_id, expires_at }))
    }
}

impl SignInApi {
    async fn sign_in(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<Json<SessionTokens>, ApiError<OpenWriting>> {
        let (account, organization, proof) = self.check(client, credentials).await?;
        Ok(Json(self.issuer.start_with(client, account, organization, &proof).await?.0))
    }

    /// Checks the credentials. Returns the account, the organization to sign in to, and the proof for starting the
    /// session.
    async fn check(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<(Uuid, Option<Uuid>, Proof), Failure> {
        let (account, proof, memberships) = self.prove(client, credentials).await?;
        let organization =
            self.choose(client, credentials.organization_slug.as_deref(), &memberships).await?;
        Ok((account, organization, proof))
    }

    /// Starts a session for no organization, for pages about the account alone.
    pub async fn sign_in_to_account(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<SignedIn, Failure> {
        let (account, proof, _) = self.prove(client, credentials).await?;
        let (tokens, _) = self.issuer.start_with(client, account, None, &proof).await?;
        Ok(SignedIn { claims: self.issuer.tokens.verify(&tokens.access_token, Kind::Access)? })
    }

    /// Checks the credentials, regardless of organizations.
    async fn prove(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<(Uuid, Proof, Vec<Membership>), Failure> {
        let email = EmailAddress::typed(&credentials.email);
        let turn = self.passwords.turn().await?;
        let sql = sql!("identity/accounts_sign_in.sql" as AccountToSignIn);
        let AccountToSignIn {
            retry_after,
            account_id: account,
            password_hash: hash,
            totp_secret,
            memberships,
        } = self.door.gate(sql, &[&email, &client.address]).await?;
        if retry_after > 0 {
            Err(Problem::too_many_attempts(retry_after))?;
        }
        let verified = turn.verify(&credentials.password, hash.clone()).await?;
        let (Some(account), Some(verified)) = (account, verified) else {
            return Err(credentials_invalid().into());
        };
        let mut proof = Proof { verified: hash, rehashed: verified.rehashed, ..Proof::default() };
        if let Some(secret) = totp_secret {
            let Some(code) = &credentials.code else {
                return Err(Problem::unauthorized(
                    "second_factor_required",
                    "The account has a second factor: send the code from the authenticator app, or a recovery code, as `code`.",
                )
                .into());
            };
            recovery::code_attempt(&self.door, None, account).await?;
            match second_factors::read(code, &secret, Utc::now()).ok_or_else(second_factor_invalid)? {
                second_factors::Code::Step(step) => proof.totp_step = Some(step),
                second_factors::Code::Recovery(hash) => proof.recovery_hash = Some(hash),
            }
        }
        Ok((account, proof, memberships.unwrap_or_default()))
    }

    /// The organization to sign in to: the one that host or slug names, or the account's only one.
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
                let sql = sql!("app/organizations_at.sql" as (Option<Uuid>,));
                // A host of no organization matches none of them.
                Some(self.db.gate(sql, &[name]).await?.0.unwrap_or(Uuid::nil()))
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
                "The account is not an active member of that organization, or the organization is not active.",
            )
            .into()),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => {
                let organizations = active
                    .iter()
                    .map(|membership| OrganizationChoice {
                        organization_id: membership.organization_id,
                        name: membership.name.clone(),
                        slug: membership.slug.clone(),
                    })
                    .collect();
                Err(Problem::conflict(
                    "organization_ambiguous",
                    "The account belongs to several organizations: send `organization_slug`.",
                )
                .with_extension(&OrganizationChoices { organizations })
                .into())
            }
        }
    }
}
