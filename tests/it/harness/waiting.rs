//! The waitlist, as staff use it.

use serde_json::{Value, json};

use super::{Answer, address, booking::BookingFixture, eventually, merged, system};

pub const WAITLIST: &str = "/api/v1/waitlist";

impl BookingFixture {
    /// Puts a new contact on the waitlist, for the fifth of May 2031 if `wish` says nothing else.
    pub async fn join_waitlist(&self, wish: &Value) -> String {
        let body = json!({
            "service_id": self.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": { "first_name": "Wait", "last_name": "Ing", "email": address() },
            "override_rules": true,
        });
        self.tenant.staff.post(WAITLIST, merged(body, wish)).await.created()
    }

    pub async fn waitlist_entry(&self, id: &str) -> Value {
        self.tenant.viewer.get(&format!("{WAITLIST}/{id}")).await.expect(200)
    }

    /// Staff accept, decline or withdraw for the contact.
    pub async fn answer_offer(&self, id: &str, verb: &str) -> Answer {
        self.tenant.staff.post(&format!("{WAITLIST}/{id}/{verb}"), json!({})).await
    }

    /// The entry, once it has a status. What a sweep of a server that runs meanwhile has locked, the next one looks at.
    pub async fn waitlist_entry_once(&self, id: &str, status: &str) -> Value {
        eventually(async || {
            system().sweep().await;
            Some(self.waitlist_entry(id).await).filter(|entry| entry["status"] == status)
        })
        .await
    }
}
