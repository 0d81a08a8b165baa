//! Domains of an organization's own: proved by a DNS record, then a host that leads to it.

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
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db},
    http::{
        Tag,
        caller::{Admin, CustomBranding, Member, Owner},
        client::{Client, Host, Network, canonical, is_address},
        json::{Created, Json, NoContent},
        page::{Cursor, Page, Paging},
        problem::{ApiError, Deleting, Listing, OnConstraint as _, OpenReading, Problem, Reading, Writing},
        secret,
        values::{DomainName, IdempotencyKey, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// How many verified domains are looked at each time.
const AT_ONCE: i32 = 20;
/// How long the domain name system may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// A domain of the organization's own.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Domain {
    pub id: Uuid,
    /// In its ASCII form (IDNA).
    pub domain: String,
    /// When its record was first seen; absent if it was not yet, or if the domain lapsed or went to another organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when the record of a verified domain has not been found. A week later the domain lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<DateTime<Utc>>,
    /// The record that proves it. Keep it: it is looked for once a day.
    pub record: DnsRecord,
    pub created_at: DateTime<Utc>,
}

/// A record to put into the domain name system.
#[derive(Debug, Object, Serialize)]
pub struct DnsRecord {
    /// Always `TXT`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    pub name: String,
    pub value: String,
}

impl From<Row> for Domain {
    fn from(row: Row) -> Self {
        let domain: String = row.get(1);
        Self {
            id: row.get(0),
            record: DnsRecord { kind: "TXT".to_owned(), name: challenge_name(&domain), value: row.get(2) },
            domain,
            verified_at: row.get(3),
            created_at: row.get(4),
            missing_since: row.get(5),
        }
    }
}

fn challenge_name(domain: &str) -> String {
    format!("_appointd-challenge.{domain}")
}

/// A domain to add.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewDomain {
    /// Without port and path. International ones may be written as they are read.
    pub domain: DomainName,
}

impl Example for NewDomain {
    fn example() -> Self {
        Self { domain: DomainName::parse("appointments.example.com").expect("a domain") }
    }
}

/// Asks the domain name system.
#[derive(Clone)]
pub struct Dns(Option<TokioResolver>);

impl Dns {
    /// The servers of the system, or this one.
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
            None => Resolver::builder_tokio().ok(),
        };
        Self(built.and_then(|mut builder| {
            // A record that was not there a minute ago may be there now.
            builder.options_mut().cache_size = 0;
            builder.build().ok()
        }))
    }

    /// Asks nobody, for programs that serve nobody.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// The texts of the TXT records of a name.
    async fn texts(&self, name: &str) -> Result<Vec<String>, Problem> {
        let unanswered =
            || Problem::unavailable("dns_unavailable", "The domain name system does not answer; try again.");
        let resolver = self.0.as_ref().ok_or_else(unanswered)?;
        // With a dot at the end: not below any domain of ours.
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

/// Looks whether the records of verified domains still stand: those that were not looked at since yesterday. Several
/// servers share the work.
pub async fn check_due(db: &Db, dns: &Dns) -> Result<(), db::Error> {
    for row in db.gate_all(sql!("tenancy/domains_due.sql"), &[&AT_ONCE]).await? {
        let (domain, organization, challenge): (String, Uuid, String) = (row.get(0), row.get(1), row.get(2));
        // Where nobody answers nothing is known.
        let Ok(texts) = dns.texts(&challenge_name(&domain)).await else {
            continue;
        };
        let seen = texts.contains(&challenge);
        let noted = db.gate(sql!("tenancy/domains_note.sql"), &[&domain, &organization, &seen]).await?;
        if noted.get(0) {
            tracing::warn!(domain, tenant_id = %organization, "a domain lapsed: its record was missing for a week");
        }
    }
    Ok(())
}

pub struct DomainsApi {
    pub db: Db,
    pub dns: Dns,
    pub network: std::sync::Arc<Network>,
}

#[OpenApi(tag = "Tag::Tenancy")]
impl DomainsApi {
    /// List the domains
    ///
    /// In the order in which they were added.
    #[oai(path = "/api/v1/domains", method = "get", operation_id = "list_domains")]
    async fn list(
        &self,
        caller: Member<Admin>,
        page: Paging,
    ) -> Result<Json<Page<Domain>>, ApiError<Listing>> {
        let rows =
            self.db.all(&caller, sql!("tenancy/domains_list.sql"), &[&page.after_id(), &page.rows()]).await?;
        let domains = rows.into_iter().map(Domain::from).collect();
        Ok(Json(page.of(domains, |last| Cursor::id(last.id))))
    }

    /// Add a domain
    ///
    /// The answer says which TXT record proves it; put that there and `POST …/verify`. 409 `domain_exists` where the
    /// organization has added it before.
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
                "a domain of your own; one below ours is the subdomain of the organization",
            ))?;
        }
        let challenge = format!("appointd-verification={}", URL_SAFE_NO_PAD.encode(&secret::random()[..24]));
        let domain: Domain = Once::create(
            once.as_ref(),
            &self.db,
            context,
            sql!("tenancy/domains_create.sql"),
            &[&Uuid::now_v7(), &&*domain, &challenge],
        )
        .await
        .on_constraint("domains_domain_key", || {
            Problem::conflict("domain_exists", "The organization has added this domain before.")
        })?;
        let location = format!("/api/v1/domains/{}", domain.id);
        Ok(Created { location, body: domain, replayed: Once::is_replay(once.as_ref()) })
    }

    /// Get a domain
    #[oai(path = "/api/v1/domains/:domain_id", method = "get", operation_id = "get_domain")]
    async fn get(
        &self,
        caller: Member<Admin>,
        domain_id: Path<Uuid>,
    ) -> Result<Json<Domain>, ApiError<Reading>> {
        let row = self.db.optional(&caller, sql!("tenancy/domains_get.sql"), &[&domain_id.0]).await?;
        Ok(Json(row.ok_or_else(Problem::not_found)?.into()))
    }

    /// Verify a domain
    ///
    /// Looks for the record. From then on the domain leads to the organization, as long as the record stays: it is looked for
    /// once a day, and a week after it was last found the domain lapses. 409 `domain_not_verified` if the record is not there
    /// (yet: it may take a while until everybody sees it); `domain_taken` if the domain leads to another organization whose
    /// record is there as well. Without that record, or if that organization was deleted or its plan includes no domains,
    /// the domain is taken from it. 503 `dns_unavailable`.
    #[oai(path = "/api/v1/domains/:domain_id/verify", method = "post", operation_id = "verify_domain")]
    async fn verify(
        &self,
        caller: Member<Owner, CustomBranding>,
        domain_id: Path<Uuid>,
    ) -> Result<Json<Domain>, ApiError<Deleting>> {
        let row = self.db.optional(&caller, sql!("tenancy/domains_get.sql"), &[&domain_id.0]).await?;
        let domain = Domain::from(row.ok_or_else(Problem::not_found)?);
        let texts = self.dns.texts(&domain.record.name).await?;
        let claimed =
            self.db.one(&caller, sql!("tenancy/domains_claim.sql"), &[&domain_id.0, &texts]).await?;
        match claimed.get(0) {
            "verified" => {}
            "taken" => Err(Problem::conflict("domain_taken", "The domain leads to another organization."))?,
            "unknown" => Err(Problem::not_found())?,
            _ => {
                let DnsRecord { name, value, .. } = &domain.record;
                Err(Problem::conflict(
                    "domain_not_verified",
                    format!("There is no TXT record {name} with the value {value} (yet: it may take hours)."),
                ))?;
            }
        }
        let row = self.db.optional(&caller, sql!("tenancy/domains_get.sql"), &[&domain_id.0]).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        Ok(Json(row.into()))
    }

    /// Remove a domain
    ///
    /// It leads nowhere from the next request on.
    #[oai(path = "/api/v1/domains/:domain_id", method = "delete", operation_id = "delete_domain")]
    async fn delete(
        &self,
        caller: Member<Owner>,
        domain_id: Path<Uuid>,
    ) -> Result<NoContent, ApiError<Deleting>> {
        self.db
            .optional(&caller, sql!("tenancy/domains_delete.sql"), &[&domain_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }

    /// May a certificate be made for this host?
    ///
    /// For a proxy that gets certificates on demand: 204 if the host leads to an active organization or is ours, 404 if not, and
    /// for IP addresses and `localhost`.
    /// Answers requests from this machine and from trusted proxies alone; for everybody else there is no such resource.
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
                let row = self.db.gate(sql!("tenancy/organizations_at.sql"), &[&name]).await?;
                row.get::<_, Option<Uuid>>(0).ok_or_else(Problem::not_found)?;
                Ok(NoContent)
            }
        }
    }
}
