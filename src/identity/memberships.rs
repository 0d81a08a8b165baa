//! The organizations an account belongs to.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::Db,
    http::{
        Tag,
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
    /// owner, admin, manager, staff, viewer or customer.
    pub role: String,
    /// `active`; or why it cannot be entered: `suspended` (the membership or the organization) or `deleted`.
    pub status: String,
    /// Of a deleted organization: until when an owner may restore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_after: Option<DateTime<Utc>>,
    /// Slugs it had until a while ago.
    #[serde(default, skip_serializing)]
    #[oai(skip)]
    pub former_slugs: Vec<String>,
}

/// The organizations of an account.
#[derive(Debug, Object, Serialize)]
pub struct Memberships {
    /// The one joined first in front.
    pub items: Vec<Membership>,
}

pub struct MembershipsApi(pub Db);

#[OpenApi(tag = "Tag::Identity")]
impl MembershipsApi {
    /// List my organizations
    ///
    /// All the account belongs to, the one joined first in front. Few, so there are no pages.
    #[oai(path = "/api/v1/auth/organizations", method = "get", operation_id = "list_my_organizations")]
    async fn organizations(&self, caller: SignedIn) -> Result<Json<Memberships>, ApiError<Reading>> {
        let row = self.0.one(&caller, sql!("identity/accounts_memberships.sql"), &[]).await?;
        Ok(Json(Memberships { items: read(row.get(0)) }))
    }

    /// Get one of my organizations
    ///
    /// Of those that `GET /api/v1/auth/organizations` lists. What belongs to it is for tokens that are for it: see
    /// `POST /api/v1/auth/switch`.
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
        let row = self.0.one(&caller, sql!("identity/accounts_memberships.sql"), &[]).await?;
        let found =
            read(row.get(0)).into_iter().find(|membership| membership.organization_id == organization_id.0);
        Ok(Json(found.ok_or_else(Problem::not_found)?))
    }
}

/// The memberships as `accounts_memberships.sql` and `accounts_sign_in.sql` answer them.
pub fn read(json: Option<serde_json::Value>) -> Vec<Membership> {
    json.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default()
}
