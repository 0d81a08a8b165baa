//! Versions of what operations answer with: the `ETag` of the body, and 304 (RFC 9110 section 13.1.2) for a client that
//! has it. The description says which operations answer with an `ETag`: see `description::responses`. What a change
//! does with it is [`if_match`](super::if_match).

use poem::{
    Endpoint, IntoResponse as _, Middleware, Request, Response, Result,
    http::{
        HeaderValue, Method, StatusCode,
        header::{CONTENT_TYPE, ETAG},
    },
};

use super::{conditional, headers, problem::Problem, routes::Routes};

/// Adds the `ETag` to answers, and turns them into 304.
#[derive(Clone, Copy)]
pub struct Versions(pub &'static Routes);

impl<E: Endpoint> Middleware<E> for Versions {
    type Output = VersionsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        VersionsEndpoint { routes: self.0, inner }
    }
}

pub struct VersionsEndpoint<E> {
    routes: &'static Routes,
    inner: E,
}

impl<E: Endpoint> Endpoint for VersionsEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        // Poem empties the answer to a HEAD before its tag could be computed; the server leaves the body out anyway.
        if *request.method() == Method::HEAD {
            request.set_method(Method::GET);
        }
        let route = self.routes.find(request.uri().path());
        let has_version = route.is_some_and(|route| route.has_version(request.method()));
        let reads = *request.method() == Method::GET;
        let held =
            if reads { headers::list(request.headers(), "If-None-Match")?.join(",") } else { String::new() };
        let mut response = self.inner.call(request).await?.into_response();
        let succeeded = matches!(response.status(), StatusCode::OK | StatusCode::CREATED);
        let version = headers::one(response.headers(), ETAG.as_str())?.map(ToOwned::to_owned);
        let is_json = response.content_type().is_some_and(|media_type| media_type == "application/json");
        // What has a tag already knows better: its body is not all that the object is, or more.
        if !has_version || !succeeded || (version.is_some() && !(reads && is_json)) {
            return Ok(response);
        }
        let body = response.take_body().into_bytes().await.map_err(|_| Problem::internal())?;
        // An object that is read knows its version if its body is one of several forms.
        let etag = match version {
            Some(version) => conditional::of_form(&version, &body),
            None => conditional::etag(&body),
        };
        if conditional::matches(&held, &etag) {
            response.set_status(StatusCode::NOT_MODIFIED);
            response.headers_mut().remove(CONTENT_TYPE);
            // The one that the client has.
            let compressed = conditional::compressed(&etag);
            let held = if held.contains(&compressed) { compressed } else { etag };
            response.headers_mut().remove(ETAG);
            response.headers_mut().extend(HeaderValue::from_str(&held).ok().map(|held| (ETAG, held)));
            return Ok(response);
        }
        response.set_body(body);
        response.headers_mut().remove(ETAG);
        response.headers_mut().extend(HeaderValue::from_str(&etag).ok().map(|etag| (ETAG, etag)));
        Ok(response)
    }
}
