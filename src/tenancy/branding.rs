//! The branding of an organization: display name, address, logo, colours and style sheet.

use poem_openapi::{
    Object, OpenApi,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::{Context, Db, Sql, row},
    http::{
        caller::{Admin, Feature as _, Member, Viewer},
        if_match::{IfMatch, Single},
        json::Json,
        name::Name,
        problem::{ApiError, Problem, Reading, Writing},
        values::{Color, HttpsUrl},
    },
    sql,
    tenancy::features::CustomBranding,
};

/// The branding of an organization. A field is absent if the organization has not set it; pages then use their default.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Branding {
    /// The name shown to customers. If absent: the organization's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
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
    /// The postal address shown to customers, in lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

row! {
    Branding { display_name, logo_url, favicon_url, primary_color, secondary_color, style_sheet_url, address }
}

/// Changes to the branding. Omitted fields are kept; `null` removes a value.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct BrandingChanges {
    /// The name shown to customers, 1 to 200 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub display_name: MaybeUndefined<Name<200>>,
    #[serde(default)]
    #[oai(nullable)]
    pub logo_url: MaybeUndefined<HttpsUrl>,
    /// Setting it requires the feature `custom_branding`.
    #[serde(default)]
    #[oai(nullable)]
    pub favicon_url: MaybeUndefined<HttpsUrl>,
    /// Setting it requires the feature `custom_branding`.
    #[serde(default)]
    #[oai(nullable)]
    pub primary_color: MaybeUndefined<Color>,
    /// Setting it requires the feature `custom_branding`.
    #[serde(default)]
    #[oai(nullable)]
    pub secondary_color: MaybeUndefined<Color>,
    /// Setting it requires the feature `custom_branding`.
    #[serde(default)]
    #[oai(nullable)]
    pub style_sheet_url: MaybeUndefined<HttpsUrl>,
    /// The postal address shown to customers, in lines, 1 to 500 characters, without web or e-mail addresses.
    #[serde(default)]
    #[oai(nullable)]
    pub address: MaybeUndefined<Name<500>>,
}

impl BrandingChanges {
    /// Whether it sets a value that requires the feature `custom_branding`. Removing a value does not.
    fn needs_feature(&self) -> bool {
        self.favicon_url.is_value()
            || self.primary_color.is_value()
            || self.secondary_color.is_value()
            || self.style_sheet_url.is_value()
    }
}

impl Example for BrandingChanges {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "display_name": "Acme: hair & more",
            "logo_url": "https://cdn.example.com/logo.svg",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

const GET: Sql<Branding> = sql!("tenancy/branding_get.sql" as Branding);

const SINGLE: Single<Branding> = Single::new(sql!("tenancy/branding_lock_row.sql"), GET);

pub struct BrandingApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/organizations/me")]
impl BrandingApi {
    /// Get the branding
    #[oai(path = "/branding", method = "get", operation_id = "get_branding")]
    async fn get(&self, caller: Member<Viewer>) -> Result<Json<Branding>, ApiError<Reading>> {
        Ok(Json(self.0.one(&caller, GET, &[]).await?))
    }

    /// Change the branding
    ///
    /// Every plan allows `display_name`, `logo_url` and `address`. 403 `feature_not_in_plan` if another field is set
    /// and the plan does not include `custom_branding`. 403 `email_not_verified` if a URL is set before the e-mail
    /// address of the caller's account is verified.
    #[oai(path = "/branding", method = "patch", operation_id = "update_branding")]
    async fn update(
        &self,
        caller: Member<Admin>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<BrandingChanges>,
    ) -> Result<Json<Branding>, ApiError<Writing>> {
        let changes = body.0;
        let feature = changes.needs_feature().then_some(CustomBranding::NAME).flatten();
        let context = Context { feature, ..Context::from(&caller) };
        let changed = if_match
            .change(
                &self.0,
                context,
                (&SINGLE, &[]),
                sql!("tenancy/branding_update.sql" as Branding),
                &[
                    &!changes.display_name.is_undefined(),
                    &changes.display_name.value().map(|value| &**value),
                    &!changes.logo_url.is_undefined(),
                    &changes.logo_url.value().map(|value| &**value),
                    &!changes.favicon_url.is_undefined(),
                    &changes.favicon_url.value().map(|value| &**value),
                    &!changes.primary_color.is_undefined(),
                    &changes.primary_color.value().map(|value| &**value),
                    &!changes.secondary_color.is_undefined(),
                    &changes.secondary_color.value().map(|value| &**value),
                    &!changes.style_sheet_url.is_undefined(),
                    &changes.style_sheet_url.value().map(|value| &**value),
                    &!changes.address.is_undefined(),
                    &changes.address.value().map(|value| &**value),
                ],
            )
            .await?;
        Ok(Json(changed.ok_or_else(Problem::not_found)?))
    }
}
