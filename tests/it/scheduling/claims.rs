//! The exclusion constraint itself, without the server.

use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::harness::{Furnished, Tenant, system};

struct Claims {
    superuser: Client,
    tenant: Tenant,
    furnished: Furnished,
}

impl Claims {
    async fn new() -> Self {
        let tenant = Tenant::new().await;
        let furnished = tenant.furnished().await;
        Self { superuser: system().superuser().await, tenant, furnished }
    }

    /// Claims time of a day on which there is nothing else, and says how that went.
    async fn claim(&self, from: &str, to: &str) -> Result<(), SqlState> {
        self.claim_of(&self.furnished.provider, from, to).await
    }

    async fn claim_of(&self, resource: &str, from: &str, to: &str) -> Result<(), SqlState> {
        let sql = format!(
            "insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at)
             values ('{}', '{}', '{resource}', '{}', '{from}', '{to}')",
            self.tenant.id,
            Uuid::now_v7(),
            self.furnished.appointment,
        );
        self.superuser.batch_execute(&sql).await.map_err(|error| error.code().expect("a refusal").clone())
    }
}

#[tokio::test]
async fn time_that_overlaps_in_any_way_is_refused() {
    let claims = Claims::new().await;
    claims.claim("2032-01-01 10:00Z", "2032-01-01 11:00Z").await.expect("free time");
    for (what, from, to) in [
        ("the same", "2032-01-01 10:00Z", "2032-01-01 11:00Z"),
        ("contained", "2032-01-01 10:15Z", "2032-01-01 10:45Z"),
        ("containing", "2032-01-01 09:00Z", "2032-01-01 12:00Z"),
        ("over the beginning", "2032-01-01 09:30Z", "2032-01-01 10:00:00.000001Z"),
        ("over the end", "2032-01-01 10:59:59.999999Z", "2032-01-01 11:30Z"),
        ("the same, said in another zone", "2032-01-01 12:00+02", "2032-01-01 13:00+02"),
    ] {
        assert_eq!(claims.claim(from, to).await, Err(SqlState::EXCLUSION_VIOLATION), "{what}");
    }
}

#[tokio::test]
async fn time_that_touches_is_allowed() {
    let claims = Claims::new().await;
    claims.claim("2032-01-01 10:00Z", "2032-01-01 11:00Z").await.expect("free time");
    claims.claim("2032-01-01 11:00Z", "2032-01-01 12:00Z").await.expect("behind it");
    claims.claim("2032-01-01 09:00Z", "2032-01-01 10:00Z").await.expect("before it");
}

#[tokio::test]
async fn time_of_somebody_else_is_no_concern() {
    let claims = Claims::new().await;
    claims.claim("2032-01-01 10:00Z", "2032-01-01 11:00Z").await.expect("free time");
    let other = claims.tenant.provider().await;
    claims
        .claim_of(&other, "2032-01-01 10:00Z", "2032-01-01 11:00Z")
        .await
        .expect("time of another provider");
}

#[tokio::test]
async fn what_would_slip_past_the_constraint_is_refused() {
    let claims = Claims::new().await;
    for (what, from, to) in [
        ("empty", "2032-01-01 10:00Z", "2032-01-01 10:00Z"),
        ("without an end", "2032-01-01 10:00Z", "infinity"),
        ("without a beginning", "-infinity", "2032-01-01 10:00Z"),
        ("longer than a day", "2032-01-01 10:00Z", "2032-01-02 10:00:01Z"),
    ] {
        assert_eq!(claims.claim(from, to).await, Err(SqlState::CHECK_VIOLATION), "{what}");
    }
    // The other way round it cannot even be computed.
    assert_eq!(claims.claim("2032-01-01 11:00Z", "2032-01-01 10:00Z").await, Err(SqlState::DATA_EXCEPTION));
}
