//! No context, a forged one, one left behind.

use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::harness::{Tenant, enter, system};

/// Every table of a tenant that the server may read, as the catalog has them.
async fn tenant_tables(client: &Client) -> Vec<String> {
    let tables = client
        .query(
            "select a.attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
             where c.oid >= 16384 and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'tenant_id'
               and has_any_column_privilege('appointd_api', c.oid, 'select')
             union all select 'tenancy.organizations'",
            &[],
        )
        .await
        .expect("tables");
    assert!(tables.len() > 25, "{}", tables.len());
    tables.into_iter().map(|row| row.get(0)).collect()
}

async fn count(client: &Client, table: &str, filter: &str) -> i64 {
    client
        .query_one(&format!("select count(*) from {table} where {filter}"), &[])
        .await
        .expect("a count")
        .get(0)
}

#[tokio::test]
async fn forged_setting_shows_nothing() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    tenant.furnished().await;
    other.furnished().await;
    let api = system().connect("appointd_api").await;
    let context =
        |tenant: &Tenant| format!("{},{},,,owner", tenant.id.simple(), tenant.owner.account.simple());
    // What the server's role may set decides nothing.
    for forged in [context(&tenant), context(&other), String::new(), "not a context".to_owned()] {
        api.batch_execute(&format!(
            "begin; set local app.context = '{forged}'; set local app.role = 'owner'"
        ))
        .await
        .expect("a setting");
        for table in ["crm.contacts", "scheduling.appointments", "scheduling.claims", "tenancy.members"] {
            assert_eq!(count(&api, table, "true").await, 0, "{table}: {forged}");
        }
        api.batch_execute("rollback").await.expect("a rollback");
    }
    // Whoever could set the context would see one organization at a time, and nothing where it is none.
    let gate = system().superuser().await;
    gate.batch_execute("begin").await.expect("a transaction");
    for id in [tenant.id, other.id] {
        gate.batch_execute(&format!(
            "reset role; select app.set_context(app.context_of('{id}', null, null, null, 'owner')); \
             set local role appointd_api"
        ))
        .await
        .expect("a context");
        let mine = count(&gate, "crm.contacts", &format!("tenant_id = '{id}'")).await;
        assert!(mine > 0);
        assert_eq!(count(&gate, "crm.contacts", "true").await, mine, "one at a time");
    }
    for none in ["", ",,,,", ",,,,owner"] {
        gate.batch_execute(&format!(
            "reset role; select app.set_context('{none}'); set local role appointd_api"
        ))
        .await
        .expect("a context");
        assert_eq!(count(&gate, "crm.contacts", "true").await, 0, "{none}");
    }
}

#[tokio::test]
async fn gate_function_does_not_move_its_caller_into_another_tenant() {
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
            "identity.start_session('{account}', '{0}', '{there}', 'token', sha256('x'), null, '1 day', null, '127.0.0.1', null, null, null, null)",
            Uuid::new_v4()
        ),
        "tenancy.organization_at('unknown.example')".to_owned(),
        format!("tenancy.claim_domain('{there}', '{{x}}')"),
        "tenancy.domains_due(10)".to_owned(),
        format!("tenancy.note_domain('unknown.example', '{there}', false)"),
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
        format!("identity.refresh_session('{account}', '{session}', sha256('x'), sha256('z'), sha256('y'))"),
        format!("tenancy.allowance('{there}', null, null)"),
        format!("tenancy.count_message('{there}', 'email', false)"),
        "tenancy.near_limits()".to_owned(),
        format!("identity.move_session('{}', '{there}', null)", tenant.owner.session),
        "identity.my_memberships()".to_owned(),
        "identity.password_of_account()".to_owned(),
        "identity.password_given()".to_owned(),
        format!("identity.request_password_reset('{}', sha256('x'), '1 hour')", other.owner.email),
        format!("identity.token_email('{account}', sha256('x'))"),
        format!("identity.reset_password('{account}', sha256('x'), 'x', '127.0.0.1')"),
        format!("identity.verify_email('{session}', sha256('x'))"),
        format!("identity.code_attempt('{account}')"),
        "identity.code_given()".to_owned(),
        format!("tenancy.standing('{account}')"),
        format!("tenancy.trusts_origin('https://a.example', '{there}', null, null)"),
        "tenancy.delete_organization('30 days')".to_owned(),
        "scheduling.my_provider_links()".to_owned(),
        format!("scheduling.accept_provider_link('{there}', '{there}')"),
        format!("scheduling.end_provider_link('{there}', '{there}')"),
        format!("scheduling.cut_provider_link('{there}')"),
        format!("scheduling.calendar_feed('{there}', '{there}', sha256('x'))"),
        "scheduling.my_appointments_everywhere('1970-01-01', null, null, null, 10, false, null)".to_owned(),
        format!("messaging.spend('x@x.example', '{there}', null)"),
        format!("scheduling.busy_elsewhere('{there}', '2031-01-01', '2032-01-01')"),
        "scheduling.waiting_for('{1970-01-01}', '{infinity}', '1970-01-01', '00000000-0000-0000-0000-000000000000', 10)"
            .to_owned(),
        "scheduling.tenants_due()".to_owned(),
        format!("scheduling.forget_past_claims('{there}')"),
        format!("scheduling.offer_notice('{there}')"),
        format!(
            "app.enter('{there}', '{account}', '{session}', uuid_send('{session}'), 'viewer', null, null, null)"
        ),
        format!("app.enter_account('{account}', '{session}', uuid_send('{session}'), null, null)"),
        format!(
            "app.enter_customer('{there}', '{account}', '{session}', uuid_send('{session}'), '{there}', null, null, null)"
        ),
        format!("app.enter_by_key('{there}', '{there}', sha256('x'), 'viewer', 'crm:read', null, null, null)"),
        format!("app.enter_guest('{there}', '{}', null, null, null, null)", Uuid::nil()),
        format!("app.enter_scheduler('{there}', null, null)"),
        format!("scheduling.booked_names('{there}')"),
        format!("scheduling.waiting_names('{there}')"),
        "scheduling.contact_of_guest()".to_owned(),
        "scheduling.count_guest_request(sha256('x'), sha256('y'))".to_owned(),
    ];
    for call in &calls {
        enter(&api, tenant.id, &tenant.owner).await;
        // It refuses, or leaves everything as it was.
        if let Err(error) = api.batch_execute(&format!("select {call}")).await {
            let refusals = [&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, &SqlState::INSUFFICIENT_PRIVILEGE];
            assert!(error.code().is_some_and(|code| refusals.contains(&code)), "{call}: {error:?}");
        } else {
            let row = api.query_one("select app.tenant(), app.account()", &[]).await.expect("a context");
            assert_eq!((row.get(0), row.get(1)), (tenant.id, tenant.owner.account), "{call}");
        }
        api.batch_execute("rollback").await.expect("a rollback");
    }
    // A new function is called the day it exists.
    let callable = api
        .query(
            "select format('%s.%s', n.nspname, f.proname) from pg_proc f join pg_namespace n on n.oid = f.pronamespace
             where f.oid >= 16384 and f.prosecdef and has_function_privilege('appointd_api', f.oid, 'execute')",
            &[],
        )
        .await
        .expect("functions");
    for function in callable {
        let name: String = function.get(0);
        // Changing a password ends sessions, which is tried where passwords are.
        let called = calls.iter().any(|call| call.starts_with(&format!("{name}(")));
        assert!(called || name == "identity.change_password", "{name} is called with what is not one's own");
    }
    // As a stranger, who has no role: what it leaves behind shows nothing.
    let tables = tenant_tables(&api).await;
    api.batch_execute(&format!("begin; select tenancy.public_face(null, '{slug}')"))
        .await
        .expect("an answer");
    for table in &tables {
        let mine = i64::from(table == "tenancy.organizations" || table == "tenancy.subscriptions");
        assert!(count(&api, table, "true").await <= mine, "{table}");
    }
    api.batch_execute("rollback").await.expect("a rollback");
}

/// An attacker who brings a SELECT into a request can call what the role of the request can call, with any arguments.
#[tokio::test]
async fn what_works_before_the_caller_is_known_is_of_the_door_alone() {
    let superuser = system().superuser().await;
    let shared = superuser
        .query(
            "select f.oid::regprocedure::text from pg_proc f
             where f.oid >= 16384 and has_function_privilege('appointd_door', f.oid, 'execute')
               and has_function_privilege('appointd_api', f.oid, 'execute')
               and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
             order by 1",
            &[],
        )
        .await
        .expect("functions");
    let shared: Vec<String> = shared.iter().map(|row| row.get(0)).collect();
    let known = [
        "app.begin_request(text,text)",
        "app.enter_account(uuid,uuid,bytea,text,text)",
        "app.refuse_leftovers()",
    ];
    assert_eq!(shared, known);
    let door = system().connect("appointd_door").await;
    let error = door.batch_execute("select from identity.accounts").await.expect_err("no right");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    let readable: i64 = superuser
        .query_one(
            "select count(*) from pg_class where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'f')
             and has_any_column_privilege('appointd_door', oid, 'select, insert, update')
             and oid <> 'app.migrations'::regclass",
            &[],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(readable, 0);
}

#[tokio::test]
async fn policies_hold_the_owner_of_the_tables() {
    Tenant::new().await.furnished().await;
    let owner = system().connect("appointd_owner").await;
    let error =
        owner.query("select from crm.contacts", &[]).await.expect_err("row_security is off for the owner");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    owner.batch_execute("set row_security = on").await.expect("a setting");
    let rows = owner.query("select from crm.contacts", &[]).await.expect("a query");
    assert!(rows.is_empty());
}
