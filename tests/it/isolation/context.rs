//! No context, a forged one, one left behind.

use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::harness::{Tenant, enter, system};

/// Every table with the name of its tenant column.
const TENANT_TABLES: [(&str, &str); 22] = [
    ("tenancy.organizations", "id"),
    ("tenancy.members", "tenant_id"),
    ("tenancy.subscriptions", "tenant_id"),
    ("tenancy.settings", "tenant_id"),
    ("tenancy.branding", "tenant_id"),
    ("tenancy.domains", "tenant_id"),
    ("tenancy.invitations", "tenant_id"),
    ("tenancy.api_keys", "tenant_id"),
    ("operations.audit_events", "tenant_id"),
    ("crm.contacts", "tenant_id"),
    ("scheduling.services", "tenant_id"),
    ("scheduling.resources", "tenant_id"),
    ("scheduling.providers", "tenant_id"),
    ("scheduling.schedules", "tenant_id"),
    ("scheduling.appointments", "tenant_id"),
    ("scheduling.claims", "tenant_id"),
    ("scheduling.closures", "tenant_id"),
    ("scheduling.time_off", "tenant_id"),
    ("scheduling.holds", "tenant_id"),
    ("scheduling.series", "tenant_id"),
    ("scheduling.waitlist_entries", "tenant_id"),
    ("scheduling.calendar_feeds", "tenant_id"),
];

async fn count(client: &Client, table: &str, filter: &str) -> i64 {
    client
        .query_one(&format!("select count(*) from {table} where {filter}"), &[])
        .await
        .expect("a count")
        .get(0)
}

#[tokio::test]
async fn without_a_context_there_is_nothing() {
    Tenant::new().await.furnished().await;
    let api = system().connect("appointd_api").await;
    for (table, _) in TENANT_TABLES {
        assert_eq!(count(&api, table, "true").await, 0, "{table} on a new connection");
    }
    assert_eq!(count(&api, "identity.accounts", "id is not null").await, 0);
}

#[tokio::test]
async fn within_a_context_there_is_the_own_tenant_and_no_other() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    enter(&api, tenant.id, &tenant.owner).await;
    for (table, column) in TENANT_TABLES {
        assert!(
            count(&api, table, &format!("{column} = '{}'", tenant.id)).await > 0,
            "{table}: the own rows"
        );
        assert_eq!(count(&api, table, &format!("{column} <> '{}'", tenant.id)).await, 0, "{table}: others");
    }
    assert_eq!(
        count(&api, "identity.accounts", "true and id is not null").await,
        7,
        "colleagues and no others"
    );
    assert_eq!(count(&api, "identity.sessions", "true").await, 1, "the own session alone");
}

#[tokio::test]
async fn after_a_commit_a_rollback_or_a_failure_the_context_is_gone() {
    let tenant = Tenant::new().await;
    tenant.furnished().await;
    let api = system().connect("appointd_api").await;
    for ending in ["commit", "rollback", "select 1/0"] {
        enter(&api, tenant.id, &tenant.owner).await;
        assert!(count(&api, "crm.contacts", "true").await > 0);
        if api.batch_execute(ending).await.is_err() {
            api.batch_execute("rollback").await.expect("a rollback");
        }
        for (table, _) in TENANT_TABLES {
            assert_eq!(count(&api, table, "true").await, 0, "{table} after {ending}");
        }
    }
}

#[tokio::test]
async fn nobody_enters_a_tenant_they_are_no_member_of() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    let (owner, staff, theirs) = (&tenant.owner, &tenant.staff, &other.owner);
    let (account, session) = (Some(owner.account), Some(owner.session));
    let attempts = [
        (Some(other.id), account, session, "viewer", "AP401"),
        (Some(Uuid::now_v7()), account, session, "viewer", "AP401"),
        (Some(tenant.id), Some(Uuid::now_v7()), session, "viewer", "AP401"),
        (Some(tenant.id), account, Some(Uuid::now_v7()), "viewer", "AP401"),
        (Some(tenant.id), account, Some(staff.session), "viewer", "AP401"),
        (Some(tenant.id), Some(theirs.account), Some(theirs.session), "viewer", "AP401"),
        (None, account, session, "viewer", "AP401"),
        (Some(tenant.id), None, session, "viewer", "AP401"),
        (Some(tenant.id), account, None, "viewer", "AP401"),
        (Some(tenant.id), account, session, "god", "AP401"),
        (Some(tenant.id), Some(staff.account), Some(staff.session), "manager", "AP403"),
        (Some(tenant.id), account, session, "customer", "AP403"),
        (Some(tenant.id), Some(tenant.customer.account), Some(tenant.customer.session), "viewer", "AP403"),
    ];
    for (tenant, account, session, role, sqlstate) in attempts {
        api.batch_execute("begin").await.expect("a transaction");
        let error = api
            .execute(
                "select app.enter($1, $2, $3, $4, null, null, null)",
                &[&tenant, &account, &session, &role],
            )
            .await
            .expect_err("nobody may enter like that");
        assert_eq!(error.code().map(SqlState::code), Some(sqlstate));
        // What travels behind it in the same train fails as well.
        let behind =
            api.query("select from scheduling.services", &[]).await.expect_err("the transaction is over");
        assert_eq!(behind.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
        api.batch_execute("rollback").await.expect("a rollback");
    }
}

#[tokio::test]
async fn a_transaction_enters_one_tenant_once() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let api = system().connect("appointd_api").await;
    enter(&api, tenant.id, &tenant.owner).await;
    let again = api
        .execute(
            "select app.enter($1, $2, $3, 'viewer', null, null, null)",
            &[&other.id, &other.owner.account, &other.owner.session],
        )
        .await
        .expect_err("a second time");
    assert_eq!(again.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE));
}

#[tokio::test]
async fn a_forged_setting_shows_nothing_without_a_role_and_never_two_tenants() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    api.batch_execute(&format!("begin; set local app.tenant_id = '{}'", tenant.id)).await.expect("a setting");
    for table in ["crm.contacts", "scheduling.appointments", "scheduling.claims", "tenancy.members"] {
        assert_eq!(count(&api, table, "true").await, 0, "{table}: no role");
    }
    for forged in ["", "not a uuid", "' or true --"] {
        api.batch_execute(&format!(
            "rollback; begin; set local app.tenant_id = '{}'",
            forged.replace('\'', "''")
        ))
        .await
        .expect("a setting");
        match api.query_one("select count(*) from crm.contacts", &[]).await {
            Ok(row) => assert_eq!(row.get::<_, i64>(0), 0),
            Err(error) => assert_eq!(error.code(), Some(&SqlState::INVALID_TEXT_REPRESENTATION)),
        }
    }
    api.batch_execute("rollback; begin").await.expect("a transaction");
    for id in [tenant.id, other.id] {
        api.batch_execute(&format!("set local app.tenant_id = '{id}'; set local app.role = 'owner'"))
            .await
            .expect("a setting");
        let mine = count(&api, "crm.contacts", &format!("tenant_id = '{id}'")).await;
        assert_eq!(count(&api, "crm.contacts", "true").await, mine, "one at a time, whatever is forged");
    }
}

#[tokio::test]
async fn no_function_of_the_gate_moves_its_caller_into_another_tenant() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    let slug: String = system()
        .superuser()
        .await
        .query_one("select slug from tenancy.organizations where id = $1", &[&other.id])
        .await
        .expect("an organization")
        .get(0);
    let (there, account, session) = (other.id, other.owner.account, other.owner.session);
    let calls = [
        format!("tenancy.public_face(null, '{slug}')"),
        format!(
            "identity.start_session('{account}', '{0}', '{there}', 'token', null, '1 day', null, '127.0.0.1', null, null, null, null)",
            Uuid::new_v4()
        ),
        "tenancy.organization_at('nobodys.example')".to_owned(),
        format!("tenancy.add_requests('{{{there}}}', '{{1}}')"),
        format!("tenancy.invitation_for('{there}', '{there}', sha256('x'))"),
        format!("tenancy.accept_invitation('{there}', '{there}', sha256('x'), '{account}', null, null)"),
        format!("tenancy.restore_organization('{there}')"),
        format!("tenancy.leave_organization('{there}')"),
        format!(
            "tenancy.create_organization('{0}', 'x', 'x{0}', null, 'UTC', 'basic', '{{}}')",
            Uuid::new_v4()
        ),
        format!(
            "identity.register('{0}', '{0}@x.example', 'x', null, '{0}', 'x', 'x{0}', 'UTC')",
            Uuid::new_v4()
        ),
        format!("identity.sign_in('{}', '127.0.0.1')", other.owner.email),
        format!("identity.refresh_session('{account}', '{session}', sha256('x'), sha256('y'))"),
        format!("identity.move_session('{}', '{there}', null)", tenant.owner.session),
        "identity.my_memberships()".to_owned(),
        "identity.password_of_account()".to_owned(),
        "identity.password_given()".to_owned(),
        format!("identity.request_password_reset('{}', sha256('x'), '1 hour')", other.owner.email),
        format!("identity.token_email('{account}', sha256('x'))"),
        format!("identity.reset_password('{account}', sha256('x'), 'x', '127.0.0.1')"),
        format!("identity.verify_email('{account}', sha256('x'))"),
        "tenancy.delete_organization('30 days')".to_owned(),
        format!("scheduling.calendar_feed('{there}', '{there}', sha256('x'))"),
        "scheduling.my_appointments_everywhere('1970-01-01', null, 10)".to_owned(),
        "scheduling.pass_on_expired('1 hour')".to_owned(),
        format!("scheduling.busy_elsewhere('{there}', '2031-01-01', '2032-01-01')"),
        format!("scheduling.decline_offer('{there}', 'declined', '1 hour')"),
        format!(
            "scheduling.offer_freed('{there}', '{there}', '{there}', '2031-01-01', '2031-01-01', '[]', '1 hour')"
        ),
    ];
    for call in calls {
        enter(&api, tenant.id, &tenant.owner).await;
        // It refuses, or leaves everything as it was.
        if let Err(error) = api.batch_execute(&format!("select {call}")).await {
            assert_eq!(error.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE), "{call}: {error:?}");
        } else {
            let settings = "select current_setting('app.tenant_id'), current_setting('app.account_id')";
            let row = api.query_one(settings, &[]).await.expect("settings");
            let (own, owner) = (tenant.id.to_string(), tenant.owner.account.to_string());
            assert_eq!((row.get(0), row.get(1)), (own, owner), "{call}");
        }
        api.batch_execute("rollback").await.expect("a rollback");
    }
    // As a stranger, who has no role: what they leave behind shows nothing.
    for call in [
        format!("tenancy.public_face(null, '{slug}')"),
        format!(
            "identity.start_session('{account}', '{0}', '{there}', 'token', null, '1 day', null, '127.0.0.1', null, null, null, null)",
            Uuid::new_v4()
        ),
    ] {
        api.batch_execute(&format!("begin; select {call}")).await.expect("an answer");
        for (table, _) in TENANT_TABLES {
            let mine =
                if table == "tenancy.organizations" || table == "tenancy.subscriptions" { 1 } else { 0 };
            assert!(count(&api, table, "true").await <= mine, "{table} after {call}");
        }
        api.batch_execute("rollback").await.expect("a rollback");
    }
}

#[tokio::test]
async fn a_statement_prepared_for_one_tenant_serves_the_next() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    api.batch_execute("set plan_cache_mode = force_generic_plan").await.expect("a setting");
    let statement = api.prepare("select tenant_id from crm.contacts").await.expect("a statement");
    for _ in 0..4 {
        for tenant in [&tenant, &other] {
            enter(&api, tenant.id, &tenant.owner).await;
            let rows = api.query(&statement, &[]).await.expect("rows");
            assert!(!rows.is_empty());
            assert!(rows.iter().all(|row| row.get::<_, Uuid>(0) == tenant.id));
            api.batch_execute("commit").await.expect("a commit");
        }
    }
}
