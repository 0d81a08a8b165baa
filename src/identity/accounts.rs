//! Registering an account, and reading and changing one's own.

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    passwords::{NewPassword, Passwords},
    recovery,
    session_issuer::{SessionIssuer, SessionTokens},
};
use crate::{
    db::{self, Db, FrontDoor, Params, Sql, Tx, row},
    http::{
        caller::SignedIn,
        client::Client,
        if_match::IfMatch,
        json::{Created, Json},
        name::Name,
        problem::{ApiError, Failure, OnConstraint as _, Problem, Reading, Writing},
        values::{EmailAddress, Slug, TimeZone},
    },
    messaging::mail::Mailer,
    sql,
};

/// A new account and the organization it will own.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Registration {
    /// The e-mail address to sign in with. Case-insensitive.
    pub email: EmailAddress,
    /// At least 8 characters and not easily guessed.
    pub password: NewPassword,
    /// Your name, 1 to 200 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub full_name: Option<Name<200>>,
    /// The display name of the organization, 1 to 200 characters, without web or e-mail addresses.
    pub organization_name: Name<200>,
    /// The organization's name in URLs. Unique on this server.
    pub organization_slug: Slug,
    /// The IANA time zone of the organization. Defaults to `UTC`.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
}

impl Example for Registration {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "email": "ada@example.com",
            "password": "three small brass kettles",
            "full_name": "Ada Lovelace",
            "organization_name": "Lovelace Consulting",
            "organization_slug": "lovelace",
            "time_zone": "Europe/London",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// The signed-in account, and its role in the organization the token is for.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Me {
    /// The account.
    pub id: Uuid,
    /// Its e-mail address.
    pub email: String,
    /// Whether the e-mail address is verified.
    pub email_verified: bool,
    /// The person's name; absent if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The account's role in the organization: `owner`, `admin`, `manager`, `staff`, `viewer` or `customer`. Absent if
    /// the token is for no organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The organization the token is for; absent if it is for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// Whether signing in requires a code from an authenticator app.
    pub second_factor: bool,
}

row! {
    Me { id, email, email_verified, full_name, role, second_factor; organization_id: None }
}

/// Changes to the account. Omitted fields are kept; `null` removes the name.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MeChanges {
    /// Your name, 1 to 200 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub full_name: MaybeUndefined<Name<200>>,
}

impl Example for MeChanges {
    fn example() -> Self {
        Self { full_name: Name::parse("Ada King").map_or(MaybeUndefined::Undefined, MaybeUndefined::Value) }
    }
}

const GET_ME: Sql<Me> = sql!("identity/accounts_get_me.sql" as Me);

pub struct AccountsApi {
    pub db: Db,
    pub door: FrontDoor,
    pub passwords: Arc<Passwords>,
    pub issuer: SessionIssuer,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/auth")]
impl AccountsApi {
    /// Register an account and its organization
    ///
    /// Creates both in one transaction and makes the account the owner of the organization. The organization starts on
    /// the smallest plan. An e-mail asks the owner to verify the address. 409 `email_taken` if another account has the
    /// e-mail address. 409 `slug_taken` if another organization has the slug, or gave it up less than 90 days ago. 422
    /// `reserved` on `organization_slug` if the slug is reserved.
    #[oai(path = "/register", method = "post", operation_id = "register_account")]
    async fn register(
        &self,
        client: Client,
        body: Json<Registration>,
    ) -> Result<Created<SessionTokens>, ApiError<Writing>> {
        let registration = body.0;
        let names =
            [&*registration.email, &*registration.organization_name, &*registration.organization_slug];
        let hash = self.passwords.hash_new("password", &registration.password, &names).await?;
        let (account, organization) = register(&self.door, &registration, &hash)
            .await
            .on_constraint("accounts_email_key", || {
                Problem::conflict(
                    "email_taken",
                    "An account with this e-mail address exists. Sign in instead.",
                )
            })
            .on_constraint("organizations_slug_key", || {
                Problem::conflict("slug_taken", "Another organization has this slug. Choose another.")
            })
            .on_constraint("organizations_slug_reserved", || {
                Problem::invalid_field(
                    "organization_slug",
                    "reserved",
                    "This name is reserved. Choose another.",
                )
            })?;
        let (tokens, person) = self.issuer.start(&client, account, Some(organization)).await?;
        recovery::ask_to_verify(&self.db, &self.mailer, &person, &registration.email).await?;
        Ok(Created { location: "/api/v1/auth/me".to_owned(), body: tokens, replayed: false })
    }

    /// Get my account
    ///
    /// The signed-in account, and its role in the organization the token is for.
    #[oai(path = "/me", method = "get", operation_id = "get_me")]
    async fn get_me(&self, caller: SignedIn) -> Result<Json<Me>, ApiError<Reading>> {
        Ok(Json(self.me(&caller).await?))
    }

    /// Change my account
    #[oai(path = "/me", method = "patch", operation_id = "update_me")]
    async fn update_me(
        &self,
        caller: SignedIn,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MeChanges>,
    ) -> Result<Json<Me>, ApiError<Writing>> {
        let name = body.0.full_name;
        let organization = caller.claims.tenant_id;
        let params: Params = &[&!name.is_undefined(), &name.value().map(|name| &**name)];
        let changing = self.db.attempt(&caller, async |mut tx: Tx, _| -> Result<(), Failure> {
            if if_match.is_sent() {
                tx.all(sql!("identity/accounts_lock_row.sql"), &[]).await?;
                let me = tx.one(GET_ME, &[&organization]).await?;
                if_match.matches(&Me { organization_id: organization, ..me })?;
            }
            tx.commit_with(sql!("identity/accounts_update_me.sql"), params).await?;
            Ok(())
        });
        changing.await?;
        Ok(Json(self.me(&caller).await?))
    }
}

impl AccountsApi {
    async fn me(&self, caller: &SignedIn) -> Result<Me, db::Error> {
        let organization = caller.claims.tenant_id;
        let me = self.db.one(caller, GET_ME, &[&organization]).await?;
        Ok(Me { organization_id: organization, ..me })
    }
}

/// Creates an account, an organization and the membership between them. Returns the ids of account and organization.
pub async fn register(
    door: &FrontDoor,
    registration: &Registration,
    password_hash: &str,
) -> Result<(Uuid, Uuid), db::Error> {
    let (account, organization) = (Uuid::now_v7(), Uuid::now_v7());
    door.gate(
        sql!("identity/accounts_register.sql"),
        &[
            &account,
            &&*registration.email,
            &password_hash,
            &registration.full_name.as_deref(),
            &organization,
            &&*registration.organization_name,
            &&*registration.organization_slug,
            &registration.time_zone.map_or("UTC", TimeZone::name),
        ],
    )
    .await?;
    Ok((account, organization))
}
