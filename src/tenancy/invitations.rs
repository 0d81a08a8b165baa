//! Inviting people to an organization: new members, and customers who are to get an account.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Member, Staff},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        secret::{self, Secret},
        values::{EmailAddress, IdempotencyKey, Instant, TimeZone, named_enum},
    },
    messaging::{
        budget::{self, SendPermit},
        letters::{Invited, Place},
        mail::Mailer,
    },
    operations::idempotency::Once,
    sql,
};

const LIFETIME: TimeDelta = TimeDelta::days(7);

named_enum! {
    /// The role an invitation offers.
    InvitedRole {
        Admin = "admin",
        Manager = "manager",
        /// Also accepted as `member`.
        #[serde(alias = "member")]
        Staff = "staff",
        Viewer = "viewer",
        /// A customer who is to get an account; requires `contact_id`.
        Customer = "customer",
    }
}

/// An invitation that is not accepted yet.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Invitation {
    pub id: Uuid,
    pub email: String,
    pub role: InvitedRole,
    /// The contact that the account will be linked to. Absent if the role is not customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// The account or API key that last sent the invitation.
    pub created_by: Uuid,
    /// When the e-mail was last sent.
    pub sent_at: DateTime<Utc>,
    /// When the invitation expires.
    pub expires_at: DateTime<Utc>,
}

row! {
    Invitation { id, email, role, contact_id, created_at, created_by, sent_at, expires_at }
}

/// An invitation, and the name of the organization for its e-mail.
struct ToSend {
    invitation: Invitation,
    organization_name: String,
    time_zone: TimeZone,
}

row! {
    ToSend { invitation: Invitation, organization_name, time_zone }
}

/// An invitation that may be sent again.
struct SentInvitation {
    invitation: Invitation,
    contact_has_account: bool,
}

row! {
    SentInvitation { invitation: Invitation, contact_has_account }
}

/// Whether an address may be invited.
struct InvitationCheck {
    may_give: bool,
    already_member: bool,
    organization_name: String,
    may_hand_out: bool,
    contact_has_account: bool,
    time_zone: TimeZone,
}

row! {
    InvitationCheck {
        may_give, already_member, organization_name, may_hand_out, contact_has_account, time_zone
    }
}

/// A new invitation.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewInvitation {
    pub email: EmailAddress,
    /// The role to offer, at most the caller's own. Staff and managers may invite customers only; admins may invite
    /// members.
    pub role: InvitedRole,
    /// The contact to link the account to. Required for the role customer, not allowed for other roles.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
}

impl Example for NewInvitation {
    fn example() -> Self {
        Self {
            email: EmailAddress::parse("grace@example.com").expect("an address"),
            role: InvitedRole::Manager,
            contact_id: None,
        }
    }
}

const GET: Sql<Invitation> = sql!("tenancy/invitations_get.sql" as Invitation);

const SINGLE: Single<Invitation> = Single::new(sql!("tenancy/invitations_lock_row.sql"), GET);

pub struct InvitationsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl InvitationsApi {
    /// List the open invitations
    ///
    /// Invitations that are neither accepted nor expired, oldest first.
    #[oai(path = "/invitations", method = "get", operation_id = "list_invitations")]
    async fn list(
        &self,
        caller: Member<Staff>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<Invitation>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let sql = sql!("tenancy/invitations_list.sql" as Invitation);
        let since = updated_since.0.map(|instant| instant.0);
        let invitations =
            self.db.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0, &since]).await?;
        Ok(Json(page.of(invitations, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Invite a person
    ///
    /// Sends an e-mail with a single-use token that expires after seven days. The invitation can be accepted as long as
    /// the caller could still give the role: it is withdrawn if they are removed or demoted, or the API key is revoked.
    /// 403 `role_above_own` if the role is higher than the caller's, or only admins may give it. 403 `plan_limit` if
    /// the plan allows no more members. 403 `email_not_verified` until the e-mail address of the caller's account is
    /// verified. 409 `already_member` or `already_invited`; `contact_has_account` if the contact has an account. 422 on
    /// `contact_id`: `required` if it is missing for a customer or given for another role, `not_found` if the contact
    /// does not exist.
    ///
    /// 429 `mail_limit` if an e-mail budget is used up: 6 e-mails at once to one address, from all organizations
    /// together, then 6 more an hour and 20 a day; 60 an hour from one inviter; 300 an hour and 2,000 a day from one
    /// organization.
    #[oai(path = "/invitations", method = "post", operation_id = "create_invitation")]
    async fn create(
        &self,
        caller: Member<Staff>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewInvitation>,
    ) -> Result<Created<Invitation>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_invitation", idempotency_key.0, &body.0)?;
        let (invitation, to_send) = invite(&self.db, context, &body.0, &once).await?;
        if let Some((permit, place, token)) = to_send {
            self.send(permit, &invitation, &place, &token.reveal());
        }
        Ok(once.created(format!("/api/v1/invitations/{}", invitation.id), invitation))
    }

    /// Get an invitation
    #[oai(path = "/invitations/:invitation_id", method = "get", operation_id = "get_invitation")]
    async fn get(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
    ) -> Result<Json<Invitation>, ApiError<Reading>> {
        let invitation = self.db.optional(&caller, GET, &[&invitation_id.0]).await?;
        Ok(Json(invitation.ok_or_else(Problem::not_found)?))
    }

    /// Send an invitation again
    ///
    /// Sends a new token, which expires after seven days, and makes the caller its sender (`created_by`). The old token
    /// stops working. 409 `invitation_sent` if it was sent less than a minute ago. 404 also if the caller may not give
    /// the role. Other errors are those of inviting: 403 `email_not_verified`, `plan_limit`, 409 `contact_has_account`,
    /// 429 `mail_limit`.
    #[oai(path = "/invitations/:invitation_id/resend", method = "post", operation_id = "resend_invitation")]
    async fn resend(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<Invitation>, ApiError<Deleting>> {
        let token = Secret::<secret::Invitation>::draw(caller.tenant(), invitation_id.0);
        let context = Context::from(&caller);
        let (permit, sent) =
            self.db.attempt(context, |tx, _| resend_now(tx, context, &token, &if_match)).await?;
        let ToSend { invitation, organization_name, time_zone } = sent;
        let place = Place { id: context.tenant, organization: organization_name, time_zone };
        self.send(permit, &invitation, &place, &token.reveal());
        Ok(Json(invitation))
    }

    /// Withdraw an invitation
    ///
    /// Its token stops working. 404 also if the caller may not give the role.
    #[oai(path = "/invitations/:invitation_id", method = "delete", operation_id = "delete_invitation")]
    async fn delete(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&invitation_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("tenancy/invitations_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

impl InvitationsApi {
    fn send(&self, permit: SendPermit, invitation: &Invitation, place: &Place, token: &str) {
        let (link, expires_at) = (self.mailer.link("accept-invitation", token), invitation.expires_at);
        let letter = Invited { place, role: invitation.role.name(), expires_at, link: &link, token };
        self.mailer.send_with_permit(permit, letter.text());
    }
}

/// Fails if the actor may not send invitations or create API keys: the e-mail address of their account is not verified.
pub async fn may_hand_out(tx: &mut Tx) -> Result<(), Failure> {
    match tx.one(sql!("tenancy/hand_out_check.sql" as (bool,)), &[]).await? {
        (true,) => Ok(()),
        (false,) => Err(Problem::email_not_verified().into()),
    }
}

/// Replaces the token of an invitation. Returns the permission to send it, and what to send.
async fn resend_now(
    mut tx: Tx,
    context: Context,
    token: &Secret<secret::Invitation>,
    if_match: &IfMatch,
) -> Result<(SendPermit, ToSend), Failure> {
    let id = token.second;
    may_hand_out(&mut tx).await?;
    if_match.check(&mut tx, &SINGLE, &[&id]).await?;
    let sql = sql!("tenancy/invitations_get.sql" as SentInvitation);
    let SentInvitation { invitation, contact_has_account: has_account } =
        tx.optional(sql, &[&id]).await?.ok_or_else(Problem::not_found)?;
    if has_account {
        Err(contact_has_account())?;
    }
    let permit = budget::spend(&mut tx, &invitation.email, context.into()).await?;
    let sent = tx
        .optional(
            sql!("tenancy/invitations_resend.sql" as ToSend),
            &[&id, &&token.hash()[..], &(LIFETIME.num_seconds() as f64)],
        )
        .await?;
    let Some(sent) = sent else {
        Err(match invitation.sent_at > Utc::now() - TimeDelta::minutes(1) {
            true => Problem::conflict(
                "invitation_sent",
                "The invitation was sent less than a minute ago; try again later.",
            ),
            false => Problem::not_found(),
        })?
    };
    tx.commit().await?;
    Ok((permit, sent))
}

/// Creates an invitation. Also returns the permission to send it, the organization and the token to send, unless an
/// earlier request with the same key created it.
pub async fn invite(
    db: &Db,
    context: Context,
    new: &NewInvitation,
    once: &Once,
) -> Result<(Invitation, Option<(SendPermit, Place, Secret<secret::Invitation>)>), Failure> {
    if (new.role == InvitedRole::Customer) != new.contact_id.is_some() {
        let detail = "expected for the role customer, and only for that role";
        return Err(Problem::invalid_field("contact_id", "required", detail).into());
    }
    db.attempt(context, |tx, _| invite_now(tx, context, new, once)).await
}

async fn invite_now(
    mut tx: Tx,
    context: Context,
    new: &NewInvitation,
    once: &Once,
) -> Result<(Invitation, Option<(SendPermit, Place, Secret<secret::Invitation>)>), Failure> {
    let token = Secret::draw(context.tenant, Uuid::now_v7());
    if let Some(invitation) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok((invitation, None));
    }
    let sql = sql!("tenancy/invitations_check.sql" as InvitationCheck);
    let check = tx.one(sql, &[&&*new.email, &new.role.name(), &new.contact_id]).await?;
    if !check.may_give {
        return Err(Problem::forbidden(
            "role_above_own",
            "You cannot give this role: it is higher than yours, or only admins may give it.",
        )
        .into());
    }
    if !check.may_hand_out {
        return Err(Problem::email_not_verified().into());
    }
    if check.already_member {
        return Err(Problem::conflict(
            "already_member",
            "An account with this e-mail address is already a member.",
        )
        .into());
    }
    if check.contact_has_account {
        return Err(contact_has_account().into());
    }
    let permit = budget::spend(&mut tx, &new.email, context.into()).await?;
    // An expired invitation must not block a new one.
    tx.all(sql!("tenancy/invitations_clear.sql"), &[&&*new.email]).await?;
    let invitation = tx
        .one(
            sql!("tenancy/invitations_create.sql" as Invitation),
            &[
                &token.second,
                &&*new.email,
                &new.role.name(),
                &new.contact_id,
                &&token.hash()[..],
                &(LIFETIME.num_seconds() as f64),
            ],
        )
        .await
        .on_constraint("invitations_email_key", || {
            Problem::conflict(
                "already_invited",
                "This e-mail address is already invited. Send the invitation again, or withdraw it.",
            )
        })
        .on_constraint("invitations_contact_fkey", || {
            Problem::invalid_field("contact_id", "not_found", "The contact does not exist.")
        })?;
    once.keep(&mut tx, &invitation).await?;
    tx.commit().await?;
    let place =
        Place { id: context.tenant, organization: check.organization_name, time_zone: check.time_zone };
    Ok((invitation, Some((permit, place, token))))
}

/// 409: the contact has an account.
pub fn contact_has_account() -> Problem {
    Problem::conflict("contact_has_account", "The contact already has an account.")
}
