//! Members: the accounts that work for an organization, and their roles. They join by invitation: see `invitations`.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{api_keys::ApiKey, invitations::Invitation};
use crate::{
    db::{self, Db, Error, Sql, Tx, WorkerDb, row},
    http::{
        caller::{Admin, Member, Owner, SignedIn, Viewer},
        if_match::{IfMatch, Single},
        json::{Json, NoContent},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{Instant, named_enum},
    },
    sql,
};

named_enum! {
    /// The role of a member, from highest to lowest: owner, admin, manager, staff, viewer.
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
    /// Whether a member has access.
    MemberStatus {
        Active = "active",
        Suspended = "suspended",
    }
}

/// A member of the organization.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct OrganizationMember {
    /// The id of the member's account.
    pub account_id: Uuid,
    pub email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    pub role: MemberRole,
    pub status: MemberStatus,
    /// When the member joined.
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    OrganizationMember { account_id, email, full_name, role, status, created_at, updated_at }
}

/// The new role of a member.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MemberChanges {
    /// The new role, at most the caller's own.
    pub role: MemberRole,
}

impl Example for MemberChanges {
    fn example() -> Self {
        Self { role: MemberRole::Manager }
    }
}

/// The member to make an owner.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct OwnershipTransfer {
    /// The account id of an active member.
    pub account_id: Uuid,
}

impl Example for OwnershipTransfer {
    fn example() -> Self {
        Self { account_id: uuid::uuid!("019a9c3e-5a23-7c1e-9f6b-2f1f4a3d9b23") }
    }
}

/// A calendar feed that a member created.
#[derive(Debug, Object, Serialize)]
pub struct IssuedFeed {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
}

row! {
    IssuedFeed { id, name, created_at, created_by }
}

/// A webhook endpoint of which a member is the maker.
#[derive(Debug, Object, Serialize)]
pub struct IssuedEndpoint {
    pub id: Uuid,
    pub url: String,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
}

row! {
    IssuedEndpoint { id, url, enabled, created_at, created_by }
}

/// What a member handed out.
#[derive(Debug, Object, Serialize)]
pub struct IssuedAccess {
    /// API keys they created that are neither revoked nor expired.
    pub api_keys: Vec<ApiKey>,
    /// Open invitations sent by them or by their API keys.
    pub invitations: Vec<Invitation>,
    /// Calendar feeds created by them or by their API keys.
    pub calendar_feeds: Vec<IssuedFeed>,
    /// Webhook endpoints whose maker is the member or one of their API keys.
    pub webhook_endpoints: Vec<IssuedEndpoint>,
}

const GET: Sql<OrganizationMember> = sql!("tenancy/members_get.sql" as OrganizationMember);

const UPDATE: Sql<OrganizationMember> = sql!("tenancy/members_update.sql" as OrganizationMember);

const SINGLE: Single<OrganizationMember> = Single::new(sql!("tenancy/members_lock_row.sql"), GET);

pub struct MembersApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl MembersApi {
    /// List the members
    ///
    /// All members, ordered by account id. Customers are not members.
    #[oai(path = "/members", method = "get", operation_id = "list_members")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<OrganizationMember>>, ApiError<Listing>> {
        let as_of = self.0.as_of().await?;
        let members = self
            .0
            .all(
                &caller,
                sql!("tenancy/members_list.sql" as OrganizationMember),
                &[&page.after_id(), &page.rows(), &updated_since.0.map(|instant| instant.0), &ids.0],
            )
            .await?;
        Ok(Json(page.of(members, |last| Cursor::id(last.account_id)).as_of(as_of)))
    }

    /// Get a member
    #[oai(path = "/members/:account_id", method = "get", operation_id = "get_member")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        account_id: Path<Uuid>,
    ) -> Result<Json<OrganizationMember>, ApiError<Reading>> {
        let member = self.0.optional(&caller, GET, &[&account_id.0]).await?;
        Ok(Json(member.ok_or_else(Problem::not_found)?))
    }

    /// List what a member handed out
    ///
    /// The member's API keys, and the open invitations, calendar feeds and webhook endpoints created by them or by
    /// their keys. These are revoked, withdrawn, deleted, disabled or lowered if the member is removed or demoted. At
    /// most 100 of each, oldest first.
    #[oai(path = "/members/:account_id/handed-out", method = "get", operation_id = "list_handed_out")]
    async fn handed_out(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
    ) -> Result<Json<IssuedAccess>, ApiError<Reading>> {
        let mut tx = self.0.begin(&caller);
        tx.optional(GET, &[&account_id.0]).await?.ok_or_else(Problem::not_found)?;
        let issued = IssuedAccess {
            api_keys: tx.all(sql!("tenancy/handed_out_keys.sql" as ApiKey), &[&account_id.0]).await?,
            invitations: tx
                .all(sql!("tenancy/handed_out_invitations.sql" as Invitation), &[&account_id.0])
                .await?,
            calendar_feeds: tx
                .all(sql!("tenancy/handed_out_feeds.sql" as IssuedFeed), &[&account_id.0])
                .await?,
            webhook_endpoints: tx
                .all(sql!("tenancy/handed_out_endpoints.sql" as IssuedEndpoint), &[&account_id.0])
                .await?,
        };
        tx.commit().await?;
        Ok(Json(issued))
    }

    /// Change the role of a member
    ///
    /// The new role applies from the member's next request on. Their API keys are lowered to the new role, invitations
    /// they could no longer send are withdrawn, and webhook endpoints they could no longer create are disabled; see
    /// `GET …/handed-out`. 403 `role_above_own` if the
    /// member's current or new role is higher than the caller's. 409 `last_owner` if the organization would have no
    /// active owner.
    #[oai(path = "/members/:account_id", method = "patch", operation_id = "update_member")]
    async fn update(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MemberChanges>,
    ) -> Result<Json<OrganizationMember>, ApiError<Writing>> {
        let role = body.0.role.name();
        Ok(Json(self.change(&caller, account_id.0, (Some(role), None), &if_match).await?))
    }

    /// Remove a member
    ///
    /// Also removes a customer, who stays a contact without an account. Their tokens for the organization stop working
    /// immediately. Their API keys are revoked, their invitations withdrawn, their calendar feeds deleted and their
    /// webhook endpoints disabled, with those of their keys; see `GET …/handed-out`. Appointments and other records
    /// they created are kept. 403 `role_above_own` and 409 `last_owner` as for changing the role.
    #[oai(path = "/members/:account_id", method = "delete", operation_id = "remove_member")]
    async fn remove(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id = account_id.0;
        let removed = self.0.attempt(&caller, async |mut tx: Tx, _| -> Result<Option<()>, Failure> {
            below(&mut tx, id, None).await?;
            if_match.check(&mut tx, &SINGLE, &[&id]).await?;
            last_owner(tx.commit_with(sql!("tenancy/members_remove.sql"), &[&id]).await)
        });
        removed.await?.ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Suspend a member
    ///
    /// The member keeps their membership but loses access immediately. Until they are reactivated, their API keys do
    /// not work, their invitations cannot be accepted and their webhook endpoints are sent nothing. 403
    /// `role_above_own` and 409 `last_owner` as for changing the role.
    #[oai(path = "/members/:account_id/suspend", method = "post", operation_id = "suspend_member")]
    async fn suspend(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<OrganizationMember>, ApiError<Deleting>> {
        Ok(Json(self.change(&caller, account_id.0, (None, Some("suspended")), &if_match).await?))
    }

    /// Reactivate a suspended member
    ///
    /// 403 `plan_limit` if the plan allows no more members. 403 `role_above_own` if the member's role is higher than
    /// the caller's.
    #[oai(path = "/members/:account_id/reactivate", method = "post", operation_id = "reactivate_member")]
    async fn reactivate(
        &self,
        caller: Member<Admin>,
        account_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<OrganizationMember>, ApiError<Deleting>> {
        Ok(Json(self.change(&caller, account_id.0, (None, Some("active")), &if_match).await?))
    }

    /// Leave an organization
    ///
    /// Ends the account's membership, active or suspended, or its link as a customer. The organization keeps its
    /// records about the person. API keys, invitations, calendar feeds and webhook endpoints of the account end as when
    /// a member is removed. 409 `last_owner` if the organization would have no active owner: transfer the ownership
    /// first. 404 if the account does not belong to the organization.
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
        let sql = sql!("tenancy/members_leave.sql" as (bool,));
        match last_owner(self.0.one(&caller, sql, &[&organization_id.0]).await)? {
            (true,) => Ok(NoContent),
            (false,) => Err(Problem::not_found())?,
        }
    }

    /// Transfer the ownership
    ///
    /// Makes another active member an owner and the caller an admin, in one transaction. 409 `member_suspended` if the
    /// member is not active. 422 `not_found` on `account_id` if it is not a member.
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
            Err(Problem::invalid_field(
                "account_id",
                "invalid_value",
                "expected the account of another member",
            ))?;
        }
        Ok(Json(self.0.attempt(&caller, |tx, _| hand_over(tx, from, to)).await?))
    }
}

/// Makes `to` an owner and `from` an admin, in one transaction.
async fn hand_over(mut tx: Tx, from: Uuid, to: Uuid) -> Result<OrganizationMember, Failure> {
    let unknown_member =
        || Problem::invalid_field("account_id", "not_found", "expected the account of an active member");
    // Other changes of ownership wait for this lock.
    tx.one(sql!("tenancy/subscriptions_lock.sql"), &[]).await?;
    let member = tx.optional(GET, &[&to]).await?.ok_or_else(unknown_member)?;
    if member.status == MemberStatus::Suspended {
        let suspended = "The member is suspended; reactivate them first.";
        return Err(Problem::conflict("member_suspended", suspended).into());
    }
    // The new owner first, so that the organization has an owner at every moment.
    let owner =
        tx.optional(UPDATE, &[&to, &Some("owner"), &None::<&str>]).await?.ok_or_else(unknown_member)?;
    last_owner(tx.all(UPDATE, &[&from, &Some("admin"), &None::<&str>]).await)?;
    tx.commit().await?;
    Ok(owner)
}

impl MembersApi {
    /// Changes the role or the status of a member.
    async fn change(
        &self,
        caller: &Member<Admin>,
        account: Uuid,
        (role, status): (Option<&'static str>, Option<&'static str>),
        if_match: &IfMatch,
    ) -> Result<OrganizationMember, Failure> {
        self.0
            .attempt(caller, async |mut tx: Tx, _| -> Result<OrganizationMember, Failure> {
                below(&mut tx, account, role).await?;
                if_match.check(&mut tx, &SINGLE, &[&account]).await?;
                let changed = last_owner(tx.commit_with(UPDATE, &[&account, &role, &status]).await)?;
                Ok(changed.ok_or_else(Problem::not_found)?)
            })
            .await
    }
}

/// Fails if the member's role, or the new one, is higher than the caller's. The policies enforce this too; here it gets
/// an error of its own.
async fn below(tx: &mut Tx, account: Uuid, new_role: Option<&str>) -> Result<(), Failure> {
    let sql = sql!("tenancy/members_compare.sql" as (bool,));
    match tx.optional(sql, &[&account, &new_role]).await?.ok_or_else(Problem::not_found)? {
        (true,) => Ok(()),
        (false,) => Err(Problem::forbidden(
            "role_above_own",
            "The member's current or new role is higher than yours.",
        )
        .into()),
    }
}

fn last_owner<T>(result: Result<T, Error>) -> Result<T, Failure> {
    result.on_constraint("members_last_owner", || {
        Problem::conflict(
            "last_owner",
            "The organization needs an active owner: make another member an owner first.",
        )
    })
}

/// Whether an account is an active member and not a customer.
pub async fn works_here(tx: &mut Tx, account: Uuid) -> Result<bool, Error> {
    Ok(tx.one(sql!("tenancy/members_work_here.sql" as (bool,)), &[&account]).await?.0)
}

/// The verified e-mail addresses of the owners and admins of an organization, each with its name.
pub async fn admins(db: &WorkerDb, tenant: Uuid) -> Result<Vec<(String, String)>, db::Error> {
    let sql = sql!("tenancy/members_admins.sql" as (String, String));
    db.begin(tenant).commit_with_all(sql, &[]).await
}
