//! Providers: the people who can be booked.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json as AsJson;
use uuid::Uuid;

use crate::{
    db::{Context, Db, Sql, Tx, row},
    http::{
        caller::{Admin, Member, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        name::Name,
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Failure, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Metadata, Number, Text, TimeZone},
    },
    messaging::{
        letters::{LinkRequested, Place},
        mail::Mailer,
    },
    operations::idempotency::Once,
    scheduling::{
        booking::{expiry, transaction::Locks},
        features::Appointments,
    },
    sql,
    tenancy::members,
};

/// A person who can be booked.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Provider {
    pub id: Uuid,
    pub name: String,
    /// Whether the provider can be booked.
    pub active: bool,
    /// Maximum number of appointments per day, in the organization's time zone. A group session counts once. Absent if
    /// unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_day: Option<i32>,
    /// Maximum number of appointments per week, Monday to Sunday. A group session counts once. Absent if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_week: Option<i32>,
    /// The linked account of the person, who has accepted the link. Two organizations cannot book the same person at
    /// the same time. Absent if no account is linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// The account of a requested link that the person has not accepted yet. Absent if no link is requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_account_id: Option<Uuid>,
    /// The id in another system; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What other programs note about the provider; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Provider {
        id, name, active, max_per_day, max_per_week, account_id, external_id, metadata as json, created_at, updated_at,
        requested_account_id
    }
}

/// A new provider.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewProvider {
    pub name: Name<200>,
    /// Maximum number of appointments per day, in the organization's time zone. A group session counts once. Defaults
    /// to unlimited.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_day: Option<Number<1, 10_000>>,
    /// Maximum number of appointments per week, Monday to Sunday. A group session counts once. Defaults to unlimited.
    #[serde(default)]
    #[oai(nullable)]
    pub max_per_week: Option<Number<1, 10_000>>,
    /// The account of the person, who must be an active member. Requests a link: the account is `requested_account_id`
    /// until the person accepts.
    #[serde(default)]
    #[oai(nullable)]
    pub account_id: Option<Uuid>,
    /// The id in another system, 1 to 200 characters. Unique among the providers of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: Option<Text<1, 200>>,
    /// What other programs note about the provider: at most 20 pairs. Keys have 1 to 40 of `A-Z a-z 0-9 _ . -`.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: Option<Metadata>,
}

impl Example for NewProvider {
    fn example() -> Self {
        Self {
            name: Name::parse("Katherine Johnson").expect("a name is text"),
            max_per_day: Some(Number(12)),
            max_per_week: None,
            account_id: None,
            external_id: None,
            metadata: None,
        }
    }
}

/// Changes to a provider. Omitted fields are kept; `null` removes what can be absent.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ProviderChanges {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name<200>>,
    /// Whether the provider can be booked. Existing appointments are kept.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Maximum number of appointments per day, in the organization's time zone. A group session counts once.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_day: MaybeUndefined<Number<1, 10_000>>,
    /// Maximum number of appointments per week, Monday to Sunday. A group session counts once.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub max_per_week: MaybeUndefined<Number<1, 10_000>>,
    /// The account of the person, who must be an active member. A new account ends the existing link and requests a new
    /// one: it is `requested_account_id` until the person accepts. `null` ends the link or withdraws the request.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub account_id: MaybeUndefined<Uuid>,
    /// The id in another system, 1 to 200 characters. Unique among the providers of the organization.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub external_id: MaybeUndefined<Text<1, 200>>,
    /// What other programs note about the provider: at most 20 pairs. Replaces all of it.
    #[serde(default, skip_serializing_if = "MaybeUndefined::is_undefined")]
    #[oai(nullable)]
    pub metadata: MaybeUndefined<Metadata>,
}

impl Example for ProviderChanges {
    fn example() -> Self {
        Self {
            name: None,
            active: Some(true),
            max_per_day: MaybeUndefined::Value(Number(10)),
            max_per_week: MaybeUndefined::Null,
            account_id: MaybeUndefined::Undefined,
            external_id: MaybeUndefined::Undefined,
            metadata: MaybeUndefined::Undefined,
        }
    }
}

/// Checks that an account may be linked: only active members, not customers.
async fn check_person(tx: &mut Tx, account: Uuid) -> Result<(), Failure> {
    if members::works_here(tx, account).await? {
        return Ok(());
    }
    Err(Problem::invalid_field(
        "account_id",
        "not_found",
        "expected the account of an active member of the organization",
    )
    .into())
}

/// Requests a link between a provider and an account.
async fn request_link(tx: &mut Tx, provider: Uuid, account: Uuid) -> Result<(), Failure> {
    let taken = || {
        Problem::conflict("account_taken", "This account is linked to another provider of the organization.")
    };
    tx.optional(sql!("scheduling/provider_link_requests_create.sql"), &[&provider, &account])
        .await
        .on_constraint("provider_link_requests_account_fkey", || {
            Problem::invalid_field(
                "account_id",
                "not_found",
                "expected the account of a member of the organization",
            )
        })
        .on_constraint("provider_link_requests_account_key", taken)
        .on_constraint("provider_link_requests_provider_fkey", Problem::not_found)?
        .ok_or_else(taken)?;
    Ok(())
}

const GET: Sql<Provider> = sql!("scheduling/providers_get.sql" as Provider);

const SINGLE: Single<Provider> = Single::new(sql!("scheduling/providers_lock_row.sql"), GET);

pub struct ProvidersApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl ProvidersApi {
    /// List providers
    ///
    /// All providers, including inactive ones, in the order in which they were created.
    #[oai(path = "/providers", method = "get", operation_id = "list_providers")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        /// Only the item with this `external_id`.
        external_id: Query<Option<Text<1, 200>>>,
        /// Only active items, or only inactive ones.
        active: Query<Option<bool>>,
        page: Paging,
    ) -> Result<Json<PageAsOf<Provider>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let providers = self
            .db
            .all(
                &caller,
                sql!("scheduling/providers_list.sql" as Provider),
                &[
                    &page.after_id(),
                    &page.rows(),
                    &updated_since.0.map(|instant| instant.0),
                    &ids.0,
                    &active.0,
                    &external_id.0.as_deref(),
                ],
            )
            .await?;
        Ok(Json(page.of(providers, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a provider
    ///
    /// The provider can be booked once they have a schedule: see `PUT /api/v1/providers/{provider_id}/schedule`. They
    /// perform every service that does not list other providers. `account_id` requests a link to that account; the
    /// person gets an e-mail and finds the request at `GET /api/v1/auth/me/provider-links`. 409 `account_taken` if
    /// another provider is linked to the account, `external_id_taken` if another provider has the `external_id`. 403
    /// `plan_limit` if the plan allows no more active providers.
    #[oai(path = "/providers", method = "post", operation_id = "create_provider")]
    async fn create(
        &self,
        caller: Member<Admin, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewProvider>,
    ) -> Result<Created<Provider>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_provider", idempotency_key.0, &body.0)?;
        let provider = create(&self.db, context, &body.0, &once).await?;
        if body.0.account_id.is_some() && !once.is_replay() {
            self.tell(context, provider.id).await;
        }
        Ok(once.created(format!("/api/v1/providers/{}", provider.id), provider))
    }

    /// Get a provider
    #[oai(path = "/providers/:provider_id", method = "get", operation_id = "get_provider")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        provider_id: Path<Uuid>,
    ) -> Result<Json<Provider>, ApiError<Reading>> {
        let provider = self.db.optional(&caller, GET, &[&provider_id.0]).await?;
        Ok(Json(provider.ok_or_else(Problem::not_found)?))
    }

    /// Change a provider
    ///
    /// `account_id` requests a link to that account; the person gets an e-mail and finds the request at
    /// `GET /api/v1/auth/me/provider-links`. 409 `account_taken` if another provider is linked to the account,
    /// `external_id_taken` if another one has the `external_id`. 403 `plan_limit` if the plan allows no more active
    /// providers.
    #[oai(path = "/providers/:provider_id", method = "patch", operation_id = "update_provider")]
    async fn update(
        &self,
        caller: Member<Admin>,
        provider_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ProviderChanges>,
    ) -> Result<Json<Provider>, ApiError<Writing>> {
        let (id, changes) = (provider_id.0, &body.0);
        let changing = self.db.attempt(&caller, |tx, _| change(tx, id, changes, &if_match));
        let (provider, asked) = changing.await?;
        if asked {
            self.tell((&caller).into(), id).await;
        }
        Ok(Json(provider))
    }

    /// Delete a provider
    ///
    /// Also deletes the provider's schedule. 409 `provider_in_use` if the provider was ever booked: set `active` to
    /// `false` instead.
    #[oai(path = "/providers/:provider_id", method = "delete", operation_id = "delete_provider")]
    async fn delete(
        &self,
        caller: Member<Admin>,
        provider_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let in_use = || {
            Problem::conflict(
                "provider_in_use",
                "The provider has appointments or holds. Set `active` to false instead.",
            )
        };
        // Expired holds must not block the deletion.
        expiry::expire(&self.db, &self.mailer, (&caller).into()).await?;
        let id = provider_id.0;
        self.db
            .attempt(&caller, async |mut tx: Tx, _| -> Result<Option<()>, Failure> {
                Locks { resources: vec![id], ..Locks::default() }.take(&mut tx).await?;
                if_match.check(&mut tx, &SINGLE, &[&id]).await?;
                Ok(tx.commit_with(sql!("scheduling/providers_delete.sql"), &[&id]).await?)
            })
            .await
            .on_constraint("appointments_provider_fkey", in_use)
            .on_constraint("appointment_segments_provider_fkey", in_use)
            .on_constraint("claims_resource_fkey", in_use)?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// The content of the e-mail to a person who is asked to be a provider.
struct LinkNotice {
    email: Option<String>,
    provider_name: String,
    organization_name: String,
    time_zone: TimeZone,
}

row! {
    LinkNotice { email, provider_name, organization_name, time_zone }
}

impl ProvidersApi {
    /// Sends an e-mail to the person who was asked to be a provider. The request stands without it, too.
    async fn tell(&self, context: Context, provider: Uuid) {
        let sql = sql!("scheduling/provider_link_requests_notice.sql" as LinkNotice);
        match self.db.optional(context, sql, &[&provider]).await {
            Ok(Some(LinkNotice { email: Some(email), provider_name, organization_name, time_zone })) => {
                let place = Place { id: context.tenant, organization: organization_name, time_zone };
                let letter = LinkRequested {
                    place: &place,
                    inviter: context.actor(),
                    provider: &provider_name,
                    page: &self.mailer.page("provider-links"),
                };
                self.mailer.send(letter.to(&email));
            }
            // Answered or withdrawn meanwhile.
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "a person was not told that they are asked to be a provider")
            }
        }
    }
}

/// Changes a provider. Returns whether a person was asked to be the provider.
async fn change(
    mut tx: Tx,
    id: Uuid,
    changes: &ProviderChanges,
    if_match: &IfMatch,
) -> Result<(Provider, bool), Failure> {
    let mut asked = false;
    let columns = serde_json::to_value(changes).map_err(|_| Problem::internal())?;
    if let Some(account) = changes.account_id.value() {
        check_person(&mut tx, *account).await?;
    }
    if !changes.account_id.is_undefined() {
        // Locked first, because ending a link changes what bookings of the provider claim.
        tx.optional(sql!("scheduling/providers_lock.sql"), &[&id]).await?.ok_or_else(Problem::not_found)?;
    }
    if_match.check(&mut tx, &SINGLE, &[&id]).await?;
    if !changes.account_id.is_undefined() {
        let before = tx.optional(GET, &[&id]).await?.ok_or_else(Problem::not_found)?;
        let wanted = changes.account_id.value().copied();
        let other = wanted.filter(|wanted| before.account_id != Some(*wanted));
        // A person who was asked already is not asked again.
        if other.is_none() || before.requested_account_id != other {
            tx.all(sql!("scheduling/provider_link_requests_delete.sql"), &[&id]).await?;
            if let Some(wanted) = other {
                request_link(&mut tx, id, wanted).await?;
                asked = true;
            }
        }
        // Only the person can accept a link; an existing link to the same account is kept.
        if before.account_id.is_some() && before.account_id != wanted {
            tx.one(sql!("scheduling/provider_links_cut.sql"), &[&id]).await?;
        }
    }
    let provider = tx
        .commit_with(sql!("scheduling/providers_update.sql" as Provider), &[&id, &columns])
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((provider, asked))
}

/// Creates a provider.
pub async fn create(db: &Db, context: Context, new: &NewProvider, once: &Once) -> Result<Provider, Failure> {
    let limit = |limit: Option<Number<1, 10_000>>| limit.map(|limit| limit.0);
    db.attempt(context, async |tx: Tx, _| {
        once.run(tx, async |tx| {
            if let Some(account) = new.account_id {
                check_person(tx, account).await?;
            }
            let id = Uuid::now_v7();
            let mut provider = tx
                .one(
                    sql!("scheduling/providers_create.sql" as Provider),
                    &[
                        &id,
                        &&*new.name,
                        &limit(new.max_per_day),
                        &limit(new.max_per_week),
                        &new.external_id.as_deref(),
                        &new.metadata.as_ref().map(AsJson),
                    ],
                )
                .await?;
            if let Some(account) = new.account_id {
                request_link(tx, id, account).await?;
                provider.requested_account_id = new.account_id;
            }
            Ok(provider)
        })
        .await
    })
    .await
}
