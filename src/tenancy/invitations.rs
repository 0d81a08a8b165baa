//! Inviting people to an organization: members of its staff, and customers of it who are to have an account.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{Context, Db, Tx},
    http::{
        Tag,
        caller::{Member, Staff},
        json::{Created, Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        secret::{self, Secret},
        values::{EmailAddress, IdempotencyKey, named_enum},
    },
    messaging::{
        budget::{self, Leave, OnBehalf},
        mail::Mailer,
    },
    operations::idempotency::Once,
    sql,
};

const LIFETIME: TimeDelta = TimeDelta::days(7);

named_enum! {
    /// What somebody is invited as.
    InvitedRole {
        Admin = "admin",
        Manager = "manager",
        /// Also accepted as `member`.
        #[serde(alias = "member")]
        Staff = "staff",
        Viewer = "viewer",
        /// With `contact_id`: a customer who is to have an account.
        Customer = "customer",
    }
}

/// Somebody who was invited and has not accepted yet.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Invitation {
    pub id: Uuid,
    pub email: String,
    pub role: InvitedRole,
    /// Of a customer: the contact they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// The giver: the account or API key that sent it last.
    pub created_by: Uuid,
    /// When the mail was last sent.
    pub sent_at: DateTime<Utc>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
}

impl From<&Row> for Invitation {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get(0),
            email: row.get(1),
            role: InvitedRole::from_name(row.get(2)),
            contact_id: row.get(3),
            created_at: row.get(4),
            created_by: row.get(5),
            sent_at: row.get(6),
            expires_at: row.get(7),
        }
    }
}

/// Somebody to invite.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewInvitation {
    pub email: EmailAddress,
    /// At most the caller's own. Staff invite customers; who works there is invited by admins.
    pub role: InvitedRole,
    /// Of a customer: the contact they are.
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

pub struct InvitationsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Tenancy")]
impl InvitationsApi {
    /// List the open invitations
    ///
    /// Those that have not expired, in the order in which they were made.
    #[oai(path = "/invitations", method = "get", operation_id = "list_invitations")]
    async fn list(
        &self,
        caller: Member<Staff>,
        page: Paging,
    ) -> Result<Json<Page<Invitation>>, ApiError<Listing>> {
        let rows = self
            .db
            .all(&caller, sql!("tenancy/invitations_list.sql"), &[&page.after_id(), &page.rows()])
            .await?;
        let invitations = rows.iter().map(Invitation::from).collect();
        Ok(Json(page.of(invitations, |last| Cursor::id(last.id))))
    }

    /// Invite somebody
    ///
    /// Sends them a mail with a token that is good once, for seven days. 403 `role_above_own` where the role is higher than
    /// the caller's, or is one that only admins give; `plan_limit` where the plan allows no more members;
    /// `email_not_verified` until the address of the caller's account is verified. The invitation can be accepted while
    /// the caller could give the role: it ends if they are removed or demoted, or the API key is revoked. 409
    /// `already_member`, `already_invited`. 429 `mail_limit` if this address, the caller or the organization has got or sent as
    /// many mails as may be sent: 6 at once to one address, from all organizations together, and 6 more an hour, at most 20 a
    /// day; 60 an hour from one inviter; 300 an hour and 2,000 a day from one organization. 422 on `contact_id` where a customer has none, or somebody else has one.
    #[oai(path = "/invitations", method = "post", operation_id = "create_invitation")]
    async fn create(
        &self,
        caller: Member<Staff>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewInvitation>,
    ) -> Result<Created<Invitation>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_invitation", idempotency_key.0, &body.0)?;
        let (invitation, organization, token, leave) =
            invite(&self.db, context, &body.0, once.as_ref()).await?;
        if let Some(leave) = leave {
            self.send(leave, &organization, &token);
        }
        let replayed = Once::is_replay(once.as_ref());
        Ok(Created { location: format!("/api/v1/invitations/{}", invitation.id), body: invitation, replayed })
    }

    /// Get an invitation
    #[oai(path = "/invitations/:invitation_id", method = "get", operation_id = "get_invitation")]
    async fn get(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
    ) -> Result<Json<Invitation>, ApiError<Reading>> {
        let row = self.db.optional(&caller, sql!("tenancy/invitations_get.sql"), &[&invitation_id.0]).await?;
        Ok(Json(Invitation::from(&row.ok_or_else(Problem::not_found)?)))
    }

    /// Send an invitation again
    ///
    /// With a new token, for another seven days; the old one is over, and the caller is the giver (`created_by`) from now on.
    /// Once a minute: 409 `invitation_sent`. 429 `mail_limit` as for inviting. 403 `email_not_verified` until the address of the caller's account is verified.
    /// 404 also if it is not the caller's to send.
    #[oai(path = "/invitations/:invitation_id/resend", method = "post", operation_id = "resend_invitation")]
    async fn resend(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
    ) -> Result<Json<Invitation>, ApiError<Deleting>> {
        let token = Secret::<secret::Invitation>::draw(caller.tenant(), invitation_id.0);
        let mut tx = self.db.begin(&caller);
        may_hand_out(&mut tx).await?;
        let row = tx.optional(sql!("tenancy/invitations_get.sql"), &[&invitation_id.0]).await?;
        let invitation = Invitation::from(&row.ok_or_else(Problem::not_found)?);
        let context = Context::from(&caller);
        let leave = budget::ask(&mut tx, &invitation.email, on_behalf(context)).await?;
        let sent = tx
            .optional(
                sql!("tenancy/invitations_resend.sql"),
                &[&invitation_id.0, &&token.hash()[..], &(LIFETIME.num_seconds() as f64)],
            )
            .await?;
        let Some(row) = sent else {
            Err(match invitation.sent_at > Utc::now() - TimeDelta::minutes(1) {
                true => Problem::conflict("invitation_sent", "It was sent a moment ago; wait a minute."),
                false => Problem::not_found(),
            })?
        };
        tx.commit().await?;
        self.send(leave, row.get(8), &token);
        Ok(Json(Invitation::from(&row)))
    }

    /// Take an invitation back
    ///
    /// Its token is over. 404 also where it is not the caller's to take back.
    #[oai(path = "/invitations/:invitation_id", method = "delete", operation_id = "delete_invitation")]
    async fn delete(
        &self,
        caller: Member<Staff>,
        invitation_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        self.db
            .optional(&caller, sql!("tenancy/invitations_delete.sql"), &[&invitation_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

impl InvitationsApi {
    fn send(&self, leave: Leave, organization: &str, token: &Secret<secret::Invitation>) {
        let token = token.reveal();
        // Of one line, whatever the organization calls itself.
        let subject = format!("An invitation from {organization}");
        let body = format!(
            "{organization} invites you.\n\nAccept within seven days here:\n\n{}\n\nor with this token: {token}\n\n\
             If you do not know why, there is nothing to do.\n",
            self.mailer.link("accept-invitation", &token)
        );
        self.mailer.send_with_leave(leave, subject, body);
    }
}

/// Whose budget the mail of an invitation counts towards.
fn on_behalf(context: Context) -> OnBehalf {
    OnBehalf::Organization { id: context.tenant, inviter: context.actor() }
}

/// Refuses who may send no invitations and make no API keys: an account whose address nobody has verified.
pub async fn may_hand_out(tx: &mut Tx) -> Result<(), Failure> {
    match tx.one(sql!("tenancy/hand_out_check.sql"), &[]).await?.get(0) {
        true => Ok(()),
        false => Err(Problem::email_not_verified().into()),
    }
}

/// Makes an invitation; with it the name of the organization, the token to send, and leave to send it.
pub async fn invite(
    db: &Db,
    context: Context,
    new: &NewInvitation,
    once: Option<&Once>,
) -> Result<(Invitation, String, Secret<secret::Invitation>, Option<Leave>), Failure> {
    if (new.role == InvitedRole::Customer) != new.contact_id.is_some() {
        let detail = "for the role customer, and for no other";
        return Err(Problem::invalid_field("contact_id", "required", detail).into());
    }
    let token = Secret::draw(context.tenant, Uuid::now_v7());
    let mut tx = db.begin(context);
    if let Some(once) = once
        && let Some(invitation) = once.answered(&mut tx).await?
    {
        tx.commit().await?;
        return Ok((invitation, String::new(), token, None));
    }
    let check = tx.one(sql!("tenancy/invitations_check.sql"), &[&&*new.email, &new.role.name()]).await?;
    if !check.get::<_, bool>(0) {
        return Err(Problem::forbidden(
            "role_above_own",
            "You cannot give this role: it is higher than yours, or for admins to give.",
        )
        .into());
    }
    if !check.get::<_, bool>(3) {
        return Err(Problem::email_not_verified().into());
    }
    if check.get(1) {
        return Err(Problem::conflict("already_member", "Somebody with this address is a member.").into());
    }
    let leave = budget::ask(&mut tx, &new.email, on_behalf(context)).await?;
    // One that has expired blocks nobody.
    tx.all(sql!("tenancy/invitations_clear.sql"), &[&&*new.email]).await?;
    let row = tx
        .one(
            sql!("tenancy/invitations_create.sql"),
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
                "This address is invited. Send the mail again, or take it back.",
            )
        })
        .on_constraint("invitations_contact_fkey", || {
            Problem::invalid_field("contact_id", "not_found", "There is no such contact.")
        })?;
    let invitation = Invitation::from(&row);
    if let Some(once) = once {
        once.keep(&mut tx, &invitation).await?;
    }
    tx.commit().await?;
    Ok((invitation, check.get(2), token, Some(leave)))
}
