//! The organization a token is for.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx},
    http::{
        Tag,
        caller::{Admin, Member, Viewer},
        json::{Json, present},
        problem::{ChangingOwn, OnConstraint as _, Problem, ReadingOwn, Refused},
        text::{Slug, Text, TimeZone},
    },
    sql,
};

/// A business that gives appointments.
#[derive(Debug, Object, Serialize)]
pub struct Organization {
    pub id: Uuid,
    /// Its name, shown to people.
    pub name: String,
    /// Its name in addresses. Unique in the whole system.
    pub slug: String,
    /// The IANA time zone in which times are shown where nobody asks for another.
    pub time_zone: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Organization {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            name: row.get(1),
            slug: row.get(2),
            time_zone: row.get(3),
            created_at: row.get(4),
            updated_at: row.get(5),
        }
    }
}

/// What is to change about an organization. What is left out stays.
#[derive(Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct OrganizationChanges {
    /// Its name, shown to people.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
    /// Its name in addresses. Unique in the whole system.
    #[serde(default, deserialize_with = "present")]
    pub slug: Option<Slug>,
    /// The IANA time zone in which times are shown where nobody asks for another.
    #[serde(default, deserialize_with = "present")]
    pub time_zone: Option<TimeZone>,
}

impl Example for OrganizationChanges {
    fn example() -> Self {
        Self {
            name: Text::parse("Lovelace & Daughters").ok(),
            slug: None,
            time_zone: TimeZone::parse("Europe/London").ok(),
        }
    }
}

pub struct OrganizationsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/organizations", tag = "Tag::Tenancy")]
impl OrganizationsApi {
    /// Get the organization
    ///
    /// The one the token is for.
    #[oai(path = "/me", method = "get", operation_id = "get_organization")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Organization>, Refused<ReadingOwn>> {
        let row = self.0.one(&caller, sql!("tenancy/organizations_get.sql"), &[]).await?;
        Ok(Json(row.into()))
    }

    /// Change the organization
    ///
    /// The one the token is for. 409 `slug_taken` where another organization has the slug.
    #[oai(path = "/me", method = "patch", operation_id = "update_organization")]
    async fn update(
        &self,
        caller: Member<Admin>,
        body: Json<OrganizationChanges>,
    ) -> Result<Json<Organization>, Refused<ChangingOwn>> {
        let changes = body.0;
        let row = self
            .0
            .one(
                &caller,
                sql!("tenancy/organizations_update.sql"),
                &[&changes.name.as_deref(), &changes.slug.as_deref(), &changes.time_zone.map(TimeZone::name)],
            )
            .await
            .on_constraint("organizations_slug_key", || {
                Problem::conflict("slug_taken", "Another organization has this slug. Choose another.")
            })?;
        Ok(Json(row.into()))
    }
}

/// The zone in which the organization of a transaction shows times.
pub async fn time_zone(tx: &mut Tx) -> Result<TimeZone, db::Error> {
    let organization: Organization = tx.one(sql!("tenancy/organizations_get.sql"), &[]).await?.into();
    // Only names that parsed are stored; should a later time zone database drop one, times show in UTC.
    Ok(TimeZone::parse(&organization.time_zone).unwrap_or(TimeZone(chrono_tz::UTC)))
}
