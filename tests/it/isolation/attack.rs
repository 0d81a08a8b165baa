//! Attacks in SQL, as the server's role without the server: what an attacker who can send any statement would try to
//! reach another organization. Made from the catalog, so that a table is attacked the day it exists; the same attacks
//! are run against databases with a planted fault (`faults`), which is how we know that they find anything.
//!
//! An attacker who can send any statement as appointd_api can *enter* as each person whose session they have the secret
//! of: ids are not enough. What is attacked is the wall between the person they entered as and all others.

mod commands;
mod contexts;
mod forgeries;
mod injections;
mod keys;
mod rows;

use std::{collections::BTreeMap, fmt};

use appointd::db::cluster::Cluster;
use serde_json::{Map, Value};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::{Actor, Tenant, connect, proofs, system};

/// The database that is attacked.
pub struct Target {
    pub cluster: &'static Cluster,
    pub database: String,
}

impl Target {
    pub async fn connect(&self, role: &str) -> Client {
        connect(self.cluster, role, &self.database).await
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
    /// Of a guest with the link of the appointment, and of the scheduler.
    proofs: [String; 2],
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
            proofs: proofs(tenant.id, id(&furnished.appointment)).await,
        }
    }

    fn enter(&self, role: &str) -> String {
        let (_, actor) = self.people.iter().find(|(name, _)| *name == role).expect("a person of the role");
        let Actor { account, session, .. } = actor;
        if role == "customer" {
            return self.enter_customer(*account, *session, self.appointment);
        }
        format!(
            "select app.enter('{}', '{account}', '{session}', uuid_send('{session}'), 'viewer', null, null, null)",
            self.tenant
        )
    }

    /// Sets what is the context where it is not sealed.
    fn forge(&self, role: &str) -> String {
        format!("set local app.context = '{}'", self.context(role))
    }

    /// The context of the owner, in another role.
    fn context(&self, role: &str) -> String {
        let (_, owner) = &self.people[4];
        format!("{},{},,,{role}", self.tenant.simple(), owner.account.simple())
    }

    fn enter_customer(&self, account: Uuid, session: Uuid, subject: Uuid) -> String {
        let tenant = self.tenant;
        format!(
            "select app.enter_customer('{tenant}', '{account}', '{session}', uuid_send('{session}'), '{subject}', null, null, null)"
        )
    }

    fn enter_guest(&self) -> String {
        format!(
            "select app.enter_guest('{}', '{}', {}, null, null, null)",
            self.tenant, self.appointment, self.proofs[0]
        )
    }

    /// All contexts of this side, and what enters them.
    fn contexts(&self) -> Vec<(&'static str, String)> {
        let mut contexts: Vec<_> = self.people.iter().map(|(role, _)| (*role, self.enter(role))).collect();
        contexts.push(("guest", self.enter_guest()));
        contexts.push((
            "scheduler",
            format!("select app.enter_scheduler('{}', {}, null)", self.tenant, self.proofs[1]),
        ));
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
    /// The column that says whose a row is; none in tables that belong to no organization.
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

/// Runs statements one by one in one transaction, each in a savepoint of its own that is rolled back: in one round
/// trip.
pub async fn outcomes(client: &Client, enter: Option<&str>, statements: &[String]) -> Vec<Outcome> {
    client.batch_execute("begin; set local statement_timeout = '120s'").await.expect("a transaction");
    if let Some(enter) = enter
        && let Err(error) = client.batch_execute(enter).await
    {
        client.batch_execute("rollback").await.expect("a rollback");
        let refused = Outcome::Refused {
            sqlstate: "none".to_owned(),
            message: format!("entering failed: {enter}: {error:?}"),
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
                 execute format('set local attack.outcomes = %L', outcomes);
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
    /// Connects, and reads what there is: everything the server may touch, in every schema, also partitions, views and
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
            ("injections", self.injections().await),
            ("forgeries", self.forgeries().await),
        ]
        .into_iter()
        .flat_map(|(attack, holes)| holes.into_iter().map(move |hole| (attack, hole)))
        .collect()
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
    statistics,
    injections,
    forgeries
);
