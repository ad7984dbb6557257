//! Cross-origin access, with the answers Image Factory gives.
//!
//! A preflight names the one method that was asked for, and 204. Beyond the original, `POST` is allowed, so that a page
//! on another origin can create schematics.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Origins;

const METHODS: [Method; 4] = [Method::HEAD, Method::GET, Method::POST, Method::OPTIONS];
const HEADERS: [&str; 6] =
    ["cache-control", "content-type", "if-match", "if-none-match", "if-range", "range"];
const EXPOSED: &str = "Content-Disposition, Content-Length, Content-Type";
const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The layer: answers preflights, and marks answers that other origins may read.
pub(super) async fn layer(State(allowed): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).cloned();
    if request.method() == Method::OPTIONS && asked.is_some() {
        return preflight(&allowed, request.headers());
    }
    let method_allowed = METHODS.contains(request.method());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(value) = origin.and_then(|origin| granted(&allowed, &origin)).filter(|_| method_allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

/// What `Access-Control-Allow-Origin` says to this origin; `None` when it may not call us.
fn granted(allowed: &Origins, origin: &HeaderValue) -> Option<HeaderValue> {
    match allowed {
        Origins::Any => Some(HeaderValue::from_static("*")),
        Origins::Only(list) => {
            let text = origin.to_str().ok()?;
            list.iter().any(|known| known.eq_ignore_ascii_case(text)).then(|| origin.clone())
        }
    }
}

fn preflight(allowed: &Origins, asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static(PREFLIGHT_VARY));
    let Some(origin) = asked.get(header::ORIGIN).and_then(|origin| granted(allowed, origin)) else {
        return response;
    };
    let Some(method) =
        asked.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|method| method_allowed(method))
    else {
        return response;
    };
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    if wanted.is_some_and(|wanted| !headers_allowed(wanted)) {
        return response;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

fn method_allowed(method: &HeaderValue) -> bool {
    METHODS.iter().any(|known| known.as_str().as_bytes() == method.as_bytes())
}

fn headers_allowed(wanted: &HeaderValue) -> bool {
    let known =
        |name: &str| name.is_empty() || HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name));
    wanted.to_str().is_ok_and(|list| list.split(',').map(str::trim).all(known))
}
