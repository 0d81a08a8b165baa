//! JSON bodies. Requests: limits of size and time, unknown fields rejected, errors named by path. Responses: serialized
//! directly to bytes.

use std::{marker::PhantomData, time::Duration};

use poem::{
    Body, FromRequest, IntoResponse, Request, RequestBody, Response, Result,
    error::ReadBodyError,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    payload::Payload,
    registry::{
        MetaHeader, MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef,
        Registry,
    },
    types::{ParseFromJSON, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    deferred, headers,
    malformed::{self, JSON},
    mistakes::{self, BODY},
    problem::Problem,
};

/// The maximum size of a body, in bytes.
pub const LARGEST_BODY: usize = 256 * 1024;
/// The timeout for receiving a body.
const BODY_DEADLINE: Duration = Duration::from_secs(5);

const FORM: &str = "application/x-www-form-urlencoded";

/// The body of a request in one media type.
trait RequestPayload: Payload + Sized {
    fn parse(bytes: &[u8]) -> Result<Self, Problem>;
}

/// Reads the body even if its media type is another one: the error then says whether it looks like JSON.
async fn extract<P: RequestPayload>(request: &Request, body: &mut RequestBody) -> Result<P, Problem> {
    let content_type = headers::one(request.headers(), "Content-Type")?;
    let read = match (read(request, body).await, content_type) {
        (Ok(bytes), Some(content_type)) if P::check_content_type(content_type) => P::parse(&bytes),
        (Ok(bytes), _) => Err(malformed::media_type(P::CONTENT_TYPE, &bytes)),
        (Err(problem), _) => Err(problem),
    };
    deferred::with_body(request, read)
}

macro_rules! request_payload {
    ($payload:ident) => {
        impl<'a, T: DeserializeOwned + Type + ParseFromJSON> ApiExtractor<'a> for $payload<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                <Self as Payload>::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                let media_type =
                    MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() };
                Some(MetaRequest { description: None, content: vec![media_type], required: true })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _options: ExtractParamOptions<()>,
            ) -> Result<Self> {
                Ok(extract(request, body).await?)
            }
        }
    };
}

/// A JSON body of a request or response.
pub struct Json<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        is_media_type(content_type, JSON)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: DeserializeOwned + Type + ParseFromJSON> RequestPayload for Json<T> {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Err(Problem::bad_request(
                "malformed_json",
                "The body is empty; expected JSON, such as {}.",
            ));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| explain::<T>(bytes, &error.path().to_string(), error.inner()))?;
        deserializer.end().map_err(|error| malformed::problem(bytes, &error))?;
        if bytes.contains(&b'[') && T::parse_from_json(serde_json::from_slice(bytes).ok()).is_err() {
            // serde accepts a list of values for an object, in the order of its fields; poem-openapi does not.
            let detail = "expected an object, not a list of its values";
            return Err(Problem::invalid_field(BODY, "invalid_type", detail));
        }
        Ok(Self(value))
    }
}

request_payload!(Json);

/// A response body that is already serialized: large bodies are serialized where they are computed, not on the thread
/// that serves requests.
pub struct SerializedJson<T> {
    bytes: Vec<u8>,
    of: PhantomData<T>,
}

impl<T> SerializedJson<T> {
    /// `bytes` is the JSON of a `T`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, of: PhantomData }
    }
}

impl<T: Send> IntoResponse for SerializedJson<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type(JSON).body(self.bytes)
    }
}

impl<T: Type> ApiResponse for SerializedJson<T> {
    fn meta() -> MetaResponses {
        meta::<T>(200, "Success.", vec![])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// A JSON body whose fields are all optional, so that the body may be omitted.
pub struct OptionalJson<T>(pub T);

impl<'a, T: DeserializeOwned + Type + ParseFromJSON + Default> ApiExtractor<'a> for OptionalJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let meta = <Json<T> as ApiExtractor<'a>>::request_meta()?;
        Some(MetaRequest { required: false, ..meta })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let empty = match headers::one(request.headers(), "Content-Length")? {
            Some(length) => length == "0",
            None => !headers::has(request.headers(), "Transfer-Encoding"),
        };
        if empty {
            return Ok(Self(deferred::with_body(request, Ok(T::default()))?));
        }
        let Json(value) = <Json<T> as ApiExtractor<'a>>::from_request(request, body, options).await?;
        Ok(Self(value))
    }
}

/// A form body of a request (WHATWG URL, application/x-www-form-urlencoded).
pub struct Form<T>(pub T);

impl<T: Type> Payload for Form<T> {
    const CONTENT_TYPE: &'static str = FORM;

    fn check_content_type(content_type: &str) -> bool {
        is_media_type(content_type, FORM)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: DeserializeOwned + Type> RequestPayload for Form<T> {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if malformed::looks_like_json(bytes) {
            return Err(malformed::media_type(Self::CONTENT_TYPE, bytes));
        }
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(bytes));
        let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let first = mistakes::explain(&error.path().to_string(), &error.inner().to_string());
            let fields = form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into()));
            Problem::invalid(mistakes::collect::<T>(first, Value::Object(fields.collect()), bytes.len()))
        })?;
        Ok(Self(value))
    }
}

request_payload!(Form);

fn is_media_type(content_type: &str, wanted: &str) -> bool {
    content_type.parse::<mime::Mime>().is_ok_and(|sent| sent.essence_str() == wanted)
}

async fn read(request: &Request, body: &mut RequestBody) -> Result<Vec<u8>, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than 256 KiB.");
    // hyper has already rejected a length that is not a number.
    let announced = headers::one(request.headers(), "Content-Length")?.and_then(|length| length.parse().ok());
    if announced.is_some_and(|length: u64| length > LARGEST_BODY as u64) {
        return Err(too_large());
    }
    let unreadable = |_| Problem::bad_request("body_unreadable", "The body could not be read to its end.");
    let body = <Body as FromRequest>::from_request(request, body).await.map_err(unreadable)?;
    match tokio::time::timeout(BODY_DEADLINE, body.into_bytes_limit(LARGEST_BODY)).await {
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body did not arrive within 5 seconds.",
        )),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(too_large()),
        Ok(Err(error)) => Err(unreadable(error.into())),
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
    }
}

/// 400 for malformed JSON; 422 with the fields for valid JSON of the wrong form.
fn explain<T: DeserializeOwned + Type>(body: &[u8], path: &str, error: &serde_json::Error) -> Problem {
    // serde_json also reports a syntax error if it finds a number instead of the name of an enum value.
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let first = mistakes::explain(path, &error.to_string());
            Problem::invalid(mistakes::collect::<T>(first, value, body.len()))
        }
        Err(error) => malformed::problem(body, &error),
    }
}

/// For an optional field with a default, for which null counts as omitted:
/// `#[serde(default, deserialize_with = "or_default")]`.
pub fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// For a field of changes that may be omitted but not null: `#[serde(default, deserialize_with = "present")]`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => Response::builder().content_type(JSON).body(bytes),
            Err(error) => {
                tracing::error!(%error, "a response could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn meta<T: Type>(status: u16, description: &'static str, headers: Vec<MetaHeader>) -> MetaResponses {
    MetaResponses {
        responses: vec![MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }],
            headers,
        }],
    }
}

impl<T: Serialize + ToJSON> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        meta::<T>(200, "Success.", vec![])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 201 with the created object, and its path in `Location`.
pub struct Created<T> {
    pub location: String,
    pub body: T,
    /// Whether an earlier request with the same `Idempotency-Key` created it.
    pub replayed: bool,
}

/// The header that marks the stored answer to an earlier request with the same `Idempotency-Key`.
const REPLAYED: &str = "Idempotency-Replayed";

impl<T: Serialize + Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let response =
            Json(self.body).with_status(StatusCode::CREATED).with_header(header::LOCATION, self.location);
        match self.replayed {
            true => response.with_header(REPLAYED, "true").into_response(),
            false => response.into_response(),
        }
    }
}

impl<T: Serialize + ToJSON> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        let location = MetaHeader {
            name: "Location".to_owned(),
            description: Some("The path of the created object.".to_owned()),
            required: true,
            deprecated: false,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "uri-reference"))),
        };
        meta::<T>(201, "Created.", vec![location])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 200 for a request that an `Idempotency-Key` may repeat.
pub struct Replayable<T> {
    pub body: T,
    /// Whether this is the answer to an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
}

impl<T: Serialize + Send> IntoResponse for Replayable<T> {
    fn into_response(self) -> Response {
        match self.replayed {
            true => Json(self.body).with_header(REPLAYED, "true").into_response(),
            false => Json(self.body).into_response(),
        }
    }
}

impl<T: Serialize + ToJSON> ApiResponse for Replayable<T> {
    fn meta() -> MetaResponses {
        meta::<T>(200, "Success.", vec![])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 204: success without a body.
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Success.",
                status: Some(204),
                status_range: None,
                content: vec![],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

/// A JSON object with any fields.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct AnyObject(pub Value);

impl Type for AnyObject {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> std::borrow::Cow<'static, str> {
        "object".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::ANY)))),
            ..MetaSchema::new("object")
        }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for AnyObject {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

impl ParseFromJSON for AnyObject {
    fn parse_from_json(value: Option<Value>) -> poem_openapi::types::ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}
