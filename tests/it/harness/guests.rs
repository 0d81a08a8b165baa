//! Guests: customers without an account, and what they send.

use serde_json::{Value, json};

use super::{Actor, Answer, booking::BookingFixture, system};

/// A guest with this address, as a contact.
pub fn contact(email: &str) -> Value {
    json!({ "first_name": "Guest", "last_name": "One", "email": email })
}

impl BookingFixture {
    /// What a guest books with.
    pub fn guest_body(&self, start: &str, email: Option<&str>) -> Value {
        let mut guest = json!({ "first_name": "Guest", "last_name": "One" });
        if let Some(email) = email {
            guest["email"] = json!(email);
        }
        json!({ "service_id": self.service, "starts_at": start, "contact": guest })
    }

    /// The path of what guests do at this organization: `appointments`, `holds`, `waitlist`, `services`.
    pub async fn guest_path(&self, what: &str) -> String {
        format!("/api/v1/guest/{what}?organization_slug={}", self.tenant.slug().await)
    }

    pub async fn as_guest(&self, what: &str, body: Value) -> Answer {
        Actor::anonymous().post(&self.guest_path(what).await, body).await
    }

    /// A guest waits for the morning and is offered nine o'clock: the entry.
    pub async fn offered_to_guest(&self, email: &str) -> Value {
        let taken = self.book("2031-05-05T09:00:00Z").await;
        let waiting = json!({
            "service_id": self.service, "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:30:00Z",
            "contact": contact(email),
        });
        let entry = self.as_guest("waitlist", waiting).await.expect(201);
        self.act(&taken, "cancel", json!({})).await.expect(200);
        entry
    }
}

/// Sends the link of a guest to one of the operations that take it.
pub async fn manage(what: &str, token: &Value) -> Answer {
    Actor::anonymous().post(&format!("/api/v1/guest/{what}"), json!({ "token": token })).await
}

/// The token of the latest link to verify an address, once so many mails went there.
pub async fn link_to_verify(email: &str, mails: usize) -> Value {
    let mails = system().mails_to(email, mails).await;
    let link =
        mails.iter().rev().find_map(|mail| mail.split("verify-booking#token=").nth(1)).expect("a link");
    json!(link.split_whitespace().next())
}
