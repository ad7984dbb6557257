//! What happens around every request: its id, its log line, its metrics, its limits.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

use super::error::{self, ApiError, Format};
use crate::log::chain;
use crate::metrics;

/// What we call ourselves; clients look for the first two words.
pub(super) const SERVER: &str = concat!("Image Factory v", env!("CARGO_PKG_VERSION"));
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer request id of a client is not taken over.
const MAX_REQUEST_ID: usize = 128;

/// The outermost layer: everything a request needs whatever becomes of it.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| metrics::route(route.as_str()));
    let format = Format::of(&path, request.headers());
    let span = info_span!("request", id, %method, path);
    let inflight = metrics::Inflight::begin();

    let mut response = next.run(request).instrument(span.clone()).await;

    drop(inflight);
    let error = error::write_body(&mut response, format, &method, &id);
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static(SERVER));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    let took = started.elapsed();
    span.in_scope(|| log(&response, error.as_ref(), took));
    let route = route.as_deref().unwrap_or("unknown");
    metrics::request(route, &method, response.status(), took, body_length(response.headers()));
    response
}

/// The client's id for the request, when it is short and plain; a fresh one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let plain = |id: &&str| {
        !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    given.filter(plain).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn body_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn log(response: &Response, error: Option<&ApiError>, took: Duration) {
    let (status, seconds) = (response.status().as_u16(), took.as_secs_f64());
    let cause = error.and_then(|error| error.cause.as_deref()).map(|cause| chain(cause));
    let text = error.map(|error| error.text.as_str());
    // What is not made yet is no fault of ours.
    let fault = response.status().is_server_error() && response.status() != StatusCode::NOT_IMPLEMENTED;
    match (error, fault) {
        (Some(error), true) => {
            tracing::error!(status, seconds, code = error.code, error = text, cause, "answered");
        }
        (Some(error), false) => {
            tracing::info!(status, seconds, code = error.code, error = text, cause, "answered")
        }
        (None, _) => tracing::info!(status, seconds, "answered"),
    }
}

/// Ends the wait for an answer after a while. What was begun for it goes on; asking again joins it.
pub(super) async fn hurry(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let text = "this takes longer than a request may; it goes on being prepared, ask again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready_yet", text).into_response()
    })
}

/// The answer when a handler panics. Nothing of the panic gets out.
#[must_use]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let fault = Panic(text.unwrap_or("no message").to_owned());
    let mut error = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal server error");
    error.cause = Some(Arc::new(fault));
    error.into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panic(String);

/// The answer for a path that is no route.
pub(super) async fn no_route() -> ApiError {
    ApiError::not_found("route_unknown", "404 page not found")
}

/// The answer for a route with other methods. `OPTIONS` learns them; the router adds `Allow`.
pub(super) async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::OK.into_response();
    }
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed").into_response()
}

#[cfg(test)]
mod tests;
