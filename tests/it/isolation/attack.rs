//! Attacks in SQL, as the server's role without the server: everything somebody who could send any statement would try to
//! reach another organization. Made from the catalog, so that a table is attacked the day it exists; the same attacks are
//! run against databases with a planted fault (`faults`), which is how we know that they find anything.
//!
//! Nobody is kept from *becoming* somebody whose ids they know: whoever can send any statement as appointd_api can. What
//! is attacked is the wall between whoever they have become and everybody else.

use std::{collections::BTreeMap, fmt};

use appointd::db::{cluster::Cluster, migrate};
use serde_json::{Map, Value};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::{Actor, Tenant, schemas, system};

/// The database that is attacked.
pub struct Target {
    pub cluster: &'static Cluster,
    pub database: String,
}

impl Target {
    pub async fn connect(&self, role: &str) -> Client {
        let url = self.cluster.url(role, &self.database).parse().expect("a URL of ours");
        migrate::connect(&url).await.expect("the database answers")
    }
}

/// An organization, as much of it as an attack needs.
pub struct Side {
    tenant: Uuid,
    people: Vec<(&'static str, Actor)>,
    /// Of all its members.
    accounts: Vec<Uuid>,
    appointment: Uuid,
    api_key: Uuid,
}

impl Side {
    pub async fn new() -> Self {
        let tenant = Tenant::new().await;
        let furnished = tenant.complete().await;
        let mut people: Vec<_> = tenant.members().map(|(role, actor)| (role, actor.clone())).into();
        people.push(("customer", tenant.customer.clone()));
        let mut accounts: Vec<_> = people.iter().map(|(_, actor)| actor.account).collect();
        accounts.push(furnished.member.parse().expect("an id"));
        let id = |text: &str| text.parse().expect("an id");
        Self {
            tenant: tenant.id,
            people,
            accounts,
            appointment: id(&furnished.appointment),
            api_key: id(&furnished.api_key),
        }
    }

    fn enter(&self, role: &str) -> String {
        let (_, actor) = self.people.iter().find(|(name, _)| *name == role).expect("somebody of the role");
        let Actor { account, session, .. } = actor;
        if role == "customer" {
            return self.enter_customer(*account, *session, self.appointment);
        }
        format!("select app.enter('{}', '{account}', '{session}', 'viewer', null, null, null)", self.tenant)
    }

    fn enter_customer(&self, account: Uuid, session: Uuid, subject: Uuid) -> String {
        let tenant = self.tenant;
        format!(
            "select app.enter_customer('{tenant}', '{account}', '{session}', '{subject}', null, null, null)"
        )
    }

    fn enter_guest(&self) -> String {
        format!("select app.enter_guest('{}', '{}', null, null, null)", self.tenant, self.appointment)
    }

    /// Everybody this side could be, and what they would enter with.
    fn contexts(&self) -> Vec<(&'static str, String)> {
        let mut contexts: Vec<_> = self.people.iter().map(|(role, _)| (*role, self.enter(role))).collect();
        contexts.push(("guest", self.enter_guest()));
        contexts.push(("scheduler", format!("select app.enter_scheduler('{}', null)", self.tenant)));
        contexts
    }

    fn accounts(&self) -> String {
        let ids: Vec<_> = self.accounts.iter().map(|id| format!("'{id}'")).collect();
        ids.join(", ")
    }
}

/// Who attacks whom, where.
pub struct Attack<'a> {
    pub target: Target,
    pub ours: &'a Side,
    pub theirs: &'a Side,
}

/// An attack under way: connections, and what the catalog says there is to attack.
pub struct UnderWay<'a> {
    target: &'a Target,
    ours: &'a Side,
    theirs: &'a Side,
    superuser: Client,
    api: Client,
    relations: Vec<Relation>,
}

/// A relation the server may touch.
#[derive(Debug)]
struct Relation {
    name: String,
    /// The column that says whose a row is; none where a row is nobody's.
    tenant: Option<String>,
    /// For rows about people.
    person: Option<String>,
    inserts: Vec<String>,
    updates: Vec<String>,
    columns: Vec<String>,
}

/// What became of a statement. It is taken back in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Rows(i64),
    Refused { sqlstate: String, message: String, detail: String },
}

impl Outcome {
    fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { sqlstate, .. } if sqlstate == wanted)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Refused { sqlstate, message, detail } => write!(f, "{sqlstate} {message} {detail}"),
        }
    }
}

/// Runs statements one by one in one transaction, each in a savepoint of its own that is rolled back: in one round trip.
pub async fn outcomes(client: &Client, enter: Option<&str>, statements: &[String]) -> Vec<Outcome> {
    client.batch_execute("begin; set local statement_timeout = '120s'").await.expect("a transaction");
    if let Some(enter) = enter
        && let Err(error) = client.batch_execute(enter).await
    {
        client.batch_execute("rollback").await.expect("a rollback");
        let refused = Outcome::Refused {
            sqlstate: "none".to_owned(),
            message: format!("nobody could enter: {enter}: {error:?}"),
            detail: String::new(),
        };
        return vec![refused; statements.len()];
    }
    let list: Vec<_> = statements.iter().map(|statement| format!("$attack${statement}$attack$")).collect();
    client
        .batch_execute(&format!(
            "do $do$
             declare
                 statement text; rows bigint; outcome jsonb; outcomes jsonb := '[]'; detail text;
             begin
                 foreach statement in array array[{}]::text[] loop
                     begin
                         execute statement;
                         get diagnostics rows = row_count;
                         raise exception using errcode = 'ZZ000';
                     exception when others then
                         get stacked diagnostics detail = pg_exception_detail;
                         outcome := case sqlstate when 'ZZ000' then to_jsonb(rows) else jsonb_build_array(sqlstate, sqlerrm, detail) end;
                     end;
                     outcomes := outcomes || jsonb_build_array(outcome);
                 end loop;
                 perform set_config('attack.outcomes', outcomes::text, true);
             end
             $do$",
            list.join(", ")
        ))
        .await
        .expect("the attempts");
    let row =
        client.query_one("select current_setting('attack.outcomes')::json", &[]).await.expect("outcomes");
    client.batch_execute("rollback").await.expect("a rollback");
    let Value::Array(values) = row.get(0) else { panic!("a list of outcomes") };
    let outcomes: Vec<_> = values
        .iter()
        .map(|value| match value {
            Value::Array(parts) => {
                let part = |at: usize| parts[at].as_str().unwrap_or_default().to_owned();
                Outcome::Refused { sqlstate: part(0), message: part(1), detail: part(2) }
            }
            rows => Outcome::Rows(rows.as_i64().expect("a number of rows")),
        })
        .collect();
    assert_eq!(outcomes.len(), statements.len());
    outcomes
}

/// A row as a record of `relation`, from its JSON with other values for some columns: what an `insert … select` takes.
pub fn record(relation: &str, row: &Value, columns: &[String], changed: &[(&str, String)]) -> String {
    let mut row: Map<String, Value> = row.as_object().expect("a row").clone();
    for (column, value) in changed {
        row.insert((*column).to_owned(), value.clone().into());
    }
    let list = columns.join(", ");
    let values: Vec<_> = columns.iter().map(|column| format!("r.{column}")).collect();
    format!(
        "insert into {relation} ({list}) select {} from jsonb_populate_record(null::{relation}, $row${}$row$) as r",
        values.join(", "),
        Value::Object(row)
    )
}

impl Attack<'_> {
    /// Connects, and looks what there is: everything the server may touch, in whatever schema, also partitions, views and
    /// what is not ours.
    pub async fn begin(&self) -> UnderWay<'_> {
        let superuser = self.target.connect("postgres").await;
        let rows = superuser
            .query(
                "select c.oid::regclass::text,
                        coalesce(array_agg(a.attname::text) filter (where has_column_privilege('appointd_api', c.oid, a.attnum, 'insert') and a.attgenerated = ''), '{}'),
                        coalesce(array_agg(a.attname::text) filter (where has_column_privilege('appointd_api', c.oid, a.attnum, 'update') and a.attgenerated = ''), '{}'),
                        array_agg(a.attname::text)
                 from pg_class c
                 join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f')
                   and c.relnamespace::regnamespace::text !~ '^pg_' and c.relpersistence <> 't'
                 group by c.oid order by 1",
                &[],
            )
            .await
            .expect("relations");
        let relations = rows
            .into_iter()
            .map(|row| {
                let (name, columns): (String, Vec<String>) = (row.get(0), row.get(3));
                let has = |column: &str| columns.iter().any(|name| name == column).then(|| column.to_owned());
                let tenant = has("tenant_id").or_else(|| match name.as_str() {
                    "tenancy.organizations" => Some("id".to_owned()),
                    _ => has("organization_id").filter(|_| name != "identity.sessions"),
                });
                let person = match name.as_str() {
                    "identity.accounts" => Some("id".to_owned()),
                    name if name.starts_with("identity.") => has("account_id"),
                    _ => None,
                };
                Relation { name, tenant, person, inserts: row.get(1), updates: row.get(2), columns }
            })
            .collect();
        UnderWay {
            api: self.target.connect("appointd_api").await,
            target: &self.target,
            ours: self.ours,
            theirs: self.theirs,
            superuser,
            relations,
        }
    }
}

impl UnderWay<'_> {
    /// Begins a transaction. In a database with a fault that may fail, and then that is found.
    async fn begin(&self, script: &str, holes: &mut Vec<String>) -> bool {
        let result = self.api.batch_execute(&format!("begin; {script}")).await;
        if let Err(error) = &result {
            holes.push(format!("{script}: {error:?}"));
            self.api.batch_execute("rollback").await.expect("a rollback");
        }
        result.is_ok()
    }

    /// A row of each table of one side, as no policy holds the superuser.
    async fn rows(&self, side: &Side) -> BTreeMap<String, Value> {
        let mut rows = BTreeMap::new();
        for relation in &self.relations {
            let filter = match (&relation.tenant, &relation.person) {
                (Some(column), _) => format!("{column} = '{}'", side.tenant),
                (None, Some(column)) => format!("{column} in ({})", side.accounts()),
                _ => continue,
            };
            let sql = format!("select to_json(r) from {} as r where {filter} limit 1", relation.name);
            if let Some(row) = self.superuser.query_opt(&sql, &[]).await.expect("a row") {
                rows.insert(relation.name.clone(), row.get(0));
            }
        }
        rows
    }

    /// All attacks, and what each found. Nothing, where the wall holds.
    pub async fn run(&self) -> Vec<(&'static str, String)> {
        [
            ("reads", self.reads().await),
            ("writes", self.writes().await),
            ("inserts", self.inserts().await),
            ("upserts", self.upserts().await),
            ("foreign_keys", self.foreign_keys().await),
            ("commands", self.commands().await),
            ("plans", self.plans().await),
            ("entering", self.entering().await),
            ("double_booking", self.double_booking().await),
            ("statistics", self.statistics().await),
        ]
        .into_iter()
        .flat_map(|(attack, holes)| holes.into_iter().map(move |hole| (attack, hole)))
        .collect()
    }

    /// Reads everything as everybody, and as nobody: with no context, an empty one, one of an unknown organization.
    pub async fn reads(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let mut holes = Vec::new();
        let foreign: Vec<_> = relations
            .iter()
            .filter_map(|relation| {
                let Relation { name, tenant, person, .. } = relation;
                let (ours, own) = (self.ours.tenant, self.ours.accounts());
                match (tenant, person) {
                    (Some(column), _) => {
                        Some(format!("select {column} from {name} where {column} <> '{ours}'"))
                    }
                    (None, Some(column)) => {
                        Some(format!("select {column} from {name} where {column} not in ({own})"))
                    }
                    _ => None,
                }
            })
            .collect();
        let unknown = format!("set local app.tenant_id = '{}'; set local app.role = 'owner'", Uuid::new_v4());
        let mut contexts = self.ours.contexts();
        contexts.push(("an unknown organization", unknown));
        for (who, enter) in contexts {
            for (statement, outcome) in foreign.iter().zip(outcomes(api, Some(&enter), &foreign).await) {
                if matches!(outcome, Outcome::Rows(1..)) || outcome.is("22P02") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        let nothing: Vec<_> = relations
            .iter()
            .filter(|relation| relation.name != "app.migrations")
            .flat_map(|relation| {
                relation.columns.iter().map(|column| format!("select {column} from {}", relation.name))
            })
            .collect();
        // On this connection, too, the settings are empty strings by now; on the other nobody ever set them.
        let fresh = self.target.connect("appointd_api").await;
        for (who, client, enter) in [
            ("nobody", &fresh, None),
            ("nobody any more", api, None),
            ("an empty context", api, Some("set local app.tenant_id = ''")),
        ] {
            for (statement, outcome) in nothing.iter().zip(outcomes(client, enter, &nothing).await) {
                if !matches!(outcome, Outcome::Rows(0)) && !outcome.is("42501") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Changes and deletes rows of the other side, by name and blindly.
    pub async fn writes(&self) -> Vec<String> {
        let (superuser, api) = (&self.superuser, &self.api);
        let relations = &self.relations;
        let mut statements = Vec::new();
        for Relation { name, tenant, person, updates, .. } in relations {
            let filter = match (tenant, person) {
                (Some(column), _) => format!("{column} = '{}'", self.theirs.tenant),
                (None, Some(column)) => format!("{column} in ({})", self.theirs.accounts()),
                _ => continue,
            };
            let column = updates.first();
            statements.extend(
                column.map(|column| (format!("update {name} set {column} = {column} where {filter}"), 0)),
            );
            statements.push((format!("delete from {name} where {filter}"), 0));
            let own = match (tenant, person) {
                (Some(column), _) => format!("{column} = '{}'", self.ours.tenant),
                (_, Some(column)) => format!("{column} in ({})", self.ours.accounts()),
                _ => continue,
            };
            let own: i64 = superuser
                .query_one(&format!("select count(*) from {name} where {own}"), &[])
                .await
                .expect("a count")
                .get(0);
            // Without a WHERE no column is read, and the policies for reading are not asked.
            statements.extend(column.map(|column| (format!("update {name} set {column} = default"), own)));
            statements.push((format!("delete from {name}"), own));
        }
        let texts: Vec<_> = statements.iter().map(|(statement, _)| statement.clone()).collect();
        let mut holes = Vec::new();
        let mut contexts: Vec<_> =
            self.ours.contexts().into_iter().map(|(who, enter)| (who, Some(enter))).collect();
        contexts.push(("nobody", None));
        for (who, enter) in contexts {
            for ((statement, most), outcome) in
                statements.iter().zip(outcomes(api, enter.as_deref(), &texts).await)
            {
                let most = if enter.is_none() { 0 } else { *most };
                // A constraint or trigger that refuses a change of a row of theirs has met it.
                let met = most == 0
                    && matches!(&outcome, Outcome::Refused { sqlstate, .. } if sqlstate.starts_with("23"));
                if matches!(outcome, Outcome::Rows(rows) if rows > most) || met {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Adds rows to the other side, and gives rows of ours away.
    pub async fn inserts(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let theirs = self.rows(self.theirs).await;
        let mut statements = Vec::new();
        for relation in relations {
            let (Some(column), Some(row)) = (&relation.tenant, theirs.get(&relation.name)) else { continue };
            let mut columns = relation.inserts.clone();
            if !columns.contains(column) {
                columns.push(column.clone());
            }
            // A new row of theirs: what else would be in its way is not.
            let fresh = |name: &'static str| (name, Uuid::new_v4().to_string());
            let changed: Vec<_> = ["id"]
                .into_iter()
                .filter(|name| name != column && row.get(*name).is_some())
                .map(fresh)
                .collect();
            statements.push(record(&relation.name, row, &columns, &changed));
            statements.push(format!("update {} set {column} = '{}'", relation.name, self.theirs.tenant));
        }
        let mut holes = Vec::new();
        for (who, enter) in self.ours.contexts() {
            for (statement, outcome) in statements.iter().zip(outcomes(api, Some(&enter), &statements).await)
            {
                if !outcome.is("42501") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Adds rows of ours with the keys of theirs: they must be as free as any other.
    pub async fn upserts(&self) -> Vec<String> {
        // Shared on purpose: a host leads to one organization, and nobody is in two places.
        const SHARED: [&str; 2] = ["tenancy.verified_domains", "scheduling.shared_claims"];
        let api = &self.api;
        let relations = &self.relations;
        let theirs = self.rows(self.theirs).await;
        let statements: Vec<_> = relations
            .iter()
            .filter(|relation| {
                relation.tenant.is_some()
                    && !SHARED.contains(&relation.name.as_str())
                    && !relation.inserts.is_empty()
            })
            .filter_map(|relation| Some((relation, theirs.get(&relation.name)?)))
            .flat_map(|(relation, row)| {
                let insert = record(&relation.name, row, &relation.inserts, &[]);
                [format!("{insert} on conflict do nothing"), insert]
            })
            .collect();
        let mut holes = Vec::new();
        for (statement, outcome) in
            statements.iter().zip(outcomes(api, Some(&self.ours.enter("owner")), &statements).await)
        {
            let met = outcome == Outcome::Rows(0) || outcome.is("23505") || outcome.is("23P01");
            if met || matches!(&outcome, Outcome::Refused { detail, .. } if detail.contains("=(")) {
                holes.push(format!("{statement}: {outcome}"));
            }
        }
        holes
    }

    /// Rows of ours that lead to rows of theirs: as if those were not there.
    pub async fn foreign_keys(&self) -> Vec<String> {
        let (superuser, api) = (&self.superuser, &self.api);
        let relations = &self.relations;
        let (ours, theirs) = (self.rows(self.ours).await, self.rows(self.theirs).await);
        let keys = superuser
            .query(
                "select k.conrelid::regclass::text, k.confrelid::regclass::text, here.attname::text, there.attname::text
                 from pg_constraint k
                 cross join unnest(k.conkey, k.confkey) as pair (here, there)
                 join pg_attribute here on here.attrelid = k.conrelid and here.attnum = pair.here
                 join pg_attribute there on there.attrelid = k.confrelid and there.attnum = pair.there
                 where k.contype = 'f' and k.conparentid = 0 and here.atttypid = 'uuid'::regtype and here.attname <> 'tenant_id'
                 order by 1, 2, 3",
                &[],
            )
            .await
            .expect("foreign keys");
        let mut statements = Vec::new();
        for key in keys {
            let (child, parent, here, there): (String, String, String, String) =
                (key.get(0), key.get(1), key.get(2), key.get(3));
            let Some(relation) = relations.iter().find(|relation| relation.name == child) else { continue };
            let (Some(row), Some(target)) = (ours.get(&child), theirs.get(&parent)) else { continue };
            // People are in no organization.
            if relation.tenant.is_none() || parent == "identity.accounts" {
                continue;
            }
            for value in [target[&there].as_str().unwrap_or_default().to_owned(), Uuid::new_v4().to_string()]
            {
                let mut changed = vec![(here.as_str(), value.clone())];
                if here != "id" && row.get("id").is_some() {
                    changed.push(("id", "00000000-0000-4000-8000-000000000000".to_owned()));
                }
                statements.push(record(&child, row, &relation.inserts, &changed));
                statements.push(format!("update {child} set {here} = '{value}'"));
            }
        }
        let outcomes = outcomes(api, Some(&self.ours.enter("owner")), &statements).await;
        let mut holes = Vec::new();
        let mut refused = 0;
        for (pair, outcome) in statements.chunks(4).zip(outcomes.chunks(4)) {
            for way in [0, 1] {
                let (foreign, missing) = (&outcome[way], &outcome[way + 2]);
                refused += usize::from(missing.is("23503"));
                let accepted = matches!(foreign, Outcome::Rows(1..)) && missing.is("23503");
                if accepted || foreign != missing {
                    holes.push(format!("{}: {foreign}; of nobody: {missing}", pair[way]));
                }
            }
        }
        if refused < 10 {
            holes.push(format!("only {refused} foreign keys were met"));
        }
        holes
    }

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
        // COPY reads what a query would, and writes nothing past the policies. The driver gives a connection up on which
        // that was refused.
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

    /// Statements prepared as one and run as another: in the other organization, in a lower role, as nobody.
    pub async fn plans(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let mut holes = Vec::new();
        // A plan for one call only is made as that of any other query.
        api.batch_execute("set plan_cache_mode = force_generic_plan").await.expect("a setting");
        for Relation { name, tenant, .. } in relations {
            let Some(column) = tenant else { continue };
            // Planned for the one who asks first.
            if !self.begin(&self.theirs.enter("owner"), &mut holes).await {
                return holes;
            }
            let prepared = api.prepare(&format!("select {column} from {name}")).await;
            if let Ok(statement) = &prepared {
                let _ = api.query(statement, &[]).await;
            }
            api.batch_execute("rollback").await.expect("a rollback");
            let Ok(statement) = prepared else { continue };
            for (who, enter) in self.ours.contexts() {
                if !["owner", "viewer", "customer", "guest"].contains(&who)
                    || !self.begin(&enter, &mut holes).await
                {
                    continue;
                }
                if let Ok(rows) = api.query(&statement, &[]).await
                    && rows.iter().any(|row| row.get::<_, Uuid>(0) != self.ours.tenant)
                {
                    holes.push(format!("{who}: {name}"));
                }
                api.batch_execute("rollback").await.expect("a rollback");
            }
            if let Ok(rows) = api.query(&statement, &[]).await
                && !rows.is_empty()
            {
                holes.push(format!("nobody: {name}"));
            }
        }
        holes
    }

    /// Enters where one may not; twice; out of a savepoint; and looks what is left behind.
    pub async fn entering(&self) -> Vec<String> {
        let (api, ours, theirs) = (&self.api, self.ours, self.theirs);
        let person = |side: &Side, role: &str| {
            let (_, actor) = side.people.iter().find(|(name, _)| *name == role).expect("somebody");
            (actor.account, actor.session)
        };
        let ((owner, session), (staff, staffs), (customer, customers), (foreign, foreigns)) =
            (person(ours, "owner"), person(ours, "staff"), person(ours, "customer"), person(theirs, "owner"));
        let enter = |tenant: Uuid, account: Uuid, session: Uuid, needs: &str| {
            format!("select app.enter('{tenant}', '{account}', '{session}', '{needs}', null, null, null)")
        };
        let key = Uuid::new_v4();
        let statements = vec![
            enter(theirs.tenant, owner, session, "viewer"),
            enter(Uuid::new_v4(), owner, session, "viewer"),
            enter(ours.tenant, Uuid::new_v4(), session, "viewer"),
            enter(ours.tenant, owner, Uuid::new_v4(), "viewer"),
            enter(ours.tenant, owner, staffs, "viewer"),
            enter(ours.tenant, foreign, foreigns, "viewer"),
            enter(ours.tenant, owner, session, "god"),
            enter(ours.tenant, staff, staffs, "manager"),
            enter(ours.tenant, owner, session, "customer"),
            enter(ours.tenant, customer, customers, "viewer"),
            format!("select app.enter('{}', null, '{session}', 'viewer', null, null, null)", ours.tenant),
            format!("select app.enter(null, '{owner}', '{session}', 'viewer', null, null, null)"),
            format!(
                "select app.enter('{}', '{owner}', '{session}', 'viewer', null, 'nobodys.example', null)",
                ours.tenant
            ),
            format!(
                "select app.enter_by_key('{}', '{}', sha256('x'), 'viewer', 'crm:read', null, null, null)",
                theirs.tenant, theirs.api_key
            ),
            format!(
                "select app.enter_by_key('{}', '{}', sha256('x'), 'viewer', 'crm:read', null, null, null)",
                theirs.tenant, ours.api_key
            ),
            format!("select app.enter_account('{foreign}', '{session}', null, null)"),
            theirs.enter_customer(customer, customers, theirs.appointment),
            ours.enter_customer(owner, session, ours.appointment),
            ours.enter_customer(customer, session, ours.appointment),
            ours.enter_customer(foreign, foreigns, ours.appointment),
            format!(
                "select app.enter_customer('{}', '{customer}', '{customers}', null, null, null, null)",
                ours.tenant
            ),
            format!("select app.enter_guest('{}', null, null, null, null)", theirs.tenant),
            format!("select app.enter_guest('{}', '{key}', null, null, null)", Uuid::new_v4()),
        ];
        let mut holes: Vec<_> = statements
            .iter()
            .zip(outcomes(api, None, &statements).await)
            .filter(|(_, outcome)| !matches!(outcome, Outcome::Refused { sqlstate, .. } if sqlstate.starts_with("AP")))
            .map(|(statement, outcome)| format!("{statement}: {outcome}"))
            .collect();
        // Once in, nobody moves on to another.
        let twice =
            vec![theirs.enter("owner"), theirs.enter_guest(), enter(ours.tenant, owner, session, "viewer")];
        let contexts = [
            ("owner", ours.enter("owner")),
            ("guest", ours.enter_guest()),
            ("customer", ours.enter("customer")),
        ];
        for (who, context) in contexts {
            for (statement, outcome) in twice.iter().zip(outcomes(api, Some(&context), &twice).await) {
                if !outcome.is("55000") {
                    holes.push(format!("{who}, again: {statement}: {outcome}"));
                }
            }
        }
        // A failed attempt, and one that was taken back, leave the context as it was.
        let count = "select count(*) filter (where tenant_id <> $1), count(*) from crm.contacts";
        for (what, script) in [
            ("a failed second one", format!("{}; savepoint s", ours.enter("owner"))),
            ("one in a savepoint", format!("savepoint s; {}", theirs.enter("owner"))),
        ] {
            if !self.begin(&script, &mut holes).await {
                continue;
            }
            let _ = api.batch_execute(&theirs.enter("owner")).await;
            api.batch_execute("rollback to savepoint s").await.expect("a savepoint");
            let row = api.query_one(count, &[&ours.tenant]).await.expect("a count");
            let (foreign, all): (i64, i64) = (row.get(0), row.get(1));
            if foreign > 0 || (what == "one in a savepoint" && all > 0) {
                holes.push(format!("after {what}: {foreign} of {all} rows are theirs"));
            }
            api.batch_execute("rollback").await.expect("a rollback");
        }
        for ending in ["commit", "rollback", "select 1/0"] {
            if !self.begin(&ours.enter("owner"), &mut holes).await {
                continue;
            }
            if api.batch_execute(ending).await.is_err() {
                api.batch_execute("rollback").await.expect("a rollback");
            }
            let all: i64 = api.query_one(count, &[&ours.tenant]).await.expect("a count").get(1);
            if all > 0 {
                holes.push(format!("after {ending}: {all} rows"));
            }
        }
        holes
    }

    /// Two claims of one time, two people in one seat, somebody in two places: refused by the database itself.
    pub async fn double_booking(&self) -> Vec<String> {
        let superuser = &self.superuser;
        let claim = |changed: &str| {
            format!(
                "insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at, seat, capacity, group_key, service_id)
                 select tenant_id, gen_random_uuid(), resource_id, appointment_id, {changed}
                 from scheduling.claims where tenant_id = '{}' and appointment_id is not null limit 1",
                self.ours.tenant
            )
        };
        let statements = vec![
            claim("starts_at, ends_at, seat, capacity, group_key, service_id"),
            claim("starts_at + interval '1 minute', ends_at + interval '1 minute', seat, capacity, group_key, service_id"),
            format!(
                "with seats as (select id, resource_id, appointment_id, gen_random_uuid() as of_session from scheduling.claims
                                where tenant_id = '{0}' and appointment_id is not null and capacity = 1 limit 1)
                 insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at, seat, capacity, group_key)
                 select '{0}', gen_random_uuid(), resource_id, appointment_id, '2040-01-01', '2040-01-02', 1, 2, of_session
                 from seats, generate_series(1, 2)",
                self.ours.tenant
            ),
            format!(
                "update scheduling.shared_claims set account_id = (
                     select account_id from scheduling.shared_claims where tenant_id = '{}' limit 1
                 ), starts_at = (select starts_at from scheduling.shared_claims where tenant_id = '{}' limit 1),
                    ends_at = (select ends_at from scheduling.shared_claims where tenant_id = '{}' limit 1)
                 where tenant_id = '{}'",
                self.ours.tenant, self.ours.tenant, self.ours.tenant, self.theirs.tenant
            ),
        ];
        let expected = [["23P01", "23P01"], ["23P01", "23P01"], ["23505", "23P01"], ["23P01", "23P01"]];
        statements
            .iter()
            .zip(outcomes(superuser, None, &statements).await)
            .zip(expected)
            .filter(|((_, outcome), expected)| !expected.iter().any(|sqlstate| outcome.is(sqlstate)))
            .map(|((statement, outcome), _)| format!("{statement}: {outcome}"))
            .collect()
    }

    /// What the planner knows of everybody's rows.
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
                 union all select format('sequence %s.%s', schemaname, sequencename) from pg_sequences",
                &[],
            )
            .await
            .expect("statistics");
        holes.extend(rows.into_iter().map(|row| row.get::<_, String>(0)));
        holes
    }
}

/// The attacks one by one, on the database as it is, so that a failure has the attack's name.
macro_rules! attacks {
    ($($name:ident),*) => { $(
        #[tokio::test]
        async fn $name() {
            let (ours, theirs) = (Side::new().await, Side::new().await);
            let target = Target { cluster: &system().cluster, database: "appointd".to_owned() };
            let attack = Attack { target, ours: &ours, theirs: &theirs };
            assert_eq!(attack.begin().await.$name().await, Vec::<String>::new());
        }
    )* };
}

attacks!(
    reads,
    writes,
    inserts,
    upserts,
    foreign_keys,
    commands,
    plans,
    entering,
    double_booking,
    statistics
);
