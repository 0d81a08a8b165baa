//! The handler that everybody fears: it makes a statement of what a client sends. By HTTP, and for the next user of its
//! connection, it reads the organization of its caller at most.

use std::sync::Arc;

use appointd::{
    db::{Db, Sql},
    http::{
        caller::{Member, Viewer},
        description::{complete, inlined},
        edge::{Counts, Edge, EdgeState},
        json::Json,
        limit::{Limits, Rates},
        module::{Apis, Module, Tag},
        problem::{ApiError, Reading},
        routes::Routes,
    },
};
use poem::{Endpoint, EndpointExt as _, Request, Response, Route, http::Uri};
use poem_openapi::{Object, OpenApi, OpenApiService, param::Query};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Actor, Tenant, system};

/// What was found.
#[derive(Debug, Object, Serialize)]
struct Found {
    /// Names, or what the statement was made to return.
    names: Vec<String>,
}

enum Planted {}

impl Module for Planted {
    const NAME: &str = "planted";
    const TAGS: &[Tag] = &[Tag { name: "Planted", about: "What must not be written.", paths: &["/planted"] }];
}

struct PlantedApi(Db);

#[OpenApi(prefix_path = "/api/v1")]
impl PlantedApi {
    /// Find contacts by name
    #[oai(path = "/planted", method = "get", operation_id = "find_planted")]
    async fn find(
        &self,
        caller: Member<Viewer>,
        name: Query<String>,
    ) -> Result<Json<Found>, ApiError<Reading>> {
        let file: &'static str = Box::leak(Uuid::new_v4().to_string().into_boxed_str());
        let text =
            format!("-- {file}\nselect last_name::text from crm.contacts where last_name = '{}'", name.0);
        let sql: Sql<(String,)> = Sql::from_file(file, Box::leak(text.into_boxed_str()));
        let names = self.0.all(&caller, sql, &[]).await?;
        Ok(Json(Found { names: names.into_iter().map(|(name,)| name).collect() }))
    }
}

/// The handler behind the edge, with one connection.
fn planted() -> impl Endpoint<Output = Response> {
    let service = OpenApiService::new(Apis::<Planted, _>::new(PlantedApi(system().db(1))), "planted", "1");
    let described = serde_json::from_str(&complete(&service.spec(), &[]).published).expect("JSON");
    let mut routes = Routes::default();
    routes.add(&inlined(&described));
    let edge = Edge(Arc::new(EdgeState {
        routes: Box::leak(Box::new(routes)),
        tokens: system().tokens.clone(),
        network: Arc::default(),
        limits: Arc::new(Limits::new(&Rates::default())),
        counts: Arc::new(Counts::default()),
        db: system().db(1),
        door: system().door(),
    }));
    Route::new().nest("/", service).with(edge)
}

async fn ask(endpoint: &impl Endpoint<Output = Response>, actor: &Actor, name: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://localhost/api/v1/planted", [("name", name)]);
    let url = url.expect("a URL");
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let request = Request::builder()
        .uri(path.parse::<Uri>().expect("a path"))
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", actor.token.as_deref().expect("a token")))
        .finish();
    endpoint.get_response(request).await.into_body().into_string().await.expect("text")
}

#[tokio::test]
async fn statement_made_of_what_a_client_sends_reads_one_organization() {
    let (ours, theirs) = (Tenant::new().await, Tenant::new().await);
    for (tenant, name) in [(&ours, "Oursmith"), (&theirs, "Theirsmith")] {
        let contact = json!({ "first_name": "Ann", "last_name": name });
        tenant.owner.post("/api/v1/contacts", contact).await.expect(201);
    }
    let endpoint = planted();
    // Or else what follows proves nothing.
    assert!(ask(&endpoint, &ours.owner, "x' or true -- ").await.contains("Oursmith"), "it is injected");

    let (there, Actor { account, session, email, .. }) = (theirs.id, &theirs.owner);
    let all = "select last_name::text from crm.contacts";
    let context = format!("{},{},,,owner", there.simple(), account.simple());
    for what in [
        "or true".to_owned(),
        format!("union all {all} where tenant_id = '{there}'"),
        format!("union all select set_config('app.tenant_id', '{there}', true) union all {all}"),
        format!("or set_config('app.tenant_id', '{there}', false) is not null"),
        format!("union all select query_to_xml('{}', true, true, '')::text", all.replace('\'', "''")),
        format!(
            "union all select query_to_xml('set local app.tenant_id = ''{there}''', true, true, '')::text"
        ),
        format!("union all select set_config('backtrace_functions', '{context}', true) union all {all}"),
        format!("union all select app.set_context('{context}') union all {all}"),
        format!("union all select app.set_tenant('{there}')::text union all {all}"),
        format!("or app.context_of('{there}', null, null, null, 'owner') is not null"),
        format!("; set local app.tenant_id = '{there}'; {all}"),
        format!("; set local backtrace_functions = '{context}'; {all}"),
        format!("; commit; begin; set local app.tenant_id = '{there}'; set local app.role = 'owner'; {all}"),
        format!(
            "union all select app.enter('{there}', '{account}', '{session}', null, 'viewer', null, null, null)::text"
        ),
        format!("union all select app.enter_guest('{there}', '{account}', null, null, null, null)::text"),
        format!("union all select app.enter_scheduler('{there}', null, null)::text"),
        format!("union all select encode(app.guest_proof('{there}', '{account}'), 'hex')"),
        "union all select encode(inner_pad, 'hex') from app.proof_key".to_owned(),
        format!("union all select identity.sign_in('{email}', '127.0.0.1')::text"),
        "union all select password_hash from identity.accounts".to_owned(),
        "union all select encode(secret_hash, 'hex') from identity.sessions".to_owned(),
        "union all select pg_read_file('PG_VERSION')".to_owned(),
        "or pg_advisory_lock(20260101) is not null".to_owned(),
    ] {
        let answer = ask(&endpoint, &ours.owner, &format!("x' {what} -- ")).await;
        assert!(!answer.contains("Theirsmith") && !answer.contains("$argon2"), "{what}: {answer}");
        // The next user of the connection.
        let next = ask(&endpoint, &theirs.owner, "x' or true -- ").await;
        assert!(next.contains("Theirsmith") && !next.contains("Oursmith"), "after {what}: {next}");
    }
    let locks = "select count(*) from pg_locks where locktype = 'advisory' and objid = 20260101";
    let left: i64 = system().superuser().await.query_one(locks, &[]).await.expect("a count").get(0);
    assert_eq!(left, 0);
}
