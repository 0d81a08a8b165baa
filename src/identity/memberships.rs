//! The operations that list the organizations of an account.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{self, Db, row},
    http::{
        caller::SignedIn,
        json::Json,
        problem::{ApiError, Problem, Reading},
    },
    sql,
};

/// An organization the account belongs to.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Membership {
    pub organization_id: Uuid,
    pub name: String,
    pub slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// The account's role: `owner`, `admin`, `manager`, `staff`, `viewer` or `customer`.
    pub role: String,
    /// `active`, `suspended` (the membership or the organization is suspended) or `deleted`. Only an active membership
    /// can be signed in to.
    pub status: String,
    /// When a deleted organization is purged; an owner can restore it until then. Absent if the organization is not
    /// deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_after: Option<DateTime<Utc>>,
    /// Former slugs that still lead to the organization.
    #[serde(default, skip_serializing)]
    #[oai(skip)]
    pub former_slugs: Vec<String>,
}

/// The organizations of an account.
#[derive(Debug, Object, Serialize)]
pub struct Memberships {
    /// The memberships, oldest first.
    pub items: Vec<Membership>,
}

pub struct MembershipsApi(pub Db);

#[OpenApi]
impl MembershipsApi {
    /// List my organizations
    ///
    /// All organizations the account belongs to, oldest membership first. Not paginated.
    #[oai(path = "/api/v1/auth/organizations", method = "get", operation_id = "list_my_organizations")]
    async fn organizations(&self, caller: SignedIn) -> Result<Json<Memberships>, ApiError<Reading>> {
        Ok(Json(Memberships { items: self.of(&caller).await? }))
    }

    /// Get one of my organizations
    ///
    /// Returns one entry of `GET /api/v1/auth/organizations`. To read the organization's own data, get a token for it
    /// with `POST /api/v1/auth/switch`.
    #[oai(
        path = "/api/v1/organizations/:organization_id",
        method = "get",
        operation_id = "get_my_organization"
    )]
    async fn organization(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
    ) -> Result<Json<Membership>, ApiError<Reading>> {
        let mut all = self.of(&caller).await?.into_iter();
        let found = all.find(|membership| membership.organization_id == organization_id.0);
        Ok(Json(found.ok_or_else(Problem::not_found)?))
    }
}

struct MembershipsRow {
    memberships: Option<Vec<Membership>>,
}

row! {
    MembershipsRow { memberships as json }
}

impl MembershipsApi {
    async fn of(&self, caller: &SignedIn) -> Result<Vec<Membership>, db::Error> {
        let sql = sql!("identity/accounts_memberships.sql" as MembershipsRow);
        Ok(self.0.one(caller, sql, &[]).await?.memberships.unwrap_or_default())
    }
}
