//! Documents that are the same for everyone: pages, scripts and style sheets. Each is made once and has an entity tag;
//! scripts and style sheets stand under names that change with their content, so that browsers keep them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::Compression as Level;
use hyper::body::Bytes;
use poem::{
    Endpoint, Request, Response, Result,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::{
    compression::{accepts_gzip, gzip},
    conditional, headers,
};

/// What is asked for again each time, and answered with 304 while it is the same.
pub const REVALIDATED: &str = "no-cache";
/// What is never asked for again: another content has another name.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A document, and the path it stands at.
pub struct Document {
    pub path: String,
    content_type: &'static str,
    cache_control: &'static str,
    etag: String,
    plain: Bytes,
    /// Compressed as well as can be, when it is first asked for: that takes too long for a start.
    compressed: OnceCell<Bytes>,
}

impl Document {
    pub fn new(path: String, content_type: &'static str, cache_control: &'static str, text: &str) -> Self {
        Self {
            path,
            content_type,
            cache_control,
            etag: format!("W/\"{}\"", digest(text)),
            plain: Bytes::copy_from_slice(text.as_bytes()),
            compressed: OnceCell::new(),
        }
    }

    pub fn page(path: &str, html: &str) -> Self {
        Self::new(path.to_owned(), "text/html; charset=utf-8", REVALIDATED, html)
    }

    /// A script or style sheet below a folder.
    pub fn asset(
        text: &str,
        folder: &str,
        (stem, extension): (&str, &str),
        content_type: &'static str,
    ) -> Self {
        Self::new(format!("{folder}/{stem}-{}.{extension}", digest(text)), content_type, IMMUTABLE, text)
    }
}

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let response = Response::builder().header(ETAG, &self.etag).header(CACHE_CONTROL, self.cache_control);
        let held = headers::list(request.headers(), "If-None-Match")?.join(",");
        if conditional::matches(&held, &self.etag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).header(VARY, "Accept-Encoding").finish());
        }
        let response = response.header(CONTENT_TYPE, self.content_type);
        if !accepts_gzip(request.headers()) {
            return Ok(response.body(self.plain.clone()));
        }
        let compress = || gzip(self.plain.clone(), Level::best());
        let compressed = self.compressed.get_or_try_init(compress).await?.clone();
        Ok(response.header(VARY, "Accept-Encoding").header(CONTENT_ENCODING, "gzip").body(compressed))
    }
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
}
