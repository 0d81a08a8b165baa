//! Forging the context: what an attacker does who brings SQL into a request, a part of a statement or whole
//! statements, to act in the other organization, of which they know every id. Each attempt is made before and after the
//! statement of the request. What it shows is looked for in its answer, in the rest of the transaction, in what follows
//! on the connection, and in the request of the next user.
//!
//! The context stands in one parameter. Without the seal (sql/setup/unsealed.sql) it stands in another, which every
//! role may set: there the attempts are seen to work, or they would prove nothing.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Attack, Side, Target, UnderWay};
use crate::harness::{connect, private_system, within};

/// Where the context stands, and where it does without the seal.
const SEALED: &str = "backtrace_functions";
const UNSEALED: &str = "app.context";

/// An attempt.
struct Forgery {
    script: String,
    /// Whether it is the seal that stops it: without one it reaches the other organization.
    by_seal: bool,
}

/// What every role may do to the parameter of the context where it is not sealed.
fn stopped_by_the_seal(parameter: &str, theirs: &Side) -> Vec<String> {
    let context = theirs.context("owner");
    let there = theirs.tenant;
    let call = format!("set_config('{parameter}', '{context}', true)");
    let session = format!("set_config('{parameter}', '{context}', false)");
    let quoted = call.replace('\'', "''");
    let set = format!("set local {parameter} = '{context}'");
    let all = "select last_name, id from crm.contacts";
    vec![
        // In a part of a statement, where set_config was not taken from PUBLIC.
        format!("select {call}"),
        format!("select {session}"),
        format!("select pg_catalog.{call}"),
        format!("select 1 where {call} is not null"),
        format!("select 1 order by {call}"),
        format!("select 1 having {call} <> ''"),
        format!("select 1 limit length({call})"),
        format!("values ({call})"),
        format!("select case when true then {call} end"),
        format!("select coalesce(null, {call})"),
        format!("select array[{call}]"),
        format!("select row({call})"),
        format!("select max({call})"),
        format!("select (select {call})"),
        format!("with forged as materialized (select {call}) select * from forged"),
        format!("select * from unnest(array[{call}])"),
        format!("select f.* from (values (1)) as v (n) cross join lateral (select {call}) as f"),
        format!("select from crm.contacts where {call} is not null"),
        format!("select 1 union all select length({call})"),
        format!("update crm.contacts set phone = phone returning {call}"),
        format!("select query_to_xml('select {quoted}', true, true, '')"),
        format!(
            "select query_to_xml('select {quoted}', true, true, ''), query_to_xml('{all}', true, true, '')"
        ),
        format!("select * from ts_stat('select to_tsvector(''simple'', {quoted})')"),
        format!("explain analyze select {call}"),
        // Whole statements.
        set.clone(),
        format!("set {parameter} = '{context}'"),
        format!("set session {parameter} to '{context}'"),
        format!("set local {parameter} to default; {set}"),
        format!("reset {parameter}; {set}"),
        format!("reset all; {set}"),
        format!("savepoint s; {set}; release savepoint s"),
        format!("{set}; savepoint s; set local {parameter} = ''; rollback to savepoint s"),
        format!("commit; begin; {set}"),
        format!("rollback; begin; {set}"),
        format!("commit and chain; {set}"),
        format!("rollback; begin isolation level serializable read only; {set}"),
        format!("set transaction read only; {set}"),
        format!("commit; set {parameter} = '{context}'; begin"),
        format!("do $$ begin set local {parameter} = '{context}'; end $$"),
        format!("do $$ begin execute 'set local {parameter} = ''{context}'''; end $$"),
        format!("do $$ begin perform 1 / 0; exception when others then {set}; end $$"),
        format!("do $$ begin perform {call}; end $$"),
        format!("prepare forged as select {call}; execute forged"),
        format!("declare forged cursor for select {call}; fetch all from forged"),
        format!("declare forged cursor with hold for select {session}; commit; begin; fetch all from forged"),
        format!("{set}; {all}"),
        format!("{set}; declare forged cursor with hold for {all}; commit; begin; fetch all from forged"),
        format!("{set}; prepare forged as {all}; execute forged"),
        format!("{set}; set local plan_cache_mode = force_generic_plan; {all}"),
        format!(
            "{set}; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; \
             set local min_parallel_table_scan_size = 0; set local parallel_leader_participation = off; {all}"
        ),
        format!("{set}; select query_to_xml('{all}', true, true, '')"),
        format!("{set}; select table_to_xml('crm.contacts', true, true, '')"),
        format!("{set}; select last_name::integer from crm.contacts"),
        format!("{set}; select app.enter_scheduler('{there}', null, null); {set}"),
        format!(
            "{set}; select count(*) from crm.contacts as c where pg_notify('leak', c.id::text) is not null"
        ),
        format!("set local app.request_id = ''; set local app.restoring = 'on'; {set}"),
        format!("set local app.tenant_id = '{there}'; set local app.role = 'owner'; {set}"),
        format!("lock table crm.contacts in access share mode; {set}"),
        format!("set local statement_timeout = 0; select pg_advisory_lock(20260102); {set}"),
    ]
}

/// What rights, proofs and PostgreSQL itself stop.
fn stopped_otherwise(parameter: &str, ours: &Side, theirs: &Side) -> Vec<String> {
    let context = theirs.context("owner");
    let (there, subject) = (theirs.tenant, theirs.appointment);
    let with_ids_of_theirs = ours.enter("owner").replace(&ours.tenant.to_string(), &there.to_string());
    vec![
        format!("select query_to_xml('set local {parameter} = ''{context}''', true, true, '')"),
        "select query_to_xml('reset all', true, true, '')".to_owned(),
        format!("update pg_settings set setting = '{context}' where name = '{parameter}'"),
        format!("alter role appointd_api set {parameter} = '{context}'"),
        format!("alter database appointd set {parameter} = '{context}'"),
        format!("alter function app.context() set {parameter} = '{context}'"),
        format!(
            "create function pg_temp.f() returns text language sql set {parameter} = '{context}' as 'select 1'"
        ),
        "create or replace function app.context() returns text language sql as 'select 1'".to_owned(),
        "create temp table contacts (id uuid)".to_owned(),
        "create schema forged".to_owned(),
        "create operator public.= (function = uuid_eq, leftarg = uuid, rightarg = uuid)".to_owned(),
        "set local session_replication_role = replica".to_owned(),
        "set local row_security = off".to_owned(),
        "set role appointd_gate".to_owned(),
        "set role appointd_owner".to_owned(),
        "set session authorization appointd_gate".to_owned(),
        "set role none; reset session authorization".to_owned(),
        format!("set local app.tenant_id = '{there}'; set local app.role = 'owner'"),
        format!("select app.set_context('{context}')"),
        format!("select app.set_tenant('{there}')"),
        "select app.set_account(null)".to_owned(),
        format!("select app.context_of('{there}', null, null, null, 'owner')"),
        format!("select app.enter_scheduler('{there}', null, null)"),
        format!("commit; begin; select app.enter_scheduler('{there}', null, null)"),
        format!("commit; begin; select app.enter_guest('{there}', '{subject}', null, null, null, null)"),
        format!("commit; begin; {with_ids_of_theirs}"),
        "load 'auto_explain'".to_owned(),
        "listen leak".to_owned(),
        "select lo_from_bytea(0, 'x')".to_owned(),
        "select pg_stat_file('PG_VERSION')".to_owned(),
        "select most_common_vals from pg_stats where tablename = 'contacts'".to_owned(),
        "select query from pg_stat_activity where usename <> 'appointd_api'".to_owned(),
    ]
}

fn forgeries(parameter: &str, ours: &Side, theirs: &Side) -> Vec<Forgery> {
    let by_seal = stopped_by_the_seal(parameter, theirs).into_iter();
    let otherwise = stopped_otherwise(parameter, ours, theirs).into_iter();
    let all: Vec<_> = by_seal
        .map(|script| Forgery { script, by_seal: true })
        .chain(otherwise.map(|script| Forgery { script, by_seal: false }))
        .collect();
    assert!(all.len() > 85, "{}", all.len());
    all
}

/// What a script answers; nothing, where it is refused.
#[expect(clippy::disallowed_methods, reason = "an attacker sends several statements at once")]
async fn answer(api: &Client, script: &str) -> String {
    text(api.simple_query(script).await.unwrap_or_default())
}

fn text(messages: Vec<SimpleQueryMessage>) -> String {
    let mut text = String::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            (0..row.len()).for_each(|at| text.push_str(row.get(at).unwrap_or_default()));
        }
    }
    text
}

/// Where an attempt shows what the other organization has.
#[expect(clippy::disallowed_methods, reason = "an attacker sends several statements at once")]
async fn shows(
    api: &Client,
    ours: &Side,
    theirs: &Side,
    secrets: &[String],
    forgery: &Forgery,
) -> Vec<&'static str> {
    const LOOK: &str = "select last_name, id from crm.contacts";
    let leaks = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    let mut shown = Vec::new();
    for request in ["", "; select count(*) from crm.contacts"] {
        answer(api, &format!("begin; {}{request}", ours.enter("owner"))).await;
        match api.simple_query(&forgery.script).await {
            Ok(messages) => {
                if leaks(&text(messages)) {
                    shown.push("the answer");
                }
                if leaks(&answer(api, LOOK).await) {
                    shown.push("the transaction");
                }
            }
            // A cast that fails says the value.
            Err(error) => {
                if error.as_db_error().is_some_and(|error| leaks(error.message())) {
                    shown.push("the error");
                }
            }
        }
        for (then, whose) in [("rollback", "the connection"), ("begin", "the next transaction")] {
            answer(api, then).await;
            if leaks(&answer(api, LOOK).await) {
                shown.push(whose);
            }
        }
        // As the server begins the transaction of the next user, who is of the other organization.
        let enter = theirs.enter("owner");
        let next = format!("begin; reset all; close all; {enter}; select account_id from tenancy.members");
        answer(api, "rollback").await;
        let seen = answer(api, &next).await;
        let (ours, theirs) = (ours.accounts[0].to_string(), theirs.accounts[0].to_string());
        if seen.contains(&ours) || !seen.contains(&theirs) {
            shown.push("the next user");
        }
        for end in ["rollback", "reset all", "close all", "deallocate all", "unlisten *"] {
            answer(api, end).await;
        }
        answer(api, "select pg_advisory_unlock_all()").await;
    }
    shown.dedup();
    shown
}

impl UnderWay<'_> {
    /// Attempts to forge the context, wherever it might stand.
    pub async fn forgeries(&self) -> Vec<String> {
        let api = self.target.connect("appointd_api").await;
        let secrets = self.secrets().await;
        let mut holes = Vec::new();
        for parameter in [SEALED, UNSEALED] {
            for forgery in &forgeries(parameter, self.ours, self.theirs) {
                let shown = shows(&api, self.ours, self.theirs, &secrets, forgery).await;
                if !shown.is_empty() {
                    holes.push(format!("{}: {}", forgery.script, shown.join(", ")));
                }
            }
        }
        holes
    }

    /// What contacts of the other organization have and no contact of ours.
    async fn secrets(&self) -> Vec<String> {
        let sql = "select array_agg(id::text) from crm.contacts where tenant_id = $1";
        let ids = self.superuser.query_one(sql, &[&self.theirs.tenant]).await.expect("contacts");
        let mut secrets: Vec<String> = ids.get(0);
        // Told by an error.
        let names = "select last_name from crm.contacts where tenant_id = $1
                     except select last_name from crm.contacts where tenant_id = $2";
        let names = self.superuser.query(names, &[&self.theirs.tenant, &self.ours.tenant]).await;
        secrets.extend(names.expect("names").into_iter().map(|row| row.get::<_, String>(0)));
        secrets
    }
}

#[tokio::test]
async fn without_the_seal_each_forgery_works_that_the_seal_stops() {
    let system = private_system(&["max_connections=50"]).await;
    let (ours, theirs) = within(system, async { (Side::new().await, Side::new().await) }).await;
    let superuser = connect(&system.cluster, "postgres", "appointd").await;
    superuser
        .execute("update crm.contacts set last_name = 'Theirs' where tenant_id = $1", &[&theirs.tenant])
        .await
        .expect("names");
    for script in [
        include_str!("../../../../sql/setup/unsealed.sql"),
        "grant execute on function set_config(text, text, boolean) to public",
    ] {
        superuser.batch_execute(script).await.expect("no seal");
    }
    let target = Target { cluster: &system.cluster, database: "appointd".to_owned() };
    let attack = Attack { target, ours: &ours, theirs: &theirs };
    let secrets = attack.begin().await.secrets().await;
    let api = attack.target.connect("appointd_api").await;
    let mut wrong = Vec::new();
    for forgery in &forgeries(UNSEALED, &ours, &theirs) {
        let shown = shows(&api, &ours, &theirs, &secrets, forgery).await;
        if shown.is_empty() == forgery.by_seal {
            wrong.push(format!("{}: {shown:?}", forgery.script));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // And with it again none does.
    superuser.batch_execute(include_str!("../../../../sql/setup/sealed.sql")).await.expect("a seal");
    assert_eq!(attack.begin().await.forgeries().await, Vec::<String>::new());
}
