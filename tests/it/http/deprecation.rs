//! What a later version removes is said once, and told everywhere: here of a test API, since nothing of the product is.

use std::sync::Arc;

use appointd::{
    db::{DatabaseUrl, Db, FrontDoor},
    http::{
        client::Network,
        deprecation::{Deprecated, Part, day},
        description::{complete, inlined},
        edge::{Counts, Edge, EdgeState},
        json::Json,
        limit::{Limits, Rates},
        module::{Apis, Module, Tag},
        problem::{ApiError, Open, Problem},
        routes::Routes,
        token::{SigningKey, Tokens},
    },
};
use poem::{
    Endpoint as _, EndpointExt as _, Request, Response, Route,
    http::{Method, StatusCode, Uri},
};
use poem_openapi::{Object, OpenApi, OpenApiService, param::Query};
use serde::Serialize;
use serde_json::{Value, json};

/// A thing.
#[derive(Debug, Object, Serialize)]
struct Thing {
    /// What it is called.
    name: String,
    /// What it was called before.
    label: Option<String>,
}

const TAGS: &[Tag] = &[Tag { name: "Things", about: "Things and items.", paths: &["/things", "/items"] }];

/// The module, with or without something that is deprecated.
struct Things<const AGED: bool>;

impl<const AGED: bool> Module for Things<AGED> {
    const NAME: &str = "things";
    const TAGS: &[Tag] = TAGS;
    const DEPRECATED: &[Deprecated] = if AGED {
        &[
            Deprecated {
                part: Part::Operation("list_things"),
                since: day(2026, 12, 1),
                sunset: day(2027, 6, 30),
                instead: "Use `GET /api/v1/items`.",
            },
            Deprecated {
                part: Part::Parameter("list_items", "label"),
                since: day(2026, 12, 1),
                sunset: day(2027, 6, 30),
                instead: "Use `name`.",
            },
            Deprecated {
                part: Part::Field("Thing", "label"),
                since: day(2026, 12, 1),
                sunset: day(2027, 6, 30),
                instead: "Use `name`.",
            },
        ]
    } else {
        &[]
    };
}

struct ThingsApi;

#[OpenApi(prefix_path = "/api/v1")]
impl ThingsApi {
    /// List things
    #[oai(path = "/things", method = "get", operation_id = "list_things")]
    async fn list_things(&self, name: Query<Option<String>>) -> Result<Json<Thing>, ApiError<Open>> {
        match name.0 {
            Some(_) => Err(Problem::unavailable("try_again", "Not now."))?,
            None => Ok(Json(Thing { name: "kettle".to_owned(), label: None })),
        }
    }

    /// List items
    #[oai(path = "/items", method = "get", operation_id = "list_items")]
    async fn list_items(&self, label: Query<Option<String>>) -> Result<Json<Thing>, ApiError<Open>> {
        Ok(Json(Thing { name: "kettle".to_owned(), label: label.0 }))
    }
}

fn described<const AGED: bool>() -> Value {
    let service = OpenApiService::new(Apis::<Things<AGED>, _>::new(ThingsApi), "things", "1");
    inlined(&serde_json::from_str(&complete(&service.spec(), &[]).published).expect("JSON"))
}

/// The answer of the test API behind the edge.
async fn answer<const AGED: bool>(method: Method, path: &'static str) -> Response {
    let keys = [SigningKey::from_bytes([7; 32])];
    let mut routes = Routes::default();
    routes.add(&described::<AGED>());
    let edge = Edge(Arc::new(EdgeState {
        routes: Box::leak(Box::new(routes)),
        tokens: Arc::new(Tokens::new(&keys, &keys).expect("a key")),
        network: Arc::new(Network::default()),
        limits: Arc::new(Limits::new(&Rates::default())),
        counts: Arc::new(Counts::default()),
        db: Db::new(&DatabaseUrl::nowhere(), 1),
        door: FrontDoor::new(&DatabaseUrl::nowhere(), 1),
    }));
    let service = OpenApiService::new(Apis::<Things<AGED>, _>::new(ThingsApi), "things", "1");
    let service = Route::new().nest("/", service).with(edge).boxed();
    let request = Request::builder().method(method).uri(Uri::from_static(path)).header("host", "localhost");
    service.get_response(request.finish()).await
}

fn headers(response: &Response) -> [Option<&str>; 2] {
    ["deprecation", "sunset"].map(|name| response.header(name))
}

/// 1 December 2026 in seconds since 1970, and 30 June 2027 as HTTP writes dates.
const ANNOUNCED: [Option<&str>; 2] = [Some("@1796083200"), Some("Wed, 30 Jun 2027 00:00:00 GMT")];

#[tokio::test]
async fn deprecated_operation_announces_its_end_in_every_answer() {
    for (method, path, status) in [
        (Method::GET, "/api/v1/things", StatusCode::OK),
        (Method::HEAD, "/api/v1/things", StatusCode::OK),
        (Method::GET, "/api/v1/things/", StatusCode::OK),
        (Method::GET, "/api/v1/things?name=kettle", StatusCode::SERVICE_UNAVAILABLE),
        (Method::GET, "/api/v1/things?colour=red", StatusCode::BAD_REQUEST),
    ] {
        let response = answer::<true>(method.clone(), path).await;
        assert_eq!((response.status(), headers(&response)), (status, ANNOUNCED), "{method} {path}");
    }
    // Another method is no deprecated operation, and neither is another path, nor a deprecated parameter.
    for (method, path) in
        [(Method::POST, "/api/v1/things"), (Method::GET, "/api/v1/items?label=a"), (Method::GET, "/api/v1/x")]
    {
        assert_eq!(headers(&answer::<true>(method, path).await), [None, None], "{path}");
    }
    assert_eq!(headers(&answer::<false>(Method::GET, "/api/v1/things").await), [None, None]);
}

#[test]
fn description_says_what_is_deprecated_and_what_to_use() {
    let (document, before) = (described::<true>(), described::<false>());
    let operation = &document["paths"]["/api/v1/things"]["get"];
    assert_eq!(operation["deprecated"], true);
    let sentence = "Deprecated since 2026-12-01; may be missing from 2027-06-30 on. Use `GET /api/v1/items`.";
    assert!(operation["description"].as_str().expect("a text").contains(sentence), "{operation}");
    let responses = operation["responses"].as_object().expect("responses");
    // 304 is added when the description is completed.
    assert!(["200", "304", "500", "503"].iter().all(|status| responses.contains_key(*status)), "{operation}");
    for (status, response) in responses {
        for (name, value) in ["Deprecation", "Sunset"].iter().zip(ANNOUNCED) {
            assert_eq!(response["headers"][name]["schema"]["enum"], json!([value]), "{status}: {name}");
        }
    }
    let parameter = &document["paths"]["/api/v1/items"]["get"]["parameters"][0];
    let field = &document["components"]["schemas"]["Thing"]["properties"]["label"];
    for deprecated in [parameter, field] {
        assert_eq!(deprecated["deprecated"], true, "{deprecated}");
        assert!(deprecated["description"].as_str().expect("a text").ends_with("Use `name`."), "{deprecated}");
    }
    assert!(field["description"].as_str().expect("a text").starts_with("What it was called before."));
    assert!(document["paths"]["/api/v1/items"]["get"]["deprecated"].is_null());
    assert!(!before.to_string().to_lowercase().contains("deprecat"), "{before}");
}

/// A module that names what it does not have.
struct Forgetful;

impl Module for Forgetful {
    const NAME: &str = "things";
    const TAGS: &[Tag] = TAGS;
    const DEPRECATED: &[Deprecated] = &[Deprecated {
        part: Part::Field("Thing", "colour"),
        since: day(2026, 12, 1),
        sunset: day(2027, 6, 30),
        instead: "Use `name`.",
    }];
}

#[test]
#[should_panic(expected = "deprecated, but does not exist: Field(\"Thing\", \"colour\")")]
fn deprecation_of_what_does_not_exist_stops_the_start() {
    let _ = OpenApiService::new(Apis::<Forgetful, _>::new(ThingsApi), "things", "1").spec();
}
