//! Custom domains of an organization: verified by a DNS record, then a host that leads to the organization.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::RData,
};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Params, Sql, WorkerDb, row},
    http::{
        caller::{Admin, Member, Owner},
        client::{Client, Host, Network, canonical, is_address},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Listing, OnConstraint as _, OpenReading, Problem, Reading, Writing},
        secret,
        values::{DomainName, IdempotencyKey, Instant, Text, named_enum},
    },
    operations::idempotency::Once,
    sql,
    tenancy::features::CustomBranding,
};

/// How many verified domains are checked in one round.
const AT_ONCE: i32 = 20;
/// The timeout of a DNS query.
const PATIENCE: Duration = Duration::from_secs(4);

/// A custom domain of the organization.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Domain {
    pub id: Uuid,
    /// The domain name in its ASCII form (IDNA).
    pub domain: String,
    /// When the domain was verified. Absent if it is not verified: its record was not found yet, it lapsed, or another
    /// organization has verified it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when the record of a verified domain is missing; a week later the domain lapses. Absent if the record was
    /// found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<DateTime<Utc>>,
    /// The DNS record that verifies the domain. Keep it: it is checked once a day.
    pub record: DnsRecord,
    pub created_at: DateTime<Utc>,
}

/// A DNS record to create.
#[derive(Debug, Object, Serialize)]
pub struct DnsRecord {
    /// Always `TXT`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    pub name: String,
    pub value: String,
}

struct DomainRow {
    id: Uuid,
    domain: String,
    challenge: String,
    verified_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    missing_since: Option<DateTime<Utc>>,
}

row! {
    DomainRow { id, domain, challenge, verified_at, created_at, missing_since }
}

impl From<DomainRow> for Domain {
    fn from(row: DomainRow) -> Self {
        let DomainRow { id, domain, challenge, verified_at, created_at, missing_since } = row;
        let name = challenge_name(&domain);
        let record = DnsRecord { kind: "TXT".to_owned(), name, value: challenge };
        Self { id, domain, verified_at, missing_since, record, created_at }
    }
}

/// A domain to check, and its organization.
struct DueDomain {
    domain: String,
    organization_id: Uuid,
    challenge: String,
}

row! {
    DueDomain { domain, organization_id, challenge }
}

named_enum! {
    /// What became of an attempt to verify a domain.
    VerificationOutcome {
        Verified = "verified",
        /// The domain leads to another organization.
        Taken = "taken",
        /// The record was not found.
        NotVerified = "not_verified",
        /// The domain was removed meanwhile.
        Unknown = "unknown",
    }
}

fn challenge_name(domain: &str) -> String {
    format!("_appointd-challenge.{domain}")
}

/// A new domain.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewDomain {
    /// The domain name, without port and path. An internationalized name may be sent in Unicode.
    pub domain: DomainName,
}

impl Example for NewDomain {
    fn example() -> Self {
        Self { domain: DomainName::parse("appointments.example.com").expect("a domain") }
    }
}

/// What was made of the configuration of DNS; logs why nothing was.
fn noted<T, E: std::fmt::Display>(made: Result<T, E>) -> Option<T> {
    made.inspect_err(|error| {
        tracing::error!(%error, "the configuration of DNS cannot be read: no domain can be verified");
    })
    .ok()
}

/// A DNS client.
#[derive(Clone)]
pub struct Dns(Option<TokioResolver>);

impl Dns {
    /// A client of this server, or of the servers that the operating system is configured with.
    pub fn new(server: Option<SocketAddr>) -> Self {
        let built = match server {
            Some(server) => {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for connection in &mut connections {
                    connection.port = server.port();
                }
                let server = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                Some(Resolver::builder_with_config(config, TokioRuntimeProvider::default()))
            }
            None => noted(Resolver::builder_tokio()),
        };
        Self(built.and_then(|mut builder| {
            // Not cached: a record that was missing a minute ago may exist now.
            builder.options_mut().cache_size = 0;
            noted(builder.build())
        }))
    }

    /// A client that sends no queries, for programs that serve no requests.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// The values of the TXT records of a name.
    async fn texts(&self, name: &str) -> Result<Vec<String>, Problem> {
        let unanswered =
            || Problem::unavailable("dns_unavailable", "The DNS server does not answer; try again.");
        let resolver = self.0.as_ref().ok_or_else(unanswered)?;
        // Ends with a dot, so that the resolver appends no search domain.
        let looking = resolver.txt_lookup(format!("{name}."));
        match tokio::time::timeout(PATIENCE, looking).await {
            Err(_) => Err(unanswered()),
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Ok(Err(_)) => Err(unanswered()),
            Ok(Ok(found)) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(
                        text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect::<String>(),
                    ),
                    _ => None,
                })
                .collect()),
        }
    }
}

/// Checks the records of verified domains whose last check is a day old. Several servers share the work.
pub async fn check_due(db: &WorkerDb, dns: &Dns) -> Result<(), db::Error> {
    for due in db.gate_all(sql!("tenancy/domains_due.sql" as DueDomain), &[&AT_ONCE]).await? {
        let DueDomain { domain, organization_id: organization, challenge } = due;
        // Without an answer the record may still exist.
        let Ok(texts) = dns.texts(&challenge_name(&domain)).await else {
            continue;
        };
        let seen = texts.contains(&challenge);
        let sql = sql!("tenancy/domains_note.sql" as (bool,));
        let (lapsed,) = db.gate(sql, &[&domain, &organization, &seen]).await?;
        if lapsed {
            tracing::warn!(domain, tenant_id = %organization, "a domain lapsed: its record was missing for a week");
        }
    }
    Ok(())
}

const GET: Sql<DomainRow> = sql!("tenancy/domains_get.sql" as DomainRow);

/// Only functions of the gate change a domain, and the server adds and removes them.
const SINGLE: Single<DomainRow, Domain> = Single::unlocked(GET);

pub struct DomainsApi {
    pub db: Db,
    pub dns: Dns,
    pub network: std::sync::Arc<Network>,
}

#[OpenApi]
impl DomainsApi {
    /// List the domains
    ///
    /// All domains of the organization, in the order in which they were added.
    #[oai(path = "/api/v1/domains", method = "get", operation_id = "list_domains")]
    async fn list(
        &self,
        caller: Member<Admin>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<Domain>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let since = updated_since.0.map(|instant| instant.0);
        let sql = sql!("tenancy/domains_list.sql" as DomainRow);
        let rows = self.db.all(&caller, sql, &[&page.after_id(), &page.rows(), &ids.0, &since]).await?;
        let domains = rows.into_iter().map(Domain::from).collect();
        Ok(Json(page.of(domains, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Add a domain
    ///
    /// The answer contains the TXT record that verifies the domain. Create the record, then call `POST …/verify`. 403
    /// `email_not_verified` until the e-mail address of the caller's account is verified. 409 `domain_exists` if the
    /// organization has already added this domain. 422 `reserved` on `domain` if it is the server's base domain or
    /// below it.
    #[oai(path = "/api/v1/domains", method = "post", operation_id = "create_domain")]
    async fn create(
        &self,
        caller: Member<Owner, CustomBranding>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewDomain>,
    ) -> Result<Created<Domain>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_domain", idempotency_key.0, &body.0)?;
        let domain = body.0.domain;
        if let Some(base) = &self.network.base_domain
            && (*domain == **base || domain.ends_with(&format!(".{base}")))
        {
            Err(Problem::invalid_field(
                "domain",
                "reserved",
                "expected a domain of your own; for a name below the server's domain, set the subdomain",
            ))?;
        }
        let challenge = format!("appointd-verification={}", URL_SAFE_NO_PAD.encode(&secret::random()[..24]));
        let sql = sql!("tenancy/domains_create.sql" as DomainRow);
        let created = once.create(&self.db, context, sql, &[&Uuid::now_v7(), &&*domain, &challenge]).await;
        let domain: Domain = created.on_constraint("domains_domain_key", || {
            Problem::conflict("domain_exists", "The organization has already added this domain.")
        })?;
        Ok(once.created(format!("/api/v1/domains/{}", domain.id), domain))
    }

    /// Get a domain
    #[oai(path = "/api/v1/domains/:domain_id", method = "get", operation_id = "get_domain")]
    async fn get(
        &self,
        caller: Member<Admin>,
        domain_id: Path<Uuid>,
    ) -> Result<Json<Domain>, ApiError<Reading>> {
        let row = self.db.optional(&caller, GET, &[&domain_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Verify a domain
    ///
    /// Looks up the record. If it is found, the domain leads to the organization. The record is checked once a day; the
    /// domain lapses a week after it was last found. 409 `domain_not_verified` if the record is not found; a new record
    /// can take hours to become visible. 409 `domain_taken` if the domain leads to another organization whose record is
    /// found as well. If that record is missing, or that organization was deleted or its plan does not include domains,
    /// the domain moves to this organization. 503 `dns_unavailable` if the DNS server does not answer.
    #[oai(path = "/api/v1/domains/:domain_id/verify", method = "post", operation_id = "verify_domain")]
    async fn verify(
        &self,
        caller: Member<Owner, CustomBranding>,
        domain_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<Json<Domain>, ApiError<Deleting>> {
        let row = self.db.optional(&caller, GET, &[&domain_id.0]).await?;
        let domain = Domain::from(row.ok_or_else(Problem::not_found)?);
        if_match.matches(&domain)?;
        let texts = self.dns.texts(&domain.record.name).await?;
        let sql = sql!("tenancy/domains_claim.sql" as (VerificationOutcome,));
        match self.db.one(&caller, sql, &[&domain_id.0, &texts]).await?.0 {
            VerificationOutcome::Verified => {}
            VerificationOutcome::Taken => {
                Err(Problem::conflict("domain_taken", "The domain leads to another organization."))?
            }
            VerificationOutcome::Unknown => Err(Problem::not_found())?,
            VerificationOutcome::NotVerified => {
                let DnsRecord { name, value, .. } = &domain.record;
                Err(Problem::conflict(
                    "domain_not_verified",
                    format!(
                        "No TXT record {name} with the value {value} was found (a new one can take hours)."
                    ),
                ))?;
            }
        }
        let row = self.db.optional(&caller, GET, &[&domain_id.0]).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        Ok(Json(row.into()))
    }

    /// Remove a domain
    ///
    /// The domain stops leading to the organization immediately.
    #[oai(path = "/api/v1/domains/:domain_id", method = "delete", operation_id = "delete_domain")]
    async fn delete(
        &self,
        caller: Member<Owner>,
        domain_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&domain_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("tenancy/domains_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// Check whether a certificate may be issued for a host
    ///
    /// For a proxy that obtains certificates on demand. 204 if the host leads to an active organization or is the
    /// server's own. 404 if not, for IP addresses and for `localhost`. Only for requests from this machine and from
    /// trusted proxies; others get 404.
    #[oai(path = "/internal/tls/allow", method = "get", operation_id = "allow_certificate")]
    async fn allow_certificate(
        &self,
        client: Client,
        /// The host name.
        domain: Query<Text<1, 253>>,
    ) -> Result<NoContent, ApiError<OpenReading>> {
        if !client.from_inside {
            Err(Problem::not_found())?;
        }
        if canonical(&domain.0).is_none_or(|name| is_address(&name) || name == "localhost") {
            Err(Problem::not_found())?;
        }
        match self.network.classify(&domain.0) {
            Host::Ours if self.network.base_domain.is_some() => Ok(NoContent),
            Host::Ours => Err(Problem::not_found())?,
            Host::Tenant(name) => {
                let sql = sql!("app/organizations_at.sql" as (Option<Uuid>,));
                self.db.gate(sql, &[&name]).await?.0.ok_or_else(Problem::not_found)?;
                Ok(NoContent)
            }
        }
    }
}
