use std::sync::OnceLock;

use appointd::{
    db::Context,
    identity::{accounts, passwords},
};
use serde_json::{Value, json};
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
        Self {
            id,
            owner: Actor::new(id, owner, format!("owner@{name}.example")),
            admin: member(id, &name, "admin").await,
            manager: member(id, &name, "manager").await,
            staff: member(id, &name, "staff").await,
            viewer: member(id, &name, "viewer").await,
        }
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
        Context { tenant: self.id, account: self.owner.account, needs: "viewer" }
    }

    /// A service of 30 minutes, offered every 15.
    pub async fn service(&self) -> String {
        self.service_with(json!({ "name": "Haircut", "duration_minutes": 30, "slot_step_minutes": 15 })).await
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
        Furnished { service, provider, contact, appointment }
    }
}

/// Ids of what a tenant has.
pub struct Furnished {
    pub service: String,
    pub provider: String,
    pub contact: String,
    pub appointment: String,
}

async fn member(tenant: Uuid, name: &str, role: &str) -> Actor {
    let account = Uuid::now_v7();
    let email = format!("{role}@{name}.example");
    system()
        .superuser()
        .await
        .execute(
            include_str!("../../../sql/demo/members_add.sql"),
            &[&account, &email, &role, &hash(), &tenant, &role],
        )
        .await
        .expect("a new member");
    Actor::new(tenant, account, email)
}

fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash(PASSWORD).expect("a hash"))
}
