//! The exclusion constraint and the function that inserts claims, without the server.

use serde_json::{Value, json};
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::harness::{Actor, Furnished, Tenant, booking::BookingFixture, enter, proofs, system};

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
async fn overlapping_claims_are_refused() {
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
async fn touching_claims_are_accepted() {
    let claims = Claims::new().await;
    claims.claim("2032-01-01 10:00Z", "2032-01-01 11:00Z").await.expect("free time");
    claims.claim("2032-01-01 11:00Z", "2032-01-01 12:00Z").await.expect("behind it");
    claims.claim("2032-01-01 09:00Z", "2032-01-01 10:00Z").await.expect("before it");
}

#[tokio::test]
async fn claims_of_different_resources_may_overlap() {
    let claims = Claims::new().await;
    claims.claim("2032-01-01 10:00Z", "2032-01-01 11:00Z").await.expect("free time");
    let other = claims.tenant.provider().await;
    claims
        .claim_of(&other, "2032-01-01 10:00Z", "2032-01-01 11:00Z")
        .await
        .expect("time of another provider");
}

#[tokio::test]
async fn empty_and_unbounded_claims_are_refused() {
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

/// A claim as `scheduling.take_time` takes it, for half an hour.
fn wanted(owner: &str, resource: &str, start: &str) -> Value {
    let start: chrono::DateTime<chrono::Utc> = start.parse().expect("an instant");
    json!({
        "id": Uuid::now_v7(),
        "owner_id": owner,
        "resource_id": resource,
        "starts_at": start,
        "ends_at": start + chrono::TimeDelta::minutes(30),
        "seat": 1,
        "capacity": 1,
    })
}

/// The constraint that refuses it, or the SQLSTATE where that is no constraint's; nothing where the time was free.
async fn take(api: &Client, organization: Uuid, wanted: &[Value]) -> Option<String> {
    let sql = "select scheduling.take_time($1, $2)";
    let error = api.query_one(sql, &[&organization, &json!(wanted)]).await.err()?;
    let error = error.as_db_error().expect("a refusal");
    Some(error.constraint().unwrap_or_else(|| error.code().code()).to_owned())
}

#[tokio::test]
async fn time_is_taken_as_a_whole_or_refused_with_the_name_of_the_constraint() {
    let claims = Claims::new().await;
    let tenant = &claims.tenant;
    let Furnished { appointment, provider, .. } = &claims.furnished;
    let other = tenant.provider().await;
    let api = system().connect("appointd_api").await;
    enter(&api, tenant.id, &tenant.staff).await;
    let ten = "2032-01-01T10:00:00Z";
    assert_eq!(take(&api, tenant.id, &[]).await, None);
    assert_eq!(take(&api, tenant.id, &[wanted(appointment, provider, ten)]).await, None);
    let both = [wanted(appointment, &other, ten), wanted(appointment, provider, "2032-01-01T09:45:00Z")];
    api.batch_execute("savepoint free").await.expect("a savepoint");
    assert_eq!(take(&api, tenant.id, &both).await.as_deref(), Some("claims_no_overlap"));
    api.batch_execute("rollback to savepoint free").await.expect("a rollback");
    assert_eq!(take(&api, tenant.id, &[wanted(appointment, &other, ten)]).await, None);
    // The provider of another organization is none.
    let foreign = Tenant::new().await.provider().await;
    let refused = take(&api, tenant.id, &[wanted(appointment, &foreign, ten)]).await;
    assert_eq!(refused.as_deref(), Some("claims_resource_fkey"));
}

#[tokio::test]
async fn customers_and_guests_take_time_for_what_is_their_own() {
    let claims = Claims::new().await;
    let tenant = &claims.tenant;
    let Furnished { appointment, provider, hold, service, .. } = &claims.furnished;
    let body = json!({
        "service_id": service, "contact_id": tenant.contact().await, "starts_at": "2031-05-06T09:00:00Z",
    });
    let of_another = tenant.staff.post("/api/v1/appointments", body).await.created();
    let api = system().connect("appointd_api").await;
    let forbidden = SqlState::INSUFFICIENT_PRIVILEGE.code();
    let Actor { account, session, .. } = &tenant.customer;
    for (named, held, outcome) in [
        (appointment, false, None),
        (&of_another, false, Some(forbidden)),
        // The one of the staff.
        (hold, true, Some(forbidden)),
    ] {
        let enter = format!(
            "begin; select app.enter_customer('{}', '{account}', '{session}', uuid_send('{session}'), '{named}', null, null, null)",
            tenant.id
        );
        api.batch_execute(&enter).await.expect("a customer");
        let wanted = json!([wanted(named, provider, "2032-01-01T10:00:00Z")]);
        let sql = "select scheduling.take_time($1, $2, $3)";
        let taken = api.query_one(sql, &[&tenant.id, &wanted, &held]).await;
        let code = taken.err().and_then(|error| error.code().map(|code| code.code().to_owned()));
        assert_eq!(code.as_deref(), outcome, "{named}");
        api.batch_execute(&format!("rollback; {enter}")).await.expect("a customer");
        if !held {
            let segment = format!(
                "insert into scheduling.appointment_segments
                     (appointment_id, position, service_id, provider_id, starts_at, ends_at)
                 values ('{named}', 1, '{service}', '{provider}', '2032-01-01', '2032-01-02')"
            );
            let code = api.batch_execute(&segment).await.err().and_then(|error| error.code().cloned());
            assert_eq!(code.as_ref().map(SqlState::code), outcome, "a segment of {named}");
        }
        api.batch_execute("rollback").await.expect("a rollback");
    }
    // A guest sees the hold that the link names, unless a member made it.
    let [proof, _] = proofs(tenant.id, hold.parse().expect("an id")).await;
    let enter =
        format!("begin; select app.enter_guest('{}', '{hold}', {proof}, null, null, null)", tenant.id);
    api.batch_execute(&enter).await.expect("a guest");
    let wanted = json!([wanted(hold, provider, "2032-01-01T10:00:00Z")]);
    let sql = "select scheduling.take_time($1, $2, true)";
    let refused = api.query_one(sql, &[&tenant.id, &wanted]).await.expect_err("a refusal");
    assert_eq!(refused.code().map(SqlState::code), Some(forbidden));
}

#[tokio::test]
async fn time_of_a_contact_is_claimed_when_an_appointment_moves_though_it_never_was_before() {
    let fixture = BookingFixture::with(json!({ "contact_may_overlap": true })).await;
    let id = fixture.book("2031-05-05T09:00:00Z").await;
    let service = format!("/api/v1/services/{}", fixture.service);
    fixture.tenant.manager.patch(&service, json!({ "contact_may_overlap": false })).await.expect(200);
    fixture.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T10:00:00Z" })).await.expect(200);
    fixture.tenant.provider().await;
    let staff = &fixture.tenant.staff;
    staff
        .post("/api/v1/appointments", fixture.body("2031-05-05T10:00:00Z"))
        .await
        .refused(409, "contact_busy");
    staff.post("/api/v1/appointments", fixture.body("2031-05-05T09:00:00Z")).await.created();
}
