//! Links between a provider and a person's account, from the view of that person: requested by an organization,
//! accepted or declined by the person, and ended by the person at any time.

use poem_openapi::{Enum, Object, OpenApi, param::Path};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx},
    http::{
        caller::SignedIn,
        json::{Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem},
    },
    sql,
};

/// The status of a provider link.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum ProviderLinkStatus {
    /// The organization has requested the link and the person has not answered. The link has no effect.
    Requested,
    /// The person has accepted. Two organizations cannot book them at the same time.
    Accepted,
}

/// A link, or a request for one, between a provider of an organization and the account.
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

#[OpenApi(prefix_path = "/api/v1/auth/me")]
impl ProviderLinksApi {
    /// List my provider links
    ///
    /// The account's links and requests for links, in all organizations, in the order in which the providers were
    /// created.
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
    /// From then on, two organizations cannot book the person at the same time: appointments of this provider also take
    /// the person's time in other organizations, in blocks of 15 minutes. Each organization can find out which blocks
    /// others have taken. 404 if the organization has not requested the link, or the person is no longer a member. 409
    /// `person_busy` if another organization has taken a block that an appointment of this provider needs. 409
    /// `account_taken` if the account is linked to another provider of the organization.
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
            let row = accepted
                // A claim that was there when the statement began and is gone when its key is checked: looking again does
                // not find it.
                .on_constraint("shared_claims_claim_fkey", || db::Error::Conflict)
                .on_constraint("shared_claims_no_overlap", || {
                    Problem::conflict(
                        "person_busy",
                        "Another organization has booked you within the same 15 minutes as this provider. One of the appointments must be moved first.",
                    )
                })
                .on_constraint("providers_account_key", || {
                    Problem::conflict("account_taken", "Your account is linked to another provider of this organization.")
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
    /// Ends the link or declines the request. Appointments of the provider no longer take the person's time in other
    /// organizations. Existing appointments are kept.
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
