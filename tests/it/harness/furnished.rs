//! An organization that has something of everything.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Operation, Tenant, address, description::all, person, system};
use crate::db::statements::{files_below, root};

impl Tenant {
    /// Something of everything, and the ids of it.
    pub async fn furnished(&self) -> Furnished {
        let (service, provider, contact) =
            (self.service().await, self.provider().await, self.contact().await);
        let appointment = self
            .staff
            .post(
                "/api/v1/appointments",
                json!({ "service_id": service, "contact_id": contact, "starts_at": "2031-05-05T09:00:00Z" }),
            )
            .await
            .created();
        self.link_contact(&contact, self.customer.account).await;
        let invitation = self
            .admin
            .post("/api/v1/invitations", json!({ "email": address(), "role": "staff" }))
            .await
            .created();
        let api_key = self
            .owner
            .post("/api/v1/api-keys", json!({ "name": "Key", "role": "viewer", "scopes": ["crm:read"] }))
            .await
            .created();
        let domain = self
            .owner
            .post("/api/v1/domains", json!({ "domain": format!("d{}.example.com", Uuid::new_v4().simple()) }))
            .await
            .created();
        let resource =
            self.admin.post("/api/v1/resources", json!({ "kind": "room", "name": "Room" })).await.created();
        let closure = self
            .manager
            .post(
                "/api/v1/closures",
                json!({ "starts_on": "2030-12-24", "ends_on": "2030-12-24", "name": "Closed" }),
            )
            .await
            .created();
        let time_off = self
            .staff
            .post(
                &format!("/api/v1/providers/{provider}/time-off"),
                json!({ "starts_at": "2030-12-01T00:00:00Z", "ends_at": "2030-12-02T00:00:00Z" }),
            )
            .await
            .created();
        let hold = self
            .staff
            .post(
                "/api/v1/holds",
                json!({ "service_id": service, "starts_at": "2031-05-05T12:00:00Z", "minutes": 60 }),
            )
            .await
            .created();
        let waitlist_entry = self
            .staff
            .post(
                "/api/v1/waitlist",
                json!({
                    "service_id": service,
                    "contact_id": contact,
                    "from": "2032-05-05T00:00:00Z",
                    "to": "2032-05-06T00:00:00Z",
                    "override_rules": true,
                }),
            )
            .await
            .created();
        let series = self
            .staff
            .post(
                "/api/v1/appointment-series",
                json!({
                    "service_id": service,
                    "contact_id": contact,
                    "starts_at": "2032-06-05T12:00:00Z",
                    "frequency": "weekly",
                    "count": 2,
                }),
            )
            .await
            .created();
        let calendar_feed =
            self.staff.post("/api/v1/calendar-feeds", json!({ "name": "Feed" })).await.created();
        let session = self.owner.session.to_string();
        let member = person(self.id, "staff").await.account.to_string();
        let organization = self.id.to_string();
        let mut furnished = Furnished {
            service,
            provider,
            contact,
            appointment,
            invitation,
            api_key,
            domain,
            session,
            member,
            organization,
            resource,
            closure,
            time_off,
            hold,
            waitlist_entry,
            series,
            calendar_feed,
            others: BTreeMap::new(),
        };
        for Operation { path, .. } in all() {
            let Some((collection, name)) = path.strip_suffix('}').and_then(|path| path.rsplit_once("/{"))
            else {
                continue;
            };
            let create = all().iter().find(|other| other.method == "POST" && other.path == collection);
            if let (None, Some(create)) = (furnished.id(name), create) {
                let mut body = create.example().expect("a body");
                // One text of a message for each language.
                if let Some(language) = body.get_mut("language") {
                    let random = Uuid::new_v4().into_bytes();
                    let letters = random.iter().take(3).map(|byte| char::from(b'a' + byte % 26));
                    *language = json!(letters.collect::<String>());
                }
                let id = self.owner.post(collection, body).await.created();
                furnished.others.insert(name.to_owned(), id);
            }
        }
        // Made below what they belong to; by staff, who delete only comments of their own.
        let task = furnished.others.get("task_id").expect("a task").clone();
        for (list, parameter, body) in [
            ("checklist", "checklist_item_id", json!({ "text": "Step" })),
            ("comments", "comment_id", json!({ "text": "Comment" })),
        ] {
            let id = self.staff.post(&format!("/api/v1/tasks/{task}/{list}"), body).await.created();
            furnished.others.insert(parameter.to_owned(), id);
        }
        let dead = "insert into messaging.jobs (tenant_id, kind, state) values ($1, 'test.furnished', 'dead') returning id";
        let job = system().superuser().await.query_one(dead, &[&self.id]).await.expect("a job");
        furnished.others.insert("job_id".to_owned(), job.get::<_, Uuid>(0).to_string());
        let sent = "insert into messaging.webhook_deliveries (tenant_id, endpoint_id, event_id, type, state, next_at)
                    select $1, id, gen_random_uuid(), 'webhook.test', 'failed', null
                    from messaging.webhook_endpoints where tenant_id = $1 limit 1 returning id, event_id";
        let delivery = system().superuser().await.query_one(sent, &[&self.id]).await.expect("a delivery");
        for (column, name) in ["delivery_id", "event_id"].into_iter().enumerate() {
            furnished.others.insert(name.to_owned(), delivery.get::<_, Uuid>(column).to_string());
        }
        // So that the events do not change between two requests.
        system().publish(self.id).await;
        let message = "insert into messaging.messages (
                tenant_id, event_id, event, subject_id, sequence, recipient, recipient_id, channel, occurred_at
            )
            values ($1, gen_random_uuid(), 'appointment.created', $1, 0, 'contact', $1, 'email', now()) returning id";
        let message = system().superuser().await.query_one(message, &[&self.id]).await.expect("a message");
        furnished.others.insert("message_id".to_owned(), message.get::<_, Uuid>(0).to_string());
        furnished
    }
}

impl Tenant {
    /// Something of everything, with rows that no request makes, or not at once: a row in every table, and for every
    /// person in the tables about people.
    pub async fn complete(&self) -> Furnished {
        let furnished = self.furnished().await;
        let Furnished { service, provider, contact, appointment, resource, waitlist_entry, .. } = &furnished;
        let (id, staff, customer) = (self.id, self.staff.account, self.customer.account);
        system()
            .superuser()
            .await
            .batch_execute(&format!(
                "insert into tenancy.usage_days (tenant_id, day, requests) values ('{id}', '2026-01-01', 1);
                 insert into tenancy.alerts (tenant_id) values ('{id}');
                 insert into tenancy.verified_domains (domain, organization_id) values ('{id}.example', '{id}');
                 insert into tenancy.former_names (kind, name, organization_id) values ('slug', '{id}', '{id}');
                 insert into messaging.mail_budgets (bucket, subject, spent) values ('recipient_day', sha256('{id}'), 1);
                 insert into operations.idempotency_keys (tenant_id, actor_id, operation, key, request_hash)
                 select '{id}', account_id, 'x', '{id}', sha256('x') from tenancy.members where tenant_id = '{id}';
                 insert into scheduling.guest_requests (tenant_id, kind, subject) values ('{id}', 'address', sha256('x'));
                 insert into scheduling.schedule_travels (tenant_id, provider_id, starts_on, ends_on, time_zone)
                 values ('{id}', '{provider}', '2031-01-01', '2031-01-02', 'UTC');
                 insert into scheduling.service_providers (tenant_id, service_id, provider_id)
                 values ('{id}', '{service}', '{provider}');
                 insert into scheduling.service_resources (tenant_id, service_id, requirement, resource_id)
                 values ('{id}', '{service}', 1, '{resource}');
                 insert into scheduling.appointment_segments (tenant_id, appointment_id, position, service_id, provider_id, starts_at, ends_at)
                 values ('{id}', '{appointment}', 1, '{service}', '{provider}', '2031-01-01', '2031-01-02');
                 insert into scheduling.appointment_transitions (tenant_id, appointment_id, id, action, from_status, to_status)
                 values ('{id}', '{appointment}', '{appointment}', 'confirm', 'pending', 'confirmed');
                 update scheduling.services set bookable_online = true where tenant_id = '{id}' and id = '{service}';
                 update scheduling.providers set account_id = '{staff}' where tenant_id = '{id}' and id = '{provider}';
                 insert into crm.contacts (tenant_id, id, first_name, last_name) values ('{id}', '{id}', 'Not', 'Yet');
                 insert into tenancy.invitations (tenant_id, id, email, role, contact_id, token_hash, expires_at, created_by)
                 values ('{id}', '{id}', '{id}@customer.example', 'customer', '{id}', sha256('{id}'), 'infinity', '{staff}');
                 update crm.contacts set account_id = '{customer}' where tenant_id = '{id}' and id = '{contact}';
                 insert into scheduling.resources (tenant_id, id, kind) values ('{id}', '{contact}', 'contact') on conflict do nothing;
                 insert into identity.sign_in_failures (bucket, subject, failures) values ('account_and_address', sha256('{id}'), 1);
                 insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
                 values ('{id}', '{id}', '{service}', '{provider}', '2031-01-01', '2031-01-02', '2020-01-01');
                 insert into scheduling.freed_time (tenant_id, starts_at, ends_at, after_created_at, after_entry_id, freed_at)
                 values ('{id}', '2031-01-01', '2031-01-02', '2030-01-01', '{id}', 'infinity');
                 insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id)
                 values ('{id}', gen_random_uuid(), '{service}', '{provider}', '2031-01-01', '2031-01-02', 'infinity', '{waitlist_entry}');
                 insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at, created_by)
                 values ('{id}', '{appointment}', '{service}', '{provider}', '2031-01-01', '2031-01-02', '2032-01-01', '{customer}');
                 insert into scheduling.guest_bookings (tenant_id, hold_id, first_name, last_name, email)
                 values ('{id}', '{appointment}', 'Guest', 'One', 'guest@x.example');
                 insert into scheduling.waitlist_entries (tenant_id, id, service_id, contact_id, from_instant, to_instant, status)
                 values ('{id}', '{appointment}', '{service}', '{contact}', '2031-01-01', '2031-01-02', 'withdrawn');
                 insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id)
                 values ('{id}', gen_random_uuid(), '{service}', '{provider}', '2031-01-01', '2031-01-02', 'infinity', '{appointment}');
                 insert into scheduling.claims (tenant_id, id, hold_id, resource_id, starts_at, ends_at)
                 select h.tenant_id, gen_random_uuid(), h.id, '{resource}', t.day, t.day + interval '1 hour'
                 from (
                     select tenant_id, id, row_number() over (order by id) as position from scheduling.holds
                     where tenant_id = '{id}' and '{appointment}' in (id, waitlist_entry_id)
                 ) as h
                 cross join lateral (select timestamptz '2031-02-01' + h.position * interval '1 day' as day) as t;
                 update scheduling.waitlist_entries set provider_id = '{provider}' where tenant_id = '{id}' and id = '{waitlist_entry}';
                 insert into scheduling.provider_link_requests (tenant_id, provider_id, account_id) values ('{id}', '{provider}', '{customer}');
                 insert into scheduling.shared_claims (tenant_id, claim_id, provider_id, account_id, starts_at, ends_at)
                 select tenant_id, id, '{provider}', '{staff}', starts_at, ends_at from scheduling.claims
                 where tenant_id = '{id}' and appointment_id = '{appointment}' limit 1;
                 insert into identity.one_time_tokens (account_id, hash, purpose, email, expires_at)
                 select account_id, sha256(account_id::text::bytea), 'verify_email', account_id || '@x.example', 'infinity' from tenancy.members where tenant_id = '{id}';
                 insert into identity.second_factors (account_id, secret)
                 select account_id, '01234567890123456789' from tenancy.members where tenant_id = '{id}';
                 insert into identity.recovery_codes (account_id, hash)
                 select account_id, sha256(account_id::text::bytea) from tenancy.members where tenant_id = '{id}';
                 insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
                 select s.account_id, s.id, sha256(s.id::text::bytea), 'infinity' from identity.sessions as s where s.organization_id = '{id}'"
            ))
            .await
            .expect("rows");
        add_rows(&system().superuser().await, id).await;
        furnished
    }
}

/// Ids of what a tenant has.
pub struct Furnished {
    pub service: String,
    pub provider: String,
    pub contact: String,
    pub appointment: String,
    pub invitation: String,
    pub api_key: String,
    pub domain: String,
    /// Of the owner.
    pub session: String,
    /// The account of one more member.
    pub member: String,
    pub organization: String,
    pub resource: String,
    pub closure: String,
    pub time_off: String,
    pub hold: String,
    pub waitlist_entry: String,
    pub series: String,
    pub calendar_feed: String,
    /// What an example makes, by the name of the parameter that takes its id.
    others: BTreeMap<String, String>,
}

/// The rows of `tests/it/<module>/rows.sql`, where `{tenant}` stands for the organization.
pub async fn add_rows(superuser: &Client, tenant: Uuid) {
    for file in files_below(&root().join("tests/it"), "sql").iter().filter(|file| file.ends_with("rows.sql"))
    {
        let rows = fs::read_to_string(file).expect("a file").replace("{tenant}", &tenant.to_string());
        superuser.batch_execute(&rows).await.unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
    }
}

impl Furnished {
    /// The id for a parameter of a path.
    pub fn id(&self, name: &str) -> Option<&str> {
        Some(match name {
            "service_id" => &self.service,
            "provider_id" => &self.provider,
            "contact_id" => &self.contact,
            "appointment_id" => &self.appointment,
            "invitation_id" => &self.invitation,
            "api_key_id" => &self.api_key,
            "domain_id" => &self.domain,
            "session_id" => &self.session,
            "account_id" => &self.member,
            "organization_id" => &self.organization,
            "resource_id" => &self.resource,
            "closure_id" => &self.closure,
            "time_off_id" => &self.time_off,
            "hold_id" => &self.hold,
            "waitlist_entry_id" => &self.waitlist_entry,
            "series_id" => &self.series,
            "calendar_feed_id" => &self.calendar_feed,
            other => self.others.get(other)?,
        })
    }
}
