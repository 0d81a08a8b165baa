//! Answers in gzip (RFC 9110 section 8.4.1.3), for clients that accept it.
//!
//! An answer with a cookie is not compressed. Others hold no secret next to text that a page of another site could
//! choose (BREACH): cookies are not sent with requests of other sites, and tokens only where the client puts them.

use std::io::Write as _;

use flate2::{Compression as Level, write::GzEncoder};
use hyper::body::Bytes;
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response, Result,
    http::{
        HeaderMap, HeaderValue, Method,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, SET_COOKIE, VARY},
    },
};

use super::{conditional, event_stream::EVENT_STREAM, headers, problem::Problem};

/// Shorter answers fit into one packet as they are.
const SHORTEST: usize = 1024;

/// Longer answers are compressed on another thread than the one that serves requests.
const LONG: usize = 64 * 1024;

/// Compresses what is worth it.
#[derive(Clone, Copy, Debug)]
pub struct Compression;

impl<E: Endpoint> Middleware<E> for Compression {
    type Output = CompressionEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CompressionEndpoint(inner)
    }
}

pub struct CompressionEndpoint<E>(E);

impl<E: Endpoint> Endpoint for CompressionEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let accepted = *request.method() != Method::HEAD && accepts_gzip(request.headers());
        let mut response = self.0.call(request).await?.into_response();
        if !is_compressible(response.headers()) {
            return Ok(response);
        }
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
        if !accepted {
            return Ok(response);
        }
        let body = response.take_body().into_bytes().await.map_err(|_| Problem::internal())?;
        if body.len() < SHORTEST {
            response.set_body(body);
            return Ok(response);
        }
        response.set_body(gzip(body, Level::fast()).await?);
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(CONTENT_LENGTH);
        // A strong tag names the bytes, and these are others. Not a weak one, which `If-Match` would never match.
        let tag = headers::one(headers, ETAG.as_str()).ok().flatten().filter(|tag| !tag.starts_with("W/"));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&conditional::compressed(tag)).ok()) {
            headers.insert(ETAG, tag);
        }
        Ok(response)
    }
}

/// The text in gzip.
pub async fn gzip(text: Bytes, level: Level) -> Result<Bytes, Problem> {
    let is_long = text.len() > LONG;
    let compress = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), level);
        encoder.write_all(&text)?;
        encoder.finish()
    };
    let compressed = if is_long {
        tokio::task::spawn_blocking(compress).await.map_err(|_| Problem::internal())?
    } else {
        compress()
    };
    compressed.map(Bytes::from).map_err(|_: std::io::Error| Problem::internal())
}

/// Whether the client takes gzip: it names it, or `*`, with a weight above 0.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers::list(headers, "Accept-Encoding").unwrap_or_default();
    let weight = |wanted: &str| {
        lines.iter().flat_map(|line| line.split(',')).find_map(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim().eq_ignore_ascii_case(wanted).then(|| {
                let weight = parameters.trim().strip_prefix("q=").map(str::trim);
                weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0))
            })
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

fn is_compressible(headers: &HeaderMap) -> bool {
    const TEXT: [&[u8]; 4] =
        [b"application/json", b"application/problem+json", b"application/openmetrics-text", b"text/"];
    let is_text = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| TEXT.iter().any(|text| kind.as_bytes().starts_with(text)));
    // A stream is sent as it comes, and has no end to wait for.
    let is_stream = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == EVENT_STREAM);
    is_text && !is_stream && !headers.contains_key(CONTENT_ENCODING) && !headers.contains_key(SET_COOKIE)
}
