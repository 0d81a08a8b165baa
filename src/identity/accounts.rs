//! Registering, signing in, and who am I.

use std::sync::Arc;

use chrono::Utc;
use poem_openapi::{ApiRequest, Enum, Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::passwords::Passwords;
use crate::{
    db::{self, Db},
    http::{
        Tag,
        caller::{Member, Viewer},
        json::{Created, Form, Json},
        problem::{OnConstraint as _, Problem, ReadingOwn, Refused, Registering, SigningIn},
        text::{EmailAddress, Password, Slug, Text},
        token::{LIFETIME, Tokens},
    },
    sql,
};

/// An account and the organization it is to own.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Registration {
    /// The name to sign in with. Lower and upper case are the same.
    pub email: EmailAddress,
    /// At least 8 characters, and not easily guessed.
    pub password: Password,
    /// How you are called.
    #[serde(default)]
    #[oai(nullable)]
    pub full_name: Option<Text<1, 200>>,
    /// The name of the organization, shown to people.
    pub organization_name: Text<1, 200>,
    /// The name of the organization in addresses. Unique in the whole system.
    pub organization_slug: Slug,
}

impl Example for Registration {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "email": "ada@example.com",
            "password": "three small brass kettles",
            "full_name": "Ada Lovelace",
            "organization_name": "Lovelace Consulting",
            "organization_slug": "lovelace",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Who signs in.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Credentials {
    /// The e-mail address of the account.
    pub email: Text<1, 254>,
    /// Its password.
    pub password: Password,
}

impl Example for Credentials {
    fn example() -> Self {
        let Registration { email, password, .. } = Registration::example();
        Self { email: Text::parse(&email).expect("an address is text of that length"), password }
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

/// The one grant there is.
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

/// An access token (RFC 6749 section 5.1).
#[derive(Debug, Object, Serialize)]
pub struct AccessToken {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// Seconds until it expires.
    pub expires_in: u64,
}

/// The account behind a token, and what it is in the organization the token is for.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Me {
    /// The account.
    pub id: Uuid,
    /// Its e-mail address.
    pub email: String,
    /// How the person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// owner, admin, manager, staff or viewer.
    pub role: String,
    /// The organization.
    pub organization_id: Uuid,
}

pub struct AccountsApi {
    pub db: Db,
    pub passwords: Arc<Passwords>,
    pub tokens: Arc<Tokens>,
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Identity")]
impl AccountsApi {
    /// Register an account and its organization
    ///
    /// Creates both, and makes the account the owner of the organization: all of it or nothing. 409 `email_taken` or
    /// `slug_taken` where somebody has that e-mail address or slug.
    #[oai(path = "/register", method = "post", operation_id = "register_account")]
    async fn register(&self, body: Json<Registration>) -> Result<Created<AccessToken>, Refused<Registering>> {
        let registration = body.0;
        let names =
            [&*registration.email, &*registration.organization_name, &*registration.organization_slug];
        let hash = self.passwords.hash_new(&registration.password, &names).await?;
        let (account, organization) = register(&self.db, &registration, &hash)
            .await
            .on_constraint("accounts_email_key", || {
                Problem::conflict(
                    "email_taken",
                    "There is an account with this e-mail address. Sign in instead.",
                )
            })
            .on_constraint("organizations_slug_key", || {
                Problem::conflict("slug_taken", "Another organization has this slug. Choose another.")
            })?;
        Ok(Created {
            location: "/api/v1/auth/me".to_owned(),
            body: self.access_token(account, organization)?,
        })
    }

    /// Log in
    ///
    /// With JSON, or with the form of the OAuth 2.0 password grant. The answer to an unknown e-mail address and to a
    /// wrong password is the same, and takes the same time: 401 `credentials_invalid`. 401 `no_active_organization` where
    /// there is nothing to sign in to.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, body: SignIn) -> Result<Json<AccessToken>, Refused<SigningIn>> {
        let (email, password) = match body {
            SignIn::Json(Json(body)) => (body.email, body.password),
            SignIn::Form(Form(body)) => (body.username, body.password),
        };
        let row = self.db.gate(sql!("identity/accounts_sign_in.sql"), &[&email.to_lowercase()]).await?;
        let (account, hash, organization): (Option<Uuid>, Option<String>, Option<Uuid>) =
            (row.get(0), row.get(1), row.get(2));
        let matches = self.passwords.verify(&password, hash).await?;
        match (matches, account, organization) {
            (true, Some(account), Some(organization)) => Ok(Json(self.access_token(account, organization)?)),
            (true, Some(_), None) => Err(Problem::unauthorized(
                "no_active_organization",
                "The account is a member of no active organization.",
            ))?,
            _ => Err(Problem::unauthorized(
                "credentials_invalid",
                "The e-mail address or the password is wrong.",
            ))?,
        }
    }

    /// Who am I?
    ///
    /// The account behind the token, and its role in the organization the token is for.
    #[oai(path = "/me", method = "get", operation_id = "get_me")]
    async fn get_me(&self, caller: Member<Viewer>) -> Result<Json<Me>, Refused<ReadingOwn>> {
        let row = self.db.one(&caller, sql!("identity/accounts_get_me.sql"), &[&caller.account]).await?;
        Ok(Json(Me {
            id: row.get(0),
            email: row.get(1),
            full_name: row.get(2),
            role: row.get(3),
            organization_id: row.get(4),
        }))
    }
}

impl AccountsApi {
    fn access_token(&self, account: Uuid, organization: Uuid) -> Result<AccessToken, Problem> {
        Ok(AccessToken {
            access_token: self.tokens.issue(account, organization, Utc::now())?,
            token_type: "bearer".to_owned(),
            expires_in: LIFETIME.as_secs(),
        })
    }
}

/// Creates an account, an organization and the membership between them; the ids of the first two.
pub async fn register(
    db: &Db,
    registration: &Registration,
    password_hash: &str,
) -> Result<(Uuid, Uuid), db::Error> {
    let (account, organization) = (Uuid::now_v7(), Uuid::now_v7());
    db.gate(
        sql!("identity/accounts_register.sql"),
        &[
            &account,
            &&*registration.email,
            &password_hash,
            &registration.full_name.as_deref(),
            &organization,
            &&*registration.organization_name,
            &&*registration.organization_slug,
        ],
    )
    .await?;
    Ok((account, organization))
}
