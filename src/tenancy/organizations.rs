//! Organizations: creating, changing, deleting and restoring them, and their public profile.

use chrono::{DateTime, TimeDelta, Utc};
use poem::http::StatusCode;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    settings::{DateFormat, TimeFormat},
    subscriptions::{self, FeatureChoices, Features},
};
use crate::{
    db::{self, Context, Db, FrontDoor, Sql, Tx, WorkerDb, row},
    http::{
        caller::{Admin, Member, Owner, SignedIn, Viewer},
        client::{Client, Host},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        name::Name,
        problem::{
            ApiError, Deleting, Failure, FieldError, LONGEST_NAME, OnConstraint as _, OpenReading, Problem,
            Reading, Writing,
        },
        values::{Slug, Text, TimeZone, named_enum},
    },
    sql,
};

/// How long a deleted organization can be restored.
const GRACE: TimeDelta = TimeDelta::days(30);

/// A business that offers appointments.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Organization {
    pub id: Uuid,
    /// The display name.
    pub name: String,
    /// The name in URLs. Unique on this server.
    pub slug: String,
    /// The DNS label in front of the server's base domain; absent if the organization has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// The IANA time zone of the organization: the default for dates and times.
    pub time_zone: String,
    /// The plan; see `GET /api/v1/plans`.
    pub plan_type: String,
    /// The enabled features: those the plan includes and the organization has not disabled.
    pub features: Features,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Organization { id, name, slug, subdomain, time_zone, plan_type, features, created_at, updated_at }
}

/// A new organization.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewOrganization {
    /// The display name, 1 to 200 characters, without web or e-mail addresses.
    pub name: Name<200>,
    /// The name in URLs. Unique on this server. Some names are reserved.
    pub slug: Slug,
    /// The DNS label in front of the server's base domain. Some names are reserved.
    #[serde(default)]
    #[oai(nullable)]
    pub subdomain: Option<Slug>,
    /// The IANA time zone of the organization: the default for dates and times. Defaults to `UTC`.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
    /// The `plan_type` of a plan that `GET /api/v1/plans` lists. Defaults to the smallest, `basic`.
    #[serde(default)]
    #[oai(nullable)]
    pub plan_type: Option<Text<1, 50>>,
    /// Features of the plan to enable or disable. Defaults to all features of the plan.
    #[serde(default)]
    #[oai(nullable)]
    pub features: Option<FeatureChoices>,
}

impl Example for NewOrganization {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "name": "Acme Dental",
            "slug": "acme-dental",
            "subdomain": "acme-dental",
            "time_zone": "Europe/London",
            "plan_type": "pro",
            "features": { "appointments": true, "queues": false, "analytics": true },
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Changes to an organization. Omitted fields are kept; `null` removes the subdomain.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct OrganizationChanges {
    /// The display name, 1 to 200 characters, without web or e-mail addresses.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name<200>>,
    /// The name in URLs. Unique on this server. Some names are reserved.
    #[serde(default, deserialize_with = "present")]
    pub slug: Option<Slug>,
    /// The DNS label in front of the server's base domain. Some names are reserved.
    #[serde(default)]
    #[oai(nullable)]
    pub subdomain: MaybeUndefined<Slug>,
    /// The IANA time zone of the organization: the default for dates and times.
    #[serde(default, deserialize_with = "present")]
    pub time_zone: Option<TimeZone>,
}

impl Example for OrganizationChanges {
    fn example() -> Self {
        Self {
            name: Name::parse("Lovelace & Daughters").ok(),
            slug: None,
            subdomain: MaybeUndefined::Undefined,
            time_zone: TimeZone::parse("Europe/London").ok(),
        }
    }
}

/// A deleted organization.
#[derive(Debug, Object, Serialize)]
pub struct DeletedOrganization {
    pub id: Uuid,
    /// When the organization is purged. Until then an owner can restore it:
    /// `POST /api/v1/organizations/{organization_id}/restore`.
    pub purge_after: DateTime<Utc>,
}

/// The public profile of an organization.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct PublicOrganization {
    pub id: Uuid,
    /// The name shown to customers.
    pub name: String,
    pub slug: String,
    /// The IANA time zone of the organization.
    pub time_zone: String,
    /// The language for communicating with customers, as a BCP 47 tag.
    pub language: String,
    pub date_format: DateFormat,
    pub time_format: TimeFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub favicon_url: Option<String>,
    /// A colour as `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_color: Option<String>,
    /// A colour as `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_sheet_url: Option<String>,
}

row! {
    PublicOrganization {
        id, name, slug = organization_slug, time_zone, language, date_format, time_format, logo_url, favicon_url,
        primary_color, secondary_color, style_sheet_url
    }
}

const GET_PUBLIC: Sql<Option<PublicOrganization>> =
    sql!("tenancy/organizations_get_public.sql" as Option<PublicOrganization>);

const GET: Sql<Organization> = sql!("tenancy/organizations_get.sql" as Organization);

const SINGLE: Single<Organization> = Single::new(sql!("tenancy/organizations_lock_row.sql"), GET);

pub struct OrganizationsApi {
    pub db: Db,
    pub door: FrontDoor,
}

#[OpenApi(prefix_path = "/api/v1")]
impl OrganizationsApi {
    /// Create an organization
    ///
    /// The signed-in account becomes its owner. The current token stays valid for its own organization; call
    /// `POST /api/v1/auth/switch` for a token for the new one. 409 `slug_taken` or `subdomain_taken` if another
    /// organization has it, or gave it up less than 90 days ago. 409 `exclusive_membership` if an organization the
    /// account works for sets `exclusive_members`. 422 on `plan_type` if the plan does not exist, on `features` if the
    /// plan does not include a feature.
    #[oai(path = "/organizations", method = "post", operation_id = "create_organization")]
    async fn create(
        &self,
        caller: SignedIn,
        body: Json<NewOrganization>,
    ) -> Result<Created<Organization>, ApiError<Writing>> {
        let created = self.db.attempt(&caller, |tx, _| create(tx, &body.0)).await?;
        let location = format!("/api/v1/organizations/{}", created.id);
        Ok(Created { location, replayed: false, body: created })
    }

    /// Get the organization
    ///
    /// The organization the token is for.
    #[oai(path = "/organizations/me", method = "get", operation_id = "get_organization")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Organization>, ApiError<Reading>> {
        Ok(Json(self.db.one(&caller, GET, &[]).await?))
    }

    /// Change the organization
    ///
    /// Changes the organization the token is for. A former slug or subdomain leads to the organization for another 90
    /// days. 409 `slug_taken` or `subdomain_taken` if another organization has it, or gave it up less than 90 days ago.
    #[oai(path = "/organizations/me", method = "patch", operation_id = "update_organization")]
    async fn update(
        &self,
        caller: Member<Admin>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<OrganizationChanges>,
    ) -> Result<Json<Organization>, ApiError<Writing>> {
        let changes = body.0;
        let changed = taken(
            if_match
                .change(
                    &self.db,
                    &caller,
                    (&SINGLE, &[]),
                    sql!("tenancy/organizations_update.sql" as Organization),
                    &[
                        &changes.name.as_deref(),
                        &changes.slug.as_deref(),
                        &changes.time_zone.map(TimeZone::name),
                        &!changes.subdomain.is_undefined(),
                        &changes.subdomain.value().map(|subdomain| &**subdomain),
                    ],
                )
                .await,
        )?;
        Ok(Json(changed.ok_or_else(Problem::not_found)?))
    }

    /// Delete the organization
    ///
    /// Deletes the organization the token is for. All access to it ends immediately. An owner can restore it within 30
    /// days; after that, all its data are deleted permanently.
    #[oai(path = "/organizations/me", method = "delete", operation_id = "delete_organization")]
    async fn delete(
        &self,
        caller: Member<Owner>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<DeletedOrganization>, ApiError<Reading>> {
        let seconds = GRACE.num_seconds() as f64;
        let sql = sql!("tenancy/organizations_delete.sql" as (DateTime<Utc>,));
        let deleted = if_match.change(&self.db, &caller, (&SINGLE, &[]), sql, &[&seconds]).await?;
        let (purge_after,) = deleted.ok_or_else(Problem::not_found)?;
        Ok(Json(DeletedOrganization { id: caller.tenant(), purge_after }))
    }

    /// Restore a deleted organization
    ///
    /// The signed-in account must be an owner of the organization. Its token may be for any organization or none; sign
    /// in again to get one. 404 if no deleted organization of the account has this id.
    #[oai(
        path = "/organizations/:organization_id/restore",
        method = "post",
        operation_id = "restore_organization"
    )]
    async fn restore(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let sql = sql!("tenancy/organizations_restore.sql" as (bool,));
        match self.door.one(&caller, sql, &[&organization_id.0]).await? {
            (true,) => Ok(NoContent),
            (false,) => Err(Problem::not_found())?,
        }
    }

    /// Get the public profile of an organization
    ///
    /// The organization that the request's host leads to, by subdomain or custom domain. On the server's own host, the
    /// organization with this `slug`. The answer contains the current slug, also if a former one was sent. 404
    /// `organization_not_found` if no active organization has the slug or host.
    #[oai(path = "/public/organization", method = "get", operation_id = "get_public_organization")]
    async fn public(
        &self,
        client: Client,
        /// The slug of the organization. Required on the server's own host.
        slug: Query<Option<Slug>>,
    ) -> Result<Json<PublicOrganization>, ApiError<OpenReading>> {
        let host = match &client.host {
            Host::Ours => None,
            Host::Tenant(name) => Some(name.as_str()),
        };
        let slug = slug.0.as_deref();
        if host.is_none() && slug.is_none() {
            let detail = "Add ?slug=… with the slug of the organization, or call its own host.";
            let problem = Problem::bad_request("invalid_parameter", format!("slug: {detail}"));
            Err(problem.with_errors(vec![FieldError::new("slug", "required", detail)]))?;
        }
        let organization = face(&self.db, host, slug).await?;
        Ok(Json(organization.ok_or_else(|| unknown(host, slug))?))
    }
}

/// Maps the constraints on slugs and subdomains: taken by another organization, or reserved.
fn taken<T>(result: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
    result
        .on_constraint("organizations_slug_key", || {
            Problem::conflict("slug_taken", "Another organization has this slug. Choose another.")
        })
        .on_constraint("organizations_subdomain_key", || {
            Problem::conflict("subdomain_taken", "Another organization has this subdomain. Choose another.")
        })
        .on_constraint("organizations_subdomain_reserved", || {
            Problem::invalid_field("subdomain", "reserved", "This name is reserved. Choose another.")
        })
        .on_constraint("organizations_slug_reserved", || {
            Problem::invalid_field("slug", "reserved", "This name is reserved. Choose another.")
        })
}

/// The public profile of the active organization that the host leads to, or else of the one with the slug.
pub async fn face(
    db: &Db,
    host: Option<&str>,
    slug: Option<&str>,
) -> Result<Option<PublicOrganization>, db::Error> {
    if host.is_none() && slug.is_none() {
        return Ok(None);
    }
    db.gate(GET_PUBLIC, &[&host, &slug]).await
}

/// The slug of the organization that is entered.
pub async fn slug(db: &Db, context: Context) -> Result<String, db::Error> {
    Ok(db.one(context, sql!("tenancy/organizations_get_slug.sql" as (String,)), &[]).await?.0)
}

/// The active organization that the host leads to, or else the one with the slug.
pub async fn public(db: &Db, host: Option<&str>, slug: Option<&str>) -> Result<Option<Uuid>, db::Error> {
    Ok(face(db, host, slug).await?.map(|organization| organization.id))
}

/// 404: no active organization has this host, or else this slug. Both are public.
pub fn unknown(host: Option<&str>, slug: Option<&str>) -> Problem {
    let short = |name: &str| name.chars().take(LONGEST_NAME).collect::<String>();
    let which = match (host.map(short), slug.map(short)) {
        (Some(host), Some(slug)) => format!("with the slug `{slug}` at the host of `{host}`"),
        (Some(host), None) => format!("with the host `{host}`"),
        (None, slug) => format!("with the slug `{}`", slug.unwrap_or_default()),
    };
    let detail = format!("No active organization was found {which}.");
    Problem::new(StatusCode::NOT_FOUND, "organization_not_found", detail)
}

named_enum! {
    /// What became of an attempt to create an organization.
    CreationOutcome {
        Created = "created",
        /// An organization of the account lets its members belong to no other.
        BoundElsewhere = "bound_elsewhere",
    }
}

/// Creates an organization, of which the signed-in account becomes the owner.
async fn create(mut tx: Tx, new: &NewOrganization) -> Result<Organization, Failure> {
    let plan_type = new.plan_type.as_deref().unwrap_or("basic").to_owned();
    let included = subscriptions::features_of_plan(&mut tx, &plan_type).await?;
    let disabled = new.features.clone().unwrap_or_default().disabled(&included, "features.")?;
    let id = Uuid::now_v7();
    let time_zone = new.time_zone.map_or("UTC", TimeZone::name);
    let created = tx
        .one(
            sql!("tenancy/organizations_create.sql" as (CreationOutcome, DateTime<Utc>)),
            &[&id, &&*new.name, &&*new.slug, &new.subdomain.as_deref(), &time_zone, &plan_type, &disabled],
        )
        .await;
    let (outcome, created_at) = taken(created)?;
    match outcome {
        CreationOutcome::Created => {}
        CreationOutcome::BoundElsewhere => Err(Problem::conflict(
            "exclusive_membership",
            "An organization the account works for sets `exclusive_members`: its members may belong to no other.",
        ))?,
    }
    tx.commit().await?;
    let features = Features::of(included.into_iter().filter(|feature| !disabled.contains(feature)).collect());
    Ok(Organization {
        id,
        name: new.name.to_string(),
        slug: new.slug.to_string(),
        subdomain: new.subdomain.as_ref().map(|subdomain| subdomain.to_string()),
        time_zone: time_zone.to_owned(),
        plan_type,
        features,
        created_at,
        updated_at: created_at,
    })
}

/// The time zone of the organization that the transaction has entered.
pub async fn time_zone(tx: &mut Tx) -> Result<TimeZone, db::Error> {
    Ok(tx.one(sql!("tenancy/organizations_get_time_zone.sql" as (TimeZone,)), &[]).await?.0)
}

/// How many organizations are listed at once.
const AT_ONCE: i32 = 1000;

/// The ids of all active organizations, for the worker.
pub async fn active(db: &WorkerDb) -> Result<Vec<Uuid>, db::Error> {
    let mut all = Vec::new();
    loop {
        let sql = sql!("tenancy/organizations_active.sql" as (Uuid,));
        let some = db.gate_all(sql, &[&all.last().copied(), &AT_ONCE]).await?;
        let more = some.len() == AT_ONCE as usize;
        all.extend(some.into_iter().map(|(id,)| id));
        if !more {
            return Ok(all);
        }
    }
}
