//! A person who is a provider of two organizations.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Actor, Answer, booking::BookingFixture};

/// An admin asks a person to be the provider.
pub async fn ask(fixture: &BookingFixture, person: Uuid) -> Answer {
    let path = format!("/api/v1/providers/{}", fixture.provider);
    fixture.tenant.admin.patch(&path, json!({ "account_id": person })).await
}

/// The path of the link between the provider and the person who reads it.
pub fn link(fixture: &BookingFixture) -> String {
    format!("/api/v1/auth/me/provider-links/{}/{}", fixture.tenant.id, fixture.provider)
}

pub async fn accept(fixture: &BookingFixture, person: &Actor) -> Answer {
    person.send(person.request(Method::POST, &format!("{}/accept", link(fixture)))).await
}

/// Two organizations whose provider is one person, a member of both.
pub struct SharedPerson {
    pub one: BookingFixture,
    pub two: BookingFixture,
    pub person: Actor,
}

impl SharedPerson {
    pub async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// The services of both have these rules.
    pub async fn with(rules: Value) -> Self {
        let (one, two) = (BookingFixture::with(rules.clone()).await, BookingFixture::with(rules).await);
        let person = one.tenant.staff.clone();
        two.tenant.admit(person.account, "staff").await;
        for fixture in [&one, &two] {
            let asked = ask(fixture, person.account).await.expect(200);
            assert_eq!(
                (asked.get("account_id"), &asked["requested_account_id"]),
                (None, &json!(person.account))
            );
            assert_eq!(accept(fixture, &person).await.expect(200)["status"], "accepted");
        }
        Self { one, two, person }
    }
}
