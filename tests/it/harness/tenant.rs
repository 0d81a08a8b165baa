use std::sync::OnceLock;

use appointd::{
    db::Context,
    identity::{accounts, passwords},
};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Actor, system};

/// The password of every person of a [`Tenant`].
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
            accounts::register(&system().door(), &registration, hash()).await.expect("a new organization");
        let superuser = system().superuser().await;
        let email = format!("owner@{name}.example");
        let owner = Actor::new(Some(id), owner, session(&superuser, owner, Some(id)).await, email);
        // As large as there is, so that no test but those about it meets a limit.
        superuser
            .execute("update tenancy.subscriptions set plan_type = 'enterprise' where tenant_id = $1", &[&id])
            .await
            .expect("a plan");
        superuser
            .execute(
                "update identity.accounts set email_verified_at = now() where id = $1",
                &[&owner.account],
            )
            .await
            .expect("a verified address");
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
        tenant.subscribe(plan).await;
        tenant
    }

    /// The members with their roles, lowest first.
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

    /// One that can be booked for years ahead, unless the body says otherwise: most tests book in 2031.
    pub async fn service_with(&self, mut body: Value) -> String {
        if body.get("horizon_days").is_none() {
            body["horizon_days"] = json!(3660);
        }
        self.manager.post("/api/v1/services", body).await.created()
    }

    /// A provider who works from nine to five, every day but one, in UTC.
    pub async fn provider(&self) -> String {
        let closed = json!([{ "date": "2030-12-25", "intervals": [] }]);
        self.provider_with(json!({
            "time_zone": "UTC", "rules": week("09:00", "17:00"), "overrides": closed,
        }))
        .await
    }

    pub async fn provider_with(&self, schedule: Value) -> String {
        let provider = self.admin.post("/api/v1/providers", json!({ "name": "Ada" })).await.created();
        self.manager.put(&format!("/api/v1/providers/{provider}/schedule"), schedule).await.expect(200);
        provider
    }

    /// The slug it has now.
    pub async fn slug(&self) -> String {
        let organization = self.viewer.get("/api/v1/organizations/me").await.expect(200);
        organization["slug"].as_str().expect("a slug").to_owned()
    }

    /// Makes a person a member, as accepting an invitation does.
    pub async fn admit(&self, account: Uuid, role: &str) {
        system()
            .superuser()
            .await
            .execute(
                "insert into tenancy.members (tenant_id, account_id, role) values ($1, $2, $3)
                 on conflict do nothing",
                &[&self.id, &account, &role],
            )
            .await
            .expect("a membership");
    }

    /// Gives a contact an account, as accepting an invitation does.
    pub async fn link_contact(&self, contact: &str, account: Uuid) {
        let contact: Uuid = contact.parse().expect("an id");
        let link = "update crm.contacts set account_id = $1 where id = $2";
        system().superuser().await.execute(link, &[&account, &contact]).await.expect("a contact");
    }

    /// Suspends the organization, as only the operator can.
    pub async fn suspend(&self) {
        self.change("update tenancy.organizations set status = 'suspended' where id = $1").await;
    }

    /// Lets all invitations expire, as only waiting could.
    pub async fn expire_invitations(&self) {
        self.change("update tenancy.invitations set expires_at = now() where tenant_id = $1").await;
    }

    /// As if all invitations had been mailed two minutes ago: by then they can be sent again.
    pub async fn age_invitations(&self) {
        let sql =
            "update tenancy.invitations set sent_at = now() - interval '2 minutes' where tenant_id = $1";
        self.change(sql).await;
    }

    /// Gives the organization a plan, past every check.
    pub async fn subscribe(&self, plan: &str) {
        let sql = "update tenancy.subscriptions set plan_type = $2 where tenant_id = $1";
        system().superuser().await.execute(sql, &[&self.id, &plan]).await.expect("a plan");
    }

    /// Changes rows of the organization behind the server's back.
    async fn change(&self, sql: &str) {
        system().superuser().await.execute(sql, &[&self.id]).await.expect("a change");
    }

    pub async fn contact(&self) -> String {
        self.staff
            .post("/api/v1/contacts", json!({ "first_name": "Grace", "last_name": "Hopper" }))
            .await
            .created()
    }
}

/// The same hours on each day of the week.
pub fn week(from: &str, to: &str) -> Value {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    days.iter().map(|day| json!({ "weekday": day, "from": from, "to": to })).collect()
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
                 insert into identity.accounts (id, email, full_name, password_hash, email_verified_at)
                 values ($1, $2, $3, $4, now())
             )
             insert into tenancy.members (tenant_id, account_id, role) values ($5, $1, $6)",
            &[&account, &email, &role, &hash(), &tenant, &role],
        )
        .await
        .expect("a new member");
    Actor::new(Some(tenant), account, session(superuser, account, Some(tenant)).await, email)
}

/// A session of an account, whose secret is its id: see [`secret_of`](super::secret_of).
async fn session(superuser: &Client, account: Uuid, organization: Option<Uuid>) -> Uuid {
    let session = Uuid::now_v7();
    superuser
        .execute(
            "insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
             values ($1, $2, $3, 'token', sha256(uuid_send($2)), now() + interval '1 day')",
            &[&account, &session, &organization],
        )
        .await
        .expect("a session");
    session
}

/// What proves in SQL that a guest has the link of an object, and that the scheduler may enter.
pub async fn proofs(tenant: Uuid, object: Uuid) -> [String; 2] {
    let row = system()
        .superuser()
        .await
        .query_one("select app.guest_proof($1, $2)::text, app.scheduler_proof($1)::text", &[&tenant, &object])
        .await
        .expect("proofs");
    [0, 1].map(|at| format!("'{}'", row.get::<_, String>(at)))
}

/// Enters a tenant in SQL, in a transaction that is left open.
pub async fn enter(client: &Client, tenant: Uuid, actor: &Actor) {
    client.batch_execute("begin").await.expect("a transaction");
    client
        .execute(
            "select app.enter($1, $2, $3, uuid_send($3), 'viewer', null, null, 'a request')",
            &[&tenant, &actor.account, &actor.session],
        )
        .await
        .expect("a member may enter");
}

fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash(PASSWORD).expect("a hash"))
}
