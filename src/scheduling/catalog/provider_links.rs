//! Links between a provider and a person's account, from the view of that person: requested by an organization,
//! accepted or declined by the person, and ended by the person at any time.

use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    db::{self, Db, Tx, row},
    http::{
        caller::SignedIn,
        json::{Json, NoContent},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem},
        values::named_enum,
    },
    sql,
};

named_enum! {
    /// The status of a provider link.
    ProviderLinkStatus {
        /// The organization has requested the link and the person has not answered. The link has no effect.
        Requested = "requested",
        /// The person has accepted. Two organizations cannot book them at the same time.
        Accepted = "accepted",
    }
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

row! {
    ProviderLink { organization_id, organization_name, provider_id, provider_name, status }
}

pub struct ProviderLinksApi(pub Db);

#[OpenApi(prefix_path = "/api/v1/auth/me")]
impl ProviderLinksApi {
    /// List my provider links
    ///
    /// The account's links and requests for links, in all organizations, in the order in which the providers were
    /// created. The `ids` are those of the providers.
    #[oai(path = "/provider-links", method = "get", operation_id = "list_provider_links")]
    async fn list(
        &self,
        caller: SignedIn,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<ProviderLink>>, ApiError<Listing>> {
        let sql = sql!("scheduling/provider_links_list.sql" as ProviderLink);
        let links = self.0.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0]).await?;
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
            let sql = sql!("scheduling/provider_links_accept.sql" as (bool,));
            let accepted = tx.one(sql, &[&organization, &provider]).await;
            let (accepted,) = accepted
                // A claim that was there when the statement began and is gone when its key is checked: looking again
                // does not find it.
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
            if !accepted {
                Err(Problem::not_found())?;
            }
            let sql = sql!("scheduling/provider_links_get.sql" as ProviderLink);
            let link = tx.optional(sql, &[&organization, &provider]).await?;
            tx.commit().await?;
            Ok(link.ok_or_else(Problem::not_found)?)
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
        let sql = sql!("scheduling/provider_links_end.sql" as (bool,));
        let (ended,) = self.0.one(&caller, sql, &[&organization_id.0, &provider_id.0]).await?;
        if ended { Ok(NoContent) } else { Err(Problem::not_found())? }
    }
}
