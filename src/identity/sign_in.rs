//! Signing in with a password, and with a second factor if the account has one.

use std::sync::Arc;

use chrono::Utc;
use poem_openapi::{ApiRequest, Enum, Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    door::{Door, Proof, SessionTokens, WebSession, WithCookie, credentials_invalid, second_factor_invalid},
    memberships::{self, Membership},
    passwords::Passwords,
    recovery, second_factors,
};
use crate::{
    db::{Db, Entry},
    http::{
        client::{Client, Host},
        json::{Form, Json},
        problem::{ApiError, Failure, Problem, SigningIn},
        values::{EmailAddress, Password, Slug, Text},
    },
    sql,
};

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

/// What `organization_ambiguous` adds to a problem.
#[derive(Debug, Object, Serialize)]
pub struct OrganizationChoices {
    /// Of `organization_ambiguous`: the organizations to choose from.
    pub organizations: Vec<OrganizationChoice>,
}

/// An organization to sign in to.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct OrganizationChoice {
    pub organization_id: Uuid,
    pub name: String,
    pub slug: String,
}

pub struct SignInApi {
    pub db: Db,
    pub passwords: Arc<Passwords>,
    pub door: Door,
}

#[OpenApi]
impl SignInApi {
    /// Log in
    ///
    /// With JSON, or with the form of the OAuth 2.0 password grant. The answer to an unknown e-mail address and to a
    /// wrong password is the same, and takes the same time: 401 `credentials_invalid`. 401 `second_factor_required` where the
    /// password is right and a `code` is needed, `second_factor_invalid` where that is wrong. 409 `organization_ambiguous`,
    /// with the list, where the account belongs to several organizations and neither `organization_slug` nor the host says
    /// which. The tokens of an account that belongs to none are for none. 429 `too_many_attempts` after
    /// ten wrong passwords, and after ten wrong codes.
    #[oai(path = "/api/v1/auth/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, client: Client, body: SignIn) -> Result<Json<SessionTokens>, ApiError<SigningIn>> {
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

    /// Log in with a cookie
    ///
    /// For browsers. Sets the cookie `__Host-appointd` (Secure, HttpOnly, SameSite=Lax), good for twelve hours, in place of
    /// tokens; refuses as `POST /api/v1/auth/login` does.
    #[oai(path = "/api/v1/auth/web-session", method = "post", operation_id = "start_web_session")]
    async fn start_web_session(
        &self,
        client: Client,
        body: Json<Credentials>,
    ) -> Result<WithCookie<Json<WebSession>>, ApiError<SigningIn>> {
        let (account, organization, proof) = self.check(&client, &body.0).await?;
        Ok(self.door.start_in_browser(&client, account, organization, &proof).await?)
    }
}

impl SignInApi {
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
        let memberships = memberships::read(row.get(5));
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
                let row = self.db.gate(sql!("app/organizations_at.sql"), &[name]).await?;
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
                    "The account belongs to several organizations: say which one by organization_slug.",
                )
                .with_extension(&OrganizationChoices { organizations })
                .into())
            }
        }
    }
}
