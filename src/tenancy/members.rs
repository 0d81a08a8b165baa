//! Members: who works for an organization, and as what. They come by invitation: see `invitations`.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{api_keys::ApiKey, invitations::Invitation};
use crate::{
    db::{Db, Error, Tx},
    http::{
        Tag,
        caller::{Admin, Member, Owner, SignedIn, Viewer},
        json::{Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{Instant, named_enum},
    },
    sql,
};

named_enum! {
    /// What somebody may do in an organization: owner > admin > manager > staff > viewer.
    MemberRole {
        Owner = "owner",
        Admin = "admin",
        Manager = "manager",
        /// Also accepted as `member`.
        #[serde(alias = "member")]
        Staff = "staff",
        Viewer = "viewer",
    }
}

named_enum! {
    /// Whether a member is let in.
    MemberStatus {
        Active = "active",
        Suspended = "suspended",
    }
}

/// Somebody who works for the organization.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct OrganizationMember {
    /// The account.
    pub account_id: Uuid,
    pub email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    pub role: MemberRole,
    pub status: MemberStatus,
    /// When they joined.
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for OrganizationMember {
    fn from(row: Row) -> Self {
        Self {
            account_id: row.get(0),
            email: row.get(1),
            full_name: row.get(2),
            role: MemberRole::from_name(row.get(3)),
            status: MemberStatus::from_name(row.get(4)),
            created_at: row.get(5),
            updated_at: row.get(6),
        }
    }
}

/// Another role for a member.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MemberChanges {
    /// At most the caller's own.
    pub role: MemberRole,
}

impl Example for MemberChanges {
    fn example() -> Self {
        Self { role: MemberRole::Manager }
    }
}

/// Who is to own the organization.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct OwnershipTransfer {
    /// The account of an active member.
    pub account_id: Uuid,
}

impl Example for OwnershipTransfer {
    fn example() -> Self {
        Self { account_id: Uuid::nil() }
    }
}

/// What a member has handed out.
#[derive(Debug, Object, Serialize)]
pub struct HandedOut {
    /// Keys they made that are neither revoked nor expired.
    pub api_keys: Vec<ApiKey>,
    /// Open invitations they, or their keys, sent.
    pub invitations: Vec<Invitation>,
}

pub struct MembersApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Tenancy")]
impl MembersApi {
    /// List the members
    ///
    /// Who works for the organization, in the order of their accounts. Customers are not among them.
    #[oai(path = "/members", method = "get", operation_id = "list_members")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only those that changed at this instant or later: the `as_of` of the list before.
        updated_since: Query<Option<Instant>>,
        page: Paging,
    ) -> Result<Json<Page<OrganizationMember>>, ApiError<Listing>> {
        let as_of = self.0.as_of().await?;
        let rows = self
            .0
            .all(
                &caller,
                sql!("tenancy/members_list.sql"),
                &[&page.after_id(), &page.rows(), &updated_since.0.map(|instant| instant.0)],
            )
            .await?;
        let members = rows.into_iter().map(OrganizationMember::from).collect();
        Ok(Json(page.of(members, |last| Cursor::id(last.account_id)).as_of(as_of)))
    }

    /// Get a member
    #[oai(path = "/members/:account_id", method = "get", operation_id = "get_member")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        account_id: Path<Uuid>,
    ) -> Result<Json<OrganizationMember>, ApiError<Reading>> {
        let row = self.0.optional(&caller, sql!("tenancy/members_get.sql"), &[&account_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// List what a member has handed out
    ///
    /// Their API keys, and their open invitations and those of their keys: what ends, or is lowered, if they are removed or
    /// demoted. At most 100 of each, the oldest first.
    #[oai(path = "/members/:account_id/handed-out", method = "get", operation_id = "list_handed_out")]
    async fn handed_out(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
    ) -> Result<Json<HandedOut>, ApiError<Reading>> {
        let mut tx = self.0.begin(&caller);
        tx.optional(sql!("tenancy/members_get.sql"), &[&account_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        let keys = tx.all(sql!("tenancy/handed_out_keys.sql"), &[&account_id.0]).await?;
        let invitations = tx.all(sql!("tenancy/handed_out_invitations.sql"), &[&account_id.0]).await?;
        tx.commit().await?;
        Ok(Json(HandedOut {
            api_keys: keys.into_iter().map(ApiKey::from).collect(),
            invitations: invitations.iter().map(Invitation::from).collect(),
        }))
    }

    /// Change the role of a member
    ///
    /// Holds from their next request on, and lowers what they handed out (`GET …/handed-out`): their API keys get at most the
    /// new role, and invitations they could not make now are withdrawn. 403 `role_above_own` where the member has, or is to have, a higher role than the
    /// caller. 409 `last_owner` where nobody would own the organization.
    #[oai(path = "/members/:account_id", method = "patch", operation_id = "update_member")]
    async fn update(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
        body: Json<MemberChanges>,
    ) -> Result<Json<OrganizationMember>, ApiError<Writing>> {
        let role = body.0.role.name();
        let mut tx = self.0.begin(&caller);
        below(&mut tx, account_id.0, Some(role)).await?;
        let row = last_owner(
            tx.commit_with(sql!("tenancy/members_update.sql"), &[&account_id.0, &Some(role), &None::<&str>])
                .await,
        )?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Remove a member
    ///
    /// Or a customer, who stays a contact without an account. Their tokens for the organization open nothing from the next
    /// request on. What they handed out ends with them (`GET …/handed-out`): their API keys are revoked, their invitations
    /// and those of their keys are withdrawn, their calendar feeds are deleted. What they did stays. 403 `role_above_own`,
    /// 409 `last_owner` as for changing the role.
    #[oai(path = "/members/:account_id", method = "delete", operation_id = "remove_member")]
    async fn remove(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let mut tx = self.0.begin(&caller);
        below(&mut tx, account_id.0, None).await?;
        last_owner(tx.commit_with(sql!("tenancy/members_remove.sql"), &[&account_id.0]).await)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Suspend a member
    ///
    /// Still a member, and not let in from the next request on; nor do their API keys open anything, and their invitations
    /// cannot be accepted, until they are reactivated. Refuses as removing does.
    #[oai(path = "/members/:account_id/suspend", method = "post", operation_id = "suspend_member")]
    async fn suspend(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
    ) -> Result<Json<OrganizationMember>, ApiError<Deleting>> {
        self.set_status(&caller, account_id.0, "suspended").await.map(Json).map_err(Into::into)
    }

    /// Let a suspended member in again
    ///
    /// 403 `plan_limit` where the plan allows no more members.
    #[oai(path = "/members/:account_id/reactivate", method = "post", operation_id = "reactivate_member")]
    async fn reactivate(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
    ) -> Result<Json<OrganizationMember>, ApiError<Deleting>> {
        self.set_status(&caller, account_id.0, "active").await.map(Json).map_err(Into::into)
    }

    /// Leave an organization
    ///
    /// As a member, suspended or not, or as a customer. What the organization knows of the person stays with it; what they
    /// handed out ends, as when they are removed. 409
    /// `last_owner` where nobody would own it: hand it over first. 404 where the account does not belong to it.
    #[oai(
        path = "/organizations/:organization_id/leave",
        method = "post",
        operation_id = "leave_organization"
    )]
    async fn leave(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let left = self.0.one(&caller, sql!("tenancy/members_leave.sql"), &[&organization_id.0]).await;
        match last_owner(left)?.get(0) {
            true => Ok(NoContent),
            false => Err(Problem::not_found())?,
        }
    }

    /// Hand the organization over
    ///
    /// Makes another active member an owner and the caller an admin, both or neither. 409 `member_suspended` where the
    /// member is not active.
    #[oai(
        path = "/organizations/me/transfer-ownership",
        method = "post",
        operation_id = "transfer_ownership"
    )]
    async fn transfer(
        &self,
        caller: Member<Owner>,
        body: Json<OwnershipTransfer>,
    ) -> Result<Json<OrganizationMember>, ApiError<Writing>> {
        let (from, to) = (caller.account()?, body.0.account_id);
        if from == to {
            Err(Problem::invalid_field("account_id", "invalid_value", "the account of somebody else"))?;
        }
        let row = self.0.attempt(&caller, |tx, _| hand_over(tx, from, to)).await?;
        Ok(Json(row.into()))
    }
}

/// Both or neither.
async fn hand_over(mut tx: Tx, from: Uuid, to: Uuid) -> Result<Row, Failure> {
    let nobody = || Problem::invalid_field("account_id", "not_found", "the account of an active member");
    // Whatever else changes who owns the organization waits here.
    tx.one(sql!("tenancy/subscriptions_lock.sql"), &[]).await?;
    let member = tx.optional(sql!("tenancy/members_get.sql"), &[&to]).await?;
    if OrganizationMember::from(member.ok_or_else(nobody)?).status == MemberStatus::Suspended {
        let suspended = "The member is suspended; reactivate them first.";
        return Err(Problem::conflict("member_suspended", suspended).into());
    }
    // The new one first, so that there is an owner at every moment.
    let row = tx
        .optional(sql!("tenancy/members_update.sql"), &[&to, &Some("owner"), &None::<&str>])
        .await?
        .ok_or_else(nobody)?;
    last_owner(tx.all(sql!("tenancy/members_update.sql"), &[&from, &Some("admin"), &None::<&str>]).await)?;
    tx.commit().await?;
    Ok(row)
}

impl MembersApi {
    async fn set_status(
        &self,
        caller: &Member<Admin>,
        account: Uuid,
        status: &str,
    ) -> Result<OrganizationMember, Failure> {
        let mut tx = self.0.begin(caller);
        below(&mut tx, account, None).await?;
        let row = last_owner(
            tx.commit_with(sql!("tenancy/members_update.sql"), &[&account, &None::<&str>, &Some(status)])
                .await,
        )?;
        Ok(row.ok_or_else(Problem::not_found)?.into())
    }
}

/// Nobody changes, or makes, somebody above themselves. The policies say so too; here it gets its own words.
async fn below(tx: &mut Tx, account: Uuid, new_role: Option<&str>) -> Result<(), Failure> {
    let row = tx
        .optional(sql!("tenancy/members_compare.sql"), &[&account, &new_role])
        .await?
        .ok_or_else(Problem::not_found)?;
    match row.get(0) {
        true => Ok(()),
        false => Err(Problem::forbidden(
            "role_above_own",
            "The member has, or is to have, a higher role than you.",
        )
        .into()),
    }
}

fn last_owner<T>(result: Result<T, Error>) -> Result<T, Failure> {
    result.on_constraint("members_last_owner", || {
        Problem::conflict(
            "last_owner",
            "The organization needs an active owner: make somebody else one first.",
        )
    })
}

/// Whether somebody works here: an active member who is no customer.
pub async fn works_here(tx: &mut Tx, account: Uuid) -> Result<bool, Error> {
    Ok(tx.one(sql!("tenancy/members_work_here.sql"), &[&account]).await?.get(0))
}
