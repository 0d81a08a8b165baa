//! Links between a provider and the account of a person, as that person has them: asked for by an organization, accepted or
//! declined, and ended by the person at any time.

use poem_openapi::{Enum, Object, OpenApi, param::Path};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx},
    http::{
        Tag,
        caller::SignedIn,
        json::{Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem},
    },
    sql,
};

/// How far a link has come.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum ProviderLinkStatus {
    /// The organization asked; the person has not answered. Nothing follows from it.
    Requested,
    /// The person accepted: no two organizations book them at once.
    Accepted,
}

/// That a provider of an organization is, or is asked to be, the person of an account.
#[derive(Debug, Object, Serialize)]
pub struct ProviderLink {
    pub organization_id: Uuid,
    pub organization_name: String,
    pub provider_id: Uuid,
    pub provider_name: String,
    pub status: ProviderLinkStatus,
}

impl From<Row> for ProviderLink {
    fn from(row: Row) -> Self {
        Self {
            organization_id: row.get(0),
            organization_name: row.get(1),
            provider_id: row.get(2),
            provider_name: row.get(3),
            status: match row.get(4) {
                "accepted" => ProviderLinkStatus::Accepted,
                _ => ProviderLinkStatus::Requested,
            },
        }
    }
}

pub struct ProviderLinksApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/auth/me", tag = "Tag::Scheduling")]
impl ProviderLinksApi {
    /// List my provider links
    ///
    /// The providers, of all organizations, that I am or was asked to be, in the order of the creation of the providers.
    #[oai(path = "/provider-links", method = "get", operation_id = "list_provider_links")]
    async fn list(
        &self,
        caller: SignedIn,
        page: Paging,
    ) -> Result<Json<Page<ProviderLink>>, ApiError<Listing>> {
        let sql = sql!("scheduling/provider_links_list.sql");
        let rows = self.0.all(&caller, sql, &[&page.after_id(), &page.rows()]).await?;
        let links = rows.into_iter().map(ProviderLink::from).collect();
        Ok(Json(page.of(links, |last| Cursor::id(last.provider_id))))
    }

    /// Accept a link to a provider
    ///
    /// From then on no two organizations book the person at once: appointments of this provider take the person's time in all
    /// of them, in blocks of 15 minutes, and each organization can find out which blocks others have taken. 404 where the
    /// organization has not asked, or the person no longer works there; 409 `person_busy` where another organization has a block
    /// that an appointment of this provider needs, `account_taken` where the person is another provider of the organization.
    #[oai(
        path = "/provider-links/:organization_id/:provider_id/accept",
        method = "post",
        operation_id = "accept_provider_link"
    )]
    async fn accept(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
        provider_id: Path<Uuid>,
    ) -> Result<Json<ProviderLink>, ApiError<Deleting>> {
        let (organization, provider) = (organization_id.0, provider_id.0);
        let link = self.0.attempt(&caller, async |mut tx: Tx, _| -> Result<ProviderLink, Failure> {
            let accepted =
                tx.one(sql!("scheduling/provider_links_accept.sql"), &[&organization, &provider]).await;
            let row = lost(accepted)
                .on_constraint("shared_claims_no_overlap", || {
                    Problem::conflict(
                        "person_busy",
                        "Another organization has booked you within the same 15 minutes as this provider. Have one \
                         of the appointments moved first.",
                    )
                })
                .on_constraint("providers_account_key", || {
                    Problem::conflict("account_taken", "You are another provider of this organization.")
                })?;
            if !row.get::<_, bool>(0) {
                Err(Problem::not_found())?;
            }
            let sql = sql!("scheduling/provider_links_get.sql");
            let row = tx.optional(sql, &[&organization, &provider]).await?;
            tx.commit().await?;
            Ok(row.ok_or_else(Problem::not_found)?.into())
        });
        Ok(Json(link.await?))
    }

    /// End or decline a link to a provider
    ///
    /// The provider is no longer the person of the account, and appointments of the provider no longer take the person's time in
    /// other organizations. Appointments that stand are kept.
    #[oai(
        path = "/provider-links/:organization_id/:provider_id",
        method = "delete",
        operation_id = "end_provider_link"
    )]
    async fn end(
        &self,
        caller: SignedIn,
        organization_id: Path<Uuid>,
        provider_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let row = self
            .0
            .one(&caller, sql!("scheduling/provider_links_end.sql"), &[&organization_id.0, &provider_id.0])
            .await?;
        if row.get(0) { Ok(NoContent) } else { Err(Problem::not_found())? }
    }
}

/// A claim that was there when the statement began and is gone when its key is checked: looking again does not find it.
fn lost(accepted: Result<Row, db::Error>) -> Result<Row, Failure> {
    match accepted {
        Err(db::Error::Constraint(name)) if name == "shared_claims_claim_fkey" => {
            Err(db::Error::Conflict.into())
        }
        accepted => Ok(accepted?),
    }
}
