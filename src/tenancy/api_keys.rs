//! API keys, the credentials of programs.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Admin, Member, Owner},
        described::Scope,
        if_match::{IfMatch, Single},
        json::{Created, Json},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Listing, Problem, Reading, Writing},
        secret::{self, Secret},
        values::{IdempotencyKey, Instant, List, Text, named_enum},
    },
    operations::idempotency::Once,
    sql,
    tenancy::{features::ApiAccess, invitations::may_hand_out},
};

named_enum! {
    /// The role of an API key. A key never has the role owner.
    KeyRole {
        Admin = "admin",
        Manager = "manager",
        Staff = "staff",
        Viewer = "viewer",
    }
}

/// A key, without its secret.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct ApiKey {
    pub id: Uuid,
    /// The purpose of the key, 1 to 100 characters.
    pub name: String,
    /// The current role of the key: never higher than the role of the member who created it. Demoting that member
    /// lowers it.
    pub role: KeyRole,
    pub scopes: Vec<Scope>,
    /// When the key expires; absent if it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When the key was last used, to the minute; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// The account that created the key.
    pub created_by: Uuid,
}

row! {
    ApiKey { id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by }
}

/// A new API key with its secret.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct NewApiKeySecret {
    pub id: Uuid,
    /// The secret key. Send it as `Authorization: Bearer …`. Returned only once; absent from a replayed answer
    /// (`Idempotency-Replayed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key as `GET /api/v1/api-keys/{api_key_id}` returns it.
    pub api_key: ApiKey,
}

/// A new API key.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewApiKey {
    /// The purpose of the key, 1 to 100 characters.
    pub name: Text<1, 100>,
    pub role: KeyRole,
    /// The scopes of the key, 1 to 20.
    pub scopes: List<Scope, 1, 20>,
    /// When the key expires, an instant in the future. Defaults to never.
    #[serde(default)]
    #[oai(nullable)]
    pub expires_at: Option<Instant>,
}

impl Example for NewApiKey {
    fn example() -> Self {
        Self {
            name: Text::parse("Website").expect("a name"),
            role: KeyRole::Staff,
            // Read from the description, of which this is a part, none would be valid.
            scopes: ["scheduling:write", "crm:read"].map(Scope::known).into_iter().collect(),
            expires_at: Instant::parse("2031-12-31T00:00:00Z").ok(),
        }
    }
}

const GET: Sql<ApiKey> = sql!("tenancy/api_keys_get.sql" as ApiKey);

const SINGLE: Single<ApiKey> = Single::new(sql!("tenancy/api_keys_lock_row.sql"), GET);

pub struct ApiKeysApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl ApiKeysApi {
    /// List the API keys
    ///
    /// All keys, including revoked and expired ones, oldest first. Secrets are never returned.
    #[oai(path = "/api-keys", method = "get", operation_id = "list_api_keys")]
    async fn list(
        &self,
        caller: Member<Admin>,
        /// Only keys that were created or revoked, or whose role was lowered, at or after this instant: the `as_of` of
        /// the first page of the previous list. Changes around that time are listed twice.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<ApiKey>>, ApiError<Listing>> {
        let as_of = self.0.as_of().await?;
        let since = updated_since.0.map(|instant| instant.0);
        let sql = sql!("tenancy/api_keys_list.sql" as ApiKey);
        let keys = self.0.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0, &since]).await?;
        Ok(Json(page.of(keys, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create an API key
    ///
    /// The answer contains the secret key; it is returned only once. The key may do what its role allows, within its
    /// scopes, and never more than the member who created it: it is lowered when that member is demoted, stops working
    /// while they are suspended, and is revoked when they leave or are removed. Its requests count towards the
    /// organization's rate limit. 403 `email_not_verified` until the e-mail address of the caller's account is
    /// verified. 403 `plan_limit` if the plan allows no more keys.
    #[oai(path = "/api-keys", method = "post", operation_id = "create_api_key")]
    async fn create(
        &self,
        caller: Member<Owner, ApiAccess>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewApiKey>,
    ) -> Result<Created<NewApiKeySecret>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let new = body.0;
        let once = Once::new(&context, "create_api_key", idempotency_key.0, &new)?;
        if new.expires_at.is_some_and(|at| at.0 <= Utc::now()) {
            Err(Problem::invalid_field("expires_at", "in_the_past", "expected an instant in the future"))?;
        }
        let mut scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.name()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let key = Secret::<secret::ApiKey>::draw(caller.tenant(), Uuid::now_v7());
        let api_key: ApiKey = self
            .0
            .attempt(context, async |tx: Tx, _| {
                once.run(tx, async |tx| {
                    may_hand_out(tx).await?;
                    let api_key = tx
                        .one(
                            sql!("tenancy/api_keys_create.sql" as ApiKey),
                            &[
                                &key.second,
                                &&*new.name,
                                &&key.hash()[..],
                                &new.role.name(),
                                &scopes,
                                &new.expires_at.map(|at| at.0),
                            ],
                        )
                        .await?;
                    Ok(api_key)
                })
                .await
            })
            .await?;
        let id = api_key.id;
        // Only the hash of the secret is stored.
        let key = (!once.is_replay()).then(|| key.reveal());
        Ok(once.created(format!("/api/v1/api-keys/{id}"), NewApiKeySecret { id, key, api_key }))
    }

    /// Get an API key
    #[oai(path = "/api-keys/:api_key_id", method = "get", operation_id = "get_api_key")]
    async fn get(
        &self,
        caller: Member<Admin>,
        api_key_id: Path<Uuid>,
    ) -> Result<Json<ApiKey>, ApiError<Reading>> {
        let key = self.0.optional(&caller, GET, &[&api_key_id.0]).await?;
        Ok(Json(key.ok_or_else(Problem::not_found)?))
    }

    /// Revoke an API key
    ///
    /// The key stops working immediately. Revoking a revoked key changes nothing.
    #[oai(path = "/api-keys/:api_key_id/revoke", method = "post", operation_id = "revoke_api_key")]
    async fn revoke(
        &self,
        caller: Member<Owner>,
        api_key_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<ApiKey>, ApiError<Deleting>> {
        let id: Params = &[&api_key_id.0];
        let sql = sql!("tenancy/api_keys_revoke.sql" as ApiKey);
        let key = if_match.change(&self.0, &caller, (&SINGLE, id), sql, id).await?;
        Ok(Json(key.ok_or_else(Problem::not_found)?))
    }
}
