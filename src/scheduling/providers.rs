//! Providers: who is booked.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db},
    http::{
        Tag,
        caller::{Admin, Appointments, Member, Viewer},
        json::{Created, Json, NoContent, present},
        page::{Cursor, DEFAULT_PAGE_SIZE, Page, PageSize},
        problem::{Changing, Creating, Deleting, Listing, OnConstraint as _, Problem, Reading, Refused},
        text::Text,
    },
    sql,
};

/// A person who gives appointments.
#[derive(Debug, Object, Serialize)]
pub struct Provider {
    pub id: Uuid,
    pub name: String,
    /// Whether the provider can be booked.
    pub active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Provider {
    fn from(row: Row) -> Self {
        Self {
            id: row.get(0),
            name: row.get(1),
            active: row.get(2),
            created_at: row.get(3),
            updated_at: row.get(4),
        }
    }
}

/// A provider to create.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewProvider {
    pub name: Text<1, 200>,
}

impl Example for NewProvider {
    fn example() -> Self {
        Self { name: Text::parse("Katherine Johnson").expect("a name is text") }
    }
}

/// What is to change about a provider. What is left out stays.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ProviderChanges {
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Text<1, 200>>,
    /// Whether the provider can be booked. Appointments that stand are kept.
    #[serde(default, deserialize_with = "present")]
    pub active: Option<bool>,
}

impl Example for ProviderChanges {
    fn example() -> Self {
        Self { name: None, active: Some(false) }
    }
}

pub struct ProvidersApi(pub Db);

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Scheduling")]
impl ProvidersApi {
    /// List providers
    ///
    /// In the order in which they were created.
    #[oai(path = "/providers", method = "get", operation_id = "list_providers")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// How many at most; 50 where not given.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> Result<Json<Page<Provider>>, Refused<Listing>> {
        let size = limit.0.map_or(DEFAULT_PAGE_SIZE, |limit| limit.0);
        let after = cursor.0.map_or(Uuid::nil(), |cursor| cursor.id);
        let rows = self
            .0
            .all(&caller, sql!("scheduling/providers_list.sql"), &[&after, &i64::from(size + 1)])
            .await?;
        let providers = rows.into_iter().map(Provider::from).collect();
        Ok(Json(Page::new(providers, size, |last| Cursor::id(last.id))))
    }

    /// Create a provider
    ///
    /// Who gives every service, as soon as they have a schedule: `PUT /api/v1/providers/{provider_id}/schedule`.
    #[oai(path = "/providers", method = "post", operation_id = "create_provider")]
    async fn create(
        &self,
        caller: Member<Admin, Appointments>,
        body: Json<NewProvider>,
    ) -> Result<Created<Provider>, Refused<Creating>> {
        let provider = create(&self.0, (&caller).into(), &body.0).await?;
        Ok(Created { location: format!("/api/v1/providers/{}", provider.id), body: provider })
    }

    /// Get a provider
    #[oai(path = "/providers/:provider_id", method = "get", operation_id = "get_provider")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        provider_id: Path<Uuid>,
    ) -> Result<Json<Provider>, Refused<Reading>> {
        let row = self.0.optional(&caller, sql!("scheduling/providers_get.sql"), &[&provider_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Change a provider
    #[oai(path = "/providers/:provider_id", method = "patch", operation_id = "update_provider")]
    async fn update(
        &self,
        caller: Member<Admin>,
        provider_id: Path<Uuid>,
        body: Json<ProviderChanges>,
    ) -> Result<Json<Provider>, Refused<Changing>> {
        let changes = body.0;
        let row = self
            .0
            .optional(
                &caller,
                sql!("scheduling/providers_update.sql"),
                &[&provider_id.0, &changes.name.as_deref(), &changes.active],
            )
            .await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Delete a provider
    ///
    /// And the provider's schedule. 409 `provider_in_use` where the provider was ever booked: make them inactive
    /// instead.
    #[oai(path = "/providers/:provider_id", method = "delete", operation_id = "delete_provider")]
    async fn delete(
        &self,
        caller: Member<Admin>,
        provider_id: Path<Uuid>,
    ) -> Result<NoContent, Refused<Deleting>> {
        let in_use = || {
            Problem::conflict("provider_in_use", "The provider has appointments. Make them inactive instead.")
        };
        self.0
            .optional(&caller, sql!("scheduling/providers_delete.sql"), &[&provider_id.0])
            .await
            .on_constraint("appointments_provider_fkey", in_use)
            .on_constraint("claims_resource_fkey", in_use)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// Creates a provider.
pub async fn create(db: &Db, context: Context, new: &NewProvider) -> Result<Provider, db::Error> {
    let row =
        db.one(context, sql!("scheduling/providers_create.sql"), &[&Uuid::now_v7(), &&*new.name]).await?;
    Ok(row.into())
}
