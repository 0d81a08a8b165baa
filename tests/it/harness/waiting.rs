//! The waitlist, as staff use it.

use serde_json::{Value, json};

use super::{address, booking::BookingFixture, eventually, merged};

pub const WAITLIST: &str = "/api/v1/waitlist";

impl BookingFixture {
    /// Puts a new contact on the waitlist, for the fifth of May 2031 if `wish` says nothing else.
    pub async fn join_waitlist(&self, wish: &Value) -> String {
        let body = json!({
            "service_id": self.service, "from": "2031-05-05T00:00:00Z", "to": "2031-05-06T00:00:00Z",
            "contact": { "first_name": "Wait", "last_name": "Ing", "email": address() },
        });
        self.tenant.staff.post(WAITLIST, merged(body, wish)).await.created()
    }

    pub async fn waitlist_entry(&self, id: &str) -> Value {
        self.tenant.viewer.get(&format!("{WAITLIST}/{id}")).await.expect(200)
    }

    /// The entry, once it has a status. What frees time in passing is offered by a server some seconds later.
    pub async fn waitlist_entry_once(&self, id: &str, status: &str) -> Value {
        eventually(async || Some(self.waitlist_entry(id).await).filter(|entry| entry["status"] == status))
            .await
    }
}
