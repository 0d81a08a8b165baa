//! The operations of the API description, by path: allowed methods, names of parameters, query parameters and scopes.

use std::{collections::BTreeMap, sync::LazyLock};

use poem::http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::{
    deprecation,
    description::{self, DOCUMENT, INTERNAL, inlined},
};

/// The routes of the descriptions that this program was built with, the same for every thread.
pub static COMMITTED: LazyLock<Routes> = LazyLock::new(|| {
    let mut routes = Routes::default();
    routes.add(&inlined(&DOCUMENT));
    routes.add(&inlined(&serde_json::from_str(INTERNAL).unwrap_or_default()));
    routes
});

/// Every path of the API description, grouped by its number of segments.
#[derive(Debug, Default)]
pub struct Routes(Vec<Vec<Route>>);

/// One path and its operations.
#[derive(Debug)]
pub struct Route {
    /// As in the description: `/api/v1/services/{service_id}`.
    pub template: String,
    segments: Vec<Segment>,
    operations: BTreeMap<String, Operation>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
}

#[derive(Debug)]
struct Operation {
    id: String,
    path: Vec<Parameter>,
    query: Vec<Parameter>,
    has_body: bool,
    scope: Option<String>,
    /// Whether it requires credentials.
    wants_credentials: bool,
    /// Whether it answers with an `ETag`.
    has_version: bool,
    /// Whether it takes `If-Match`.
    takes_if_match: bool,
    /// The headers of its answers that announce its end, if it is deprecated.
    announcement: Vec<(HeaderName, HeaderValue)>,
}

/// A parameter of the path or the query.
#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    /// The allowed values, if they are an enumeration.
    pub values: Vec<String>,
    /// How often it may be sent.
    pub most: usize,
    pub is_required: bool,
    /// The schema of one value.
    pub schema: Value,
}

impl Routes {
    /// Adds the operations of a description.
    pub fn add(&mut self, description: &Value) {
        let paths = description["paths"].as_object().into_iter().flatten();
        for (template, item) in paths {
            let segments: Vec<_> = split(template).map(Segment::new).collect();
            let operations = item
                .as_object()
                .into_iter()
                .flatten()
                .map(|(method, operation)| (method.to_uppercase(), Operation::new(operation, description)))
                .collect();
            if self.0.len() <= segments.len() {
                self.0.resize_with(segments.len() + 1, Vec::new);
            }
            self.0[segments.len()].push(Route { template: template.clone(), segments, operations });
        }
    }

    /// The route of a path. If two match, the one with more literal segments.
    pub fn find(&self, path: &str) -> Option<&Route> {
        self.0
            .get(split(path).count())?
            .iter()
            .filter(|route| route.matches(path))
            .max_by_key(|route| route.literals())
    }
}

/// What operations begin with.
const PREFIX: &str = "/api/v1";

impl Routes {
    /// The path that was likely meant by one without a route: the same below the prefix of operations.
    pub fn similar(&self, path: &str) -> Option<&str> {
        let rest =
            ["/api/v1", "/api", "/v1"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
        let meant = self.find(&format!("{PREFIX}/{}", rest.trim_start_matches('/')))?;
        Some(&meant.template)
    }
}

impl Route {
    /// The value of the header `Allow` (RFC 9110 section 10.2.1). HEAD is served for every GET.
    pub fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.operations.keys().map(String::as_str).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.join(", ")
    }

    /// The name of the n-th path parameter.
    pub fn path_parameter(&self, index: usize) -> Option<&str> {
        self.segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Parameter(name) => Some(name.as_str()),
                Segment::Literal(_) => None,
            })
            .nth(index)
    }

    /// The operation of a method. HEAD is that of GET.
    fn operation(&self, method: &Method) -> Option<&Operation> {
        self.operations.get(if method == Method::HEAD { "GET" } else { method.as_str() })
    }

    /// The parts of a path, and the names of those that are parameters.
    pub fn parts<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        split(path).zip(&self.segments).map(|(part, segment)| match segment {
            Segment::Parameter(name) => (part, Some(name.as_str())),
            Segment::Literal(_) => (part, None),
        })
    }

    /// The path parameters of an operation of this route.
    pub fn path_parameters(&self, method: &Method) -> &[Parameter] {
        self.operation(method).map(|operation| operation.path.as_slice()).unwrap_or_default()
    }

    /// Whether an operation reads a body.
    pub fn has_body(&self, method: &Method) -> bool {
        self.operation(method).is_some_and(|operation| operation.has_body)
    }

    /// The query parameters of an operation of this route.
    pub fn query_parameters(&self, method: &Method) -> Option<&[Parameter]> {
        self.operation(method).map(|operation| operation.query.as_slice())
    }

    /// The `operationId`.
    pub fn operation_id(&self, method: &Method) -> Option<&str> {
        self.operation(method).map(|operation| operation.id.as_str())
    }

    /// The scope that an API key needs.
    pub fn scope(&self, method: &Method) -> Option<&str> {
        self.operation(method)?.scope.as_deref()
    }

    /// Whether an operation requires credentials.
    pub fn wants_credentials(&self, method: &Method) -> bool {
        self.operation(method).is_some_and(|operation| operation.wants_credentials)
    }

    /// Whether an operation answers with an `ETag`.
    pub fn has_version(&self, method: &Method) -> bool {
        self.operation(method).is_some_and(|operation| operation.has_version)
    }

    /// Whether an operation takes no `If-Match`.
    pub fn refuses_if_match(&self, method: &Method) -> bool {
        self.operation(method).is_some_and(|operation| !operation.takes_if_match)
    }

    /// The headers that announce the end of a deprecated operation.
    pub fn announcement(&self, method: &Method) -> &[(HeaderName, HeaderValue)] {
        self.operation(method).map(|operation| operation.announcement.as_slice()).unwrap_or_default()
    }

    /// The allowed values of a query parameter of any operation of this route, if they are an enumeration.
    pub fn values_of(&self, name: &str) -> &[String] {
        self.operations
            .values()
            .flat_map(|operation| &operation.query)
            .find(|parameter| parameter.name == name)
            .map(|parameter| parameter.values.as_slice())
            .unwrap_or_default()
    }

    fn matches(&self, path: &str) -> bool {
        self.segments.iter().zip(split(path)).all(|(segment, part)| match segment {
            Segment::Literal(literal) => literal == part,
            // Also nothing, as in `/appointments//cancel`: the error names the parameter.
            Segment::Parameter(_) => true,
        })
    }

    fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Self::Parameter(name.to_owned()),
            None => Self::Literal(text.to_owned()),
        }
    }
}

impl Operation {
    fn new(operation: &Value, description: &Value) -> Self {
        let parameters = |place: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.filter(|parameter| parameter["in"] == place);
            parameters.map(|parameter| Parameter::new(parameter, description)).collect()
        };
        let (path, query) = (parameters("path"), parameters("query"));
        let has_body = operation["requestBody"].is_object();
        let scope = operation["x-required-scope"].as_str().map(ToOwned::to_owned);
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let wants_credentials = operation["x-required-role"].is_string();
        let has_version =
            ["200", "201"].iter().any(|status| operation["responses"][status]["headers"]["ETag"].is_object());
        let takes_if_match = operation.as_object().is_some_and(description::takes_if_match);
        let announcement =
            deprecation::HEADERS.iter().filter_map(|name| announced(operation, name)).collect();
        Self {
            id,
            path,
            query,
            has_body,
            scope,
            wants_credentials,
            has_version,
            takes_if_match,
            announcement,
        }
    }
}

impl Parameter {
    fn new(parameter: &Value, description: &Value) -> Self {
        let is_list = parameter["schema"]["type"] == "array";
        let schema = if is_list { &parameter["schema"]["items"] } else { &parameter["schema"] };
        let most = parameter["schema"]["maxItems"].as_u64().and_then(|most| usize::try_from(most).ok());
        Self {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            values: values(schema, description),
            most: if is_list { most.unwrap_or(usize::MAX) } else { 1 },
            is_required: parameter["required"] == true,
            schema: schema.clone(),
        }
    }
}

/// A header that all answers of an operation have, with the value that the description gives.
fn announced(operation: &Value, name: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut responses = operation["responses"].as_object()?.values();
    let value = responses.find_map(|response| response["headers"][name]["schema"]["enum"][0].as_str())?;
    Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
}

fn values(schema: &Value, description: &Value) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => description.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
        None => schema,
    };
    let values = schema["enum"].as_array().into_iter().flatten();
    values.filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect()
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('/').split('/')
}
