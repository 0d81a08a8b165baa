use std::sync::OnceLock;

use appointd::{
    db::Context,
    identity::{accounts, passwords},
};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Actor, system};

/// The password of everybody a [`Tenant`] has.
pub const PASSWORD: &str = "three small brass kettles";

/// An organization with a person for each role.
pub struct Tenant {
    pub id: Uuid,
    pub owner: Actor,
    pub admin: Actor,
    pub manager: Actor,
    pub staff: Actor,
    pub viewer: Actor,
    /// A customer with an account.
    pub customer: Actor,
}

impl Tenant {
    pub async fn new() -> Self {
        let name = format!("t{}", Uuid::new_v4().simple());
        let registration = serde_json::from_value(json!({
            "email": format!("owner@{name}.example"),
            "password": PASSWORD,
            "organization_name": name,
            "organization_slug": name,
        }))
        .expect("a registration");
        let (owner, id) =
            accounts::register(&system().db(1), &registration, hash()).await.expect("a new organization");
        let superuser = system().superuser().await;
        let email = format!("owner@{name}.example");
        let owner = Actor::new(Some(id), owner, session(&superuser, owner, Some(id)).await, email);
        // As large as there is, so that no test but those about it meets a limit.
        superuser
            .execute("update tenancy.subscriptions set plan_type = 'enterprise' where tenant_id = $1", &[&id])
            .await
            .expect("a plan");
        Self {
            id,
            owner,
            admin: member(&superuser, id, &name, "admin").await,
            manager: member(&superuser, id, &name, "manager").await,
            staff: member(&superuser, id, &name, "staff").await,
            viewer: member(&superuser, id, &name, "viewer").await,
            customer: member(&superuser, id, &name, "customer").await,
        }
    }

    /// With a plan as registering gives it, or another.
    pub async fn on_plan(plan: &str) -> Self {
        let tenant = Self::new().await;
        system()
            .superuser()
            .await
            .execute(
                "update tenancy.subscriptions set plan_type = $2 where tenant_id = $1",
                &[&tenant.id, &plan],
            )
            .await
            .expect("a plan");
        tenant
    }

    /// Everybody with their role, lowest first.
    pub fn members(&self) -> [(&'static str, &Actor); 5] {
        [
            ("viewer", &self.viewer),
            ("staff", &self.staff),
            ("manager", &self.manager),
            ("admin", &self.admin),
            ("owner", &self.owner),
        ]
    }

    /// What the database is entered with by the owner.
    pub fn context(&self) -> Context {
        Context { tenant: self.id, who: self.owner.who(), needs: "viewer", feature: None }
    }

    /// A service of 30 minutes, offered every 15, that one contact may have several of at once.
    pub async fn service(&self) -> String {
        self.service_with(json!({
            "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15, "contact_may_overlap": true,
        }))
        .await
    }

    pub async fn service_with(&self, body: Value) -> String {
        self.manager.post("/api/v1/services", body).await.created()
    }

    /// A provider who works from nine to five, every day but one, in UTC.
    pub async fn provider(&self) -> String {
        let rules: Vec<_> = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
            .map(|weekday| json!({ "weekday": weekday, "from": "09:00", "to": "17:00" }))
            .into();
        let closed = json!([{ "date": "2030-12-25", "intervals": [] }]);
        self.provider_with(json!({ "time_zone": "UTC", "rules": rules, "overrides": closed })).await
    }

    pub async fn provider_with(&self, schedule: Value) -> String {
        let provider = self.admin.post("/api/v1/providers", json!({ "name": "Ada" })).await.created();
        self.manager.put(&format!("/api/v1/providers/{provider}/schedule"), schedule).await.expect(200);
        provider
    }

    pub async fn contact(&self) -> String {
        self.staff
            .post("/api/v1/contacts", json!({ "first_name": "Grace", "last_name": "Hopper" }))
            .await
            .created()
    }

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
        let invitation = self
            .admin
            .post(
                "/api/v1/invitations",
                json!({ "email": format!("i{}@example.com", Uuid::new_v4().simple()), "role": "staff" }),
            )
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
        Furnished {
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
        }
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
}

/// One more member of an organization.
pub async fn person(tenant: Uuid, role: &str) -> Actor {
    let superuser = system().superuser().await;
    member(&superuser, tenant, &Uuid::new_v4().simple().to_string(), role).await
}

async fn member(superuser: &Client, tenant: Uuid, name: &str, role: &str) -> Actor {
    let account = Uuid::now_v7();
    let email = format!("{role}@{name}.example");
    superuser
        .execute(
            "with account as (
                 insert into identity.accounts (id, email, full_name, password_hash) values ($1, $2, $3, $4)
             )
             insert into tenancy.members (tenant_id, account_id, role) values ($5, $1, $6)",
            &[&account, &email, &role, &hash(), &tenant, &role],
        )
        .await
        .expect("a new member");
    Actor::new(Some(tenant), account, session(superuser, account, Some(tenant)).await, email)
}

/// A session of somebody.
async fn session(superuser: &Client, account: Uuid, organization: Option<Uuid>) -> Uuid {
    let session = Uuid::now_v7();
    superuser
        .execute(
            "insert into identity.sessions (account_id, id, organization_id, kind, expires_at)
             values ($1, $2, $3, 'token', now() + interval '1 day')",
            &[&account, &session, &organization],
        )
        .await
        .expect("a session");
    session
}

/// Enters a tenant in SQL, in a transaction that is left open.
pub async fn enter(client: &Client, tenant: Uuid, actor: &Actor) {
    client.batch_execute("begin").await.expect("a transaction");
    client
        .execute(
            "select app.enter($1, $2, $3, 'viewer', null, null, 'a request')",
            &[&tenant, &actor.account, &actor.session],
        )
        .await
        .expect("a member may enter");
}

fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash(PASSWORD).expect("a hash"))
}
