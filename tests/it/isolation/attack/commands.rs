//! What no policy holds, and what would make something that is not held.

use crate::{
    harness::schemas,
    isolation::attack::{Relation, UnderWay, outcomes},
};

impl UnderWay<'_> {
    /// What no policy holds, and what would make something that is not held.
    pub async fn commands(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let mut statements: Vec<String> = relations
            .iter()
            .flat_map(|Relation { name, .. }| {
                [
                    format!("truncate {name}"),
                    format!("alter table {name} disable row level security"),
                    format!("alter table {name} no force row level security"),
                    format!("create policy mine on {name} using (true)"),
                    format!("create trigger mine before insert on {name} execute function operations.record_change()"),
                    format!("create index on {name} ((1))"),
                    format!("drop table {name} cascade"),
                ]
            })
            .collect();
        for schema in schemas(&self.superuser).await {
            statements.push(format!("create table {schema}.mine ()"));
            statements.push(format!("create function {schema}.mine() returns void language sql as ''"));
            statements.push(format!("create view {schema}.mine as select 1"));
            statements.push(format!(
                "create operator {schema}.=== (function = texteq, leftarg = text, rightarg = text)"
            ));
        }
        statements.extend(
            [
                "create temporary table contacts ()",
                "create temporary view contacts as select 1",
                "create schema mine",
                "create role mine",
                "create extension dblink",
                "create publication mine for all tables",
                "create event trigger mine on ddl_command_end execute function operations.record_change()",
                "alter role appointd_api bypassrls",
                "alter role appointd_api set app.tenant_id = 'x'",
                "alter database appointd set row_security = off",
                "set local role appointd_owner",
                "set local role appointd_gate",
                "set local role postgres",
                "set local session authorization appointd_owner",
                "set local session_replication_role = replica",
                "call app.build_wall('crm.contacts', 'viewer')",
                "call app.admit('crm.contacts', 'appointd_api', array['all'])",
                "select app.export_tenant(null)",
                "select app.delete_tenant(null)",
                "select app.import_rows(null, null, null)",
                "select tenancy.list_organizations()",
                "select identity.purge_expired()",
                "select operations.drop_audit_before('2100-01-01')",
                "select pg_read_file('PG_VERSION')",
                "select pg_ls_dir('.')",
                "select lo_create(0)",
                "select lo_from_bytea(0, 'x')",
                "select lo_import('/etc/hosts')",
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
                "select pg_create_logical_replication_slot('mine', 'test_decoding')",
                "select * from pg_statistic",
                "select * from pg_authid",
                "select * from pg_largeobject",
                "copy crm.contacts to '/tmp/contacts'",
                "copy crm.contacts to program 'cat'",
                "insert into operations.audit_events (action) values ('insert')",
                "update operations.audit_events set actor_id = null",
                "delete from operations.audit_events",
                "insert into app.migrations values (1)",
            ]
            .map(ToOwned::to_owned),
        );
        let mut holes = Vec::new();
        for (statement, outcome) in
            statements.iter().zip(outcomes(api, Some(&self.ours.enter("owner")), &statements).await)
        {
            // Not allowed; or, of views and the like, not a thing that can be done.
            if !["42501", "42809", "42P16", "0A000"].iter().any(|refusal| outcome.is(refusal)) {
                holes.push(format!("{statement}: {outcome}"));
            }
        }
        // With row_security off a query fails rather than shows.
        for Relation { name, tenant, .. } in relations {
            if tenant.is_none() {
                continue;
            }
            let script = format!("{}; set local row_security = off", self.ours.enter("owner"));
            if !self.begin(&script, &mut holes).await {
                continue;
            }
            if let Ok(rows) = api.query(&format!("select from {name}"), &[]).await {
                holes.push(format!("{name} with row_security off: {} rows", rows.len()));
            }
            api.batch_execute("rollback").await.expect("a rollback");
        }
        // COPY reads what a query would, and writes nothing past the policies. The driver gives a connection up on
        // which that was refused.
        let api = self.target.connect("appointd_api").await;
        if let Err(error) = api.batch_execute(&format!("begin; {}", self.ours.enter("owner"))).await {
            holes.push(format!("copy: {error:?}"));
            return holes;
        }
        let there = self.theirs.tenant.to_string();
        match api.copy_out("copy (select tenant_id from crm.contacts) to stdout").await {
            Ok(stream) => {
                use futures_util::TryStreamExt as _;
                let copied: Vec<_> = stream.try_collect().await.expect("rows");
                let text: String = copied.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
                if text.contains(&there) || !text.contains(&self.ours.tenant.to_string()) {
                    holes.push("copy to stdout".to_owned());
                }
            }
            Err(error) => holes.push(format!("copy to stdout: {error:?}")),
        }
        if api.copy_in::<_, &[u8]>("copy crm.contacts (id, first_name, last_name) from stdin").await.is_ok() {
            holes.push("copy from stdin".to_owned());
        }
        holes
    }

    /// Statistics of the planner, which contain values of all organizations.
    pub async fn statistics(&self) -> Vec<String> {
        let (superuser, api) = (&self.superuser, &self.api);
        let names: Vec<_> = self.relations.iter().map(|relation| relation.name.as_str()).collect();
        superuser.batch_execute(&format!("analyze {}", names.join(", "))).await.expect("statistics");
        let mut holes = Vec::new();
        if !self.begin(&self.ours.enter("owner"), &mut holes).await {
            return holes;
        }
        let rows = api
            .query(
                "select format('%s.%s.%s', schemaname, tablename, attname) from pg_stats
                 where tablename <> 'migrations' and schemaname !~ '^pg_' and schemaname <> 'information_schema'
                 union all select format('%s.%s', schemaname, tablename) from pg_stats_ext
                 union all select format('sequence %s.%s', schemaname, sequencename) from pg_sequences
                 where (schemaname, sequencename) <> ('messaging', 'outbox_seq_seq') or last_value is not null",
                &[],
            )
            .await
            .expect("statistics");
        holes.extend(rows.into_iter().map(|row| row.get::<_, String>(0)));
        holes
    }
}
