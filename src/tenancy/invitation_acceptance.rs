//! Accepting an invitation, with an existing account or with a new one.

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::invitations::{InvitedRole, contact_has_account};
use crate::{
    db::{Db, FrontDoor, row},
    http::{
        caller::SignedIn,
        client::Client,
        json::{Created, Json, NoContent},
        name::Name,
        problem::{ApiError, Failure, OnConstraint as _, OpenWriting, Problem, Writing},
        secret::{self, Secret},
    },
    identity::{
        passwords::{NewPassword, Passwords},
        session_issuer::{SessionIssuer, SessionTokens},
    },
    sql,
};

/// The token of an invitation.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct InvitationToken {
    /// The token from the e-mail.
    pub token: Secret<secret::Invitation>,
}

impl Example for InvitationToken {
    fn example() -> Self {
        Self { token: Secret::example() }
    }
}

/// The contents of an invitation.
#[derive(Debug, Object, Serialize)]
pub struct InvitationOffer {
    pub organization_id: Uuid,
    pub organization_name: String,
    /// The e-mail address that is invited.
    pub email: String,
    pub role: InvitedRole,
    /// Whether an account with that address exists. If `true`, sign in and call `POST /api/v1/invitations/accept`. If
    /// `false`, call `POST /api/v1/invitations/register`.
    pub account_exists: bool,
}

/// A new account for the invited person.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct InvitedRegistration {
    /// The token from the e-mail.
    pub token: Secret<secret::Invitation>,
    /// At least 8 characters and not easily guessed.
    pub password: NewPassword,
    /// Your name, 1 to 200 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub full_name: Option<Name<200>>,
}

impl Example for InvitedRegistration {
    fn example() -> Self {
        Self {
            token: Secret::example(),
            password: NewPassword::parse("three small brass kettles").expect("a password"),
            full_name: Name::parse("Grace Hopper").ok(),
        }
    }
}

pub struct InvitationAcceptanceApi {
    pub db: Db,
    pub door: FrontDoor,
    pub passwords: Arc<Passwords>,
    pub issuer: SessionIssuer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl InvitationAcceptanceApi {
    /// Look at an invitation
    ///
    /// Requires the token from the e-mail. 422 `not_found` on `token` if the invitation is unknown, was accepted or
    /// withdrawn, or has expired.
    #[oai(path = "/invitations/look", method = "post", operation_id = "look_at_invitation")]
    pub async fn look(
        &self,
        body: Json<InvitationToken>,
    ) -> Result<Json<InvitationOffer>, ApiError<OpenWriting>> {
        let token = body.0.token;
        let offer = offered(&self.door, &token).await?;
        Ok(Json(InvitationOffer {
            organization_id: token.first,
            organization_name: offer.organization_name,
            email: offer.email,
            role: offer.role,
            account_exists: offer.account_id.is_some(),
        }))
    }

    /// Accept an invitation
    ///
    /// The signed-in account joins the organization; then call `POST /api/v1/auth/switch` for a token for it. 409
    /// `invitation_for_another` if the invitation is for another e-mail address. 409 `exclusive_membership` if this
    /// organization, or another one the account works for, sets `exclusive_members`. 409 `contact_has_account` if the
    /// contact to be linked has an account. 422 `not_found` on `token` if the invitation is unknown, was accepted
    /// or withdrawn, or has expired.
    #[oai(path = "/invitations/accept", method = "post", operation_id = "accept_invitation")]
    pub async fn accept(
        &self,
        caller: SignedIn,
        body: Json<InvitationToken>,
    ) -> Result<NoContent, ApiError<Writing>> {
        // Accepting runs before a tenant is known and does not check the session. Entering as the account does, so that
        // a token whose session has ended is rejected here too.
        self.db.all(&caller, sql!("app/admitted.sql"), &[]).await?;
        accept(&self.door, &body.0.token, caller.claims.sub, None, None).await?;
        Ok(NoContent)
    }

    /// Accept an invitation with a new account
    ///
    /// Creates an account with the invited e-mail address, accepts the invitation and signs the account in. 409
    /// `email_taken` if an account with this address exists: sign in and accept with it. Other errors are those of
    /// `POST /api/v1/invitations/accept`.
    #[oai(path = "/invitations/register", method = "post", operation_id = "register_invited")]
    pub async fn register(
        &self,
        client: Client,
        body: Json<InvitedRegistration>,
    ) -> Result<Created<SessionTokens>, ApiError<Writing>> {
        let InvitedRegistration { token, password, full_name } = body.0;
        let offer = offered(&self.door, &token).await?;
        if offer.account_id.is_some() {
            Err(email_taken())?;
        }
        let hash =
            self.passwords.hash_new("password", &password, &[&offer.email, &offer.organization_name]).await?;
        let account = Uuid::now_v7();
        accept(&self.door, &token, account, full_name.as_deref(), Some(&hash)).await?;
        let (tokens, _) = self.issuer.start(&client, account, Some(token.first)).await?;
        Ok(Created { location: "/api/v1/auth/me".to_owned(), body: tokens, replayed: false })
    }
}

/// What an invitation offers.
struct Offered {
    email: String,
    role: InvitedRole,
    organization_name: String,
    account_id: Option<Uuid>,
}

row! {
    Offered { email, role, organization_name, account_id }
}

async fn offered(door: &FrontDoor, token: &Secret<secret::Invitation>) -> Result<Offered, Failure> {
    let sql = sql!("tenancy/invitations_get_by_token.sql" as Option<Offered>);
    let offered = door.gate(sql, &[&token.first, &token.second, &&token.hash()[..]]).await?;
    Ok(offered.ok_or_else(used_up)?)
}

/// Accepts an invitation. A password hash creates the account first.
pub async fn accept(
    door: &FrontDoor,
    token: &Secret<secret::Invitation>,
    account: Uuid,
    full_name: Option<&str>,
    password_hash: Option<&str>,
) -> Result<(), Failure> {
    let outcome = door
        .gate(
            sql!("tenancy/invitations_accept.sql" as (String,)),
            &[&token.first, &token.second, &&token.hash()[..], &account, &full_name, &password_hash],
        )
        .await;
    let (outcome,) = outcome
        .on_constraint("invitation_address", || {
            Problem::conflict("invitation_for_another", "The invitation is for another e-mail address.")
        })
        .on_constraint("exclusive_members", || {
            Problem::conflict(
                "exclusive_membership",
                "This organization, or another one the account works for, sets `exclusive_members`: its members may belong to no other.",
            )
        })
        .on_constraint("contact_account", contact_has_account)
        .on_constraint("accounts_email_key", email_taken)?;
    match outcome.as_str() {
        "joined" => Ok(()),
        _ => Err(used_up().into()),
    }
}

fn email_taken() -> Problem {
    Problem::conflict(
        "email_taken",
        "An account with this e-mail address exists. Sign in and accept the invitation with it.",
    )
}

fn used_up() -> Problem {
    Problem::invalid_field(
        "token",
        "not_found",
        "The invitation is unknown, was accepted or withdrawn, or has expired.",
    )
}
