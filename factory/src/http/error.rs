//! Errors as answers: the only place where blame becomes a status.

use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use extensions::PullError;
use extensions::trust::Untrusted;
use schematics::{Blame, Blamed};
use serde_json::json;

/// How many seconds a client should wait before it asks again.
const RETRY_AFTER: u32 = 10;

/// An error on its way to a client.
///
/// As a response it has a status and no body: the outermost layer, which knows the client and the route, writes the
/// body and the one log line.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    /// The status.
    pub(super) status: StatusCode,
    /// A stable word for programs.
    pub(super) code: &'static str,
    /// What the client is told, in one line.
    pub(super) text: String,
    /// What happened, for the log.
    pub(super) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error with nothing behind it.
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), cause: None }
    }

    /// A mistake of the caller.
    pub(super) fn bad_request(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, text)
    }

    /// Something that is not there.
    pub(super) fn not_found(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, text)
    }

    /// The answer to an error of another layer.
    ///
    /// The text is the error's own when the caller can do something about it; what happened inside or at the source
    /// stays in the log. What a bundle leaves out is named, since only somebody who makes bundles can help. That an image is not
    /// trusted is told in full: asking again does not help, and whoever asked is who notices.
    pub(super) fn of<E: Blamed + Error + Send + Sync + 'static>(code: &'static str, error: E) -> Self {
        if let Some(missing) = PullError::left_out(&error) {
            let text = missing.to_string();
            return Self { status: StatusCode::NOT_FOUND, code, text, cause: Some(Arc::new(error)) };
        }
        let blame = error.blame();
        let text = match blame {
            Blame::Caller | Blame::Missing | Blame::Unsupported => error.to_string(),
            Blame::Upstream => match untrusted(&error) {
                Some(refused) => refused.to_string(),
                None => "the source of the releases did not deliver; try again".to_owned(),
            },
            Blame::Busy => "the factory is busy; try again".to_owned(),
            Blame::Full => "the factory has no room left to store this; try again later".to_owned(),
            Blame::Ours => "internal server error".to_owned(),
        };
        Self { status: status(blame), code, text, cause: Some(Arc::new(error)) }
    }

    /// The same with words in front, for errors that name only the innermost mistake.
    #[must_use]
    pub(super) fn while_doing(mut self, what: &str) -> Self {
        if self.status.is_client_error() {
            self.text = format!("{what}: {}", self.text);
        }
        self
    }
}

/// The refusal of an image somewhere behind an error.
fn untrusted<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Untrusted> {
    let shared = error.downcast_ref::<Arc<PullError>>().map(AsRef::as_ref);
    match error.downcast_ref::<PullError>().or(shared) {
        Some(PullError::Untrusted(refused)) => Some(refused.as_ref()),
        Some(_) | None => error.source().and_then(untrusted),
    }
}

const fn status(blame: Blame) -> StatusCode {
    match blame {
        Blame::Caller => StatusCode::BAD_REQUEST,
        Blame::Missing => StatusCode::NOT_FOUND,
        Blame::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Blame::Upstream => StatusCode::BAD_GATEWAY,
        // 507 would say more, but clients and proxies repeat requests after 503 alone.
        Blame::Busy | Blame::Full => StatusCode::SERVICE_UNAVAILABLE,
        Blame::Ours => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// How the body of an error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One line of text, as Image Factory's clients expect.
    Text,
    /// RFC 9457.
    Problem,
    /// The error list of the OCI distribution specification.
    Oci,
}

impl Format {
    /// The route decides first, then the client.
    #[must_use]
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Self {
        if path == "/v2" || path.starts_with("/v2/") {
            return Self::Oci;
        }
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let wants_problem = |item: &str| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(PROBLEM));
            named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        };
        if accepted.flat_map(|list| list.split(',')).any(wants_problem) { Self::Problem } else { Self::Text }
    }

    /// Writes the body.
    fn write(self, error: &ApiError, request_id: &str) -> (&'static str, String) {
        match self {
            // Nothing a caller could act on is in the text of a fault, so it gets something to ask about.
            Self::Text if error.status.is_server_error() && error.status != StatusCode::NOT_IMPLEMENTED => {
                (TEXT, format!("{} (request {request_id})\n", error.text))
            }
            Self::Text => (TEXT, format!("{}\n", error.text)),
            Self::Problem => {
                let title = error.status.canonical_reason().unwrap_or_default();
                let problem = json!({
                    "type": "about:blank",
                    "title": title,
                    "status": error.status.as_u16(),
                    "detail": error.text,
                    "code": error.code,
                    "requestId": request_id,
                });
                (PROBLEM, problem.to_string())
            }
            Self::Oci => {
                let item = json!({ "code": oci_code(error), "message": error.text, "detail": { "requestId": request_id } });
                ("application/json", json!({ "errors": [item] }).to_string())
            }
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// The nearest code of the distribution specification's table.
fn oci_code(error: &ApiError) -> &'static str {
    match (error.status, error.code) {
        (StatusCode::BAD_REQUEST, "digest_invalid") => "DIGEST_INVALID",
        (StatusCode::BAD_REQUEST, "asset_unavailable") => "MANIFEST_INVALID",
        (StatusCode::BAD_REQUEST, "page_invalid") => "PAGINATION_NUMBER_INVALID",
        (StatusCode::BAD_REQUEST, _) => "NAME_INVALID",
        (StatusCode::NOT_FOUND, "manifest_unknown" | "version_unknown") => "MANIFEST_UNKNOWN",
        (StatusCode::NOT_FOUND, "blob_unknown") => "BLOB_UNKNOWN",
        (StatusCode::NOT_FOUND, _) => "NAME_UNKNOWN",
        (StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => "UNSUPPORTED",
        (StatusCode::UNAUTHORIZED, _) => "UNAUTHORIZED",
        (StatusCode::FORBIDDEN, _) => "DENIED",
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    }
}

/// Gives a response that carries an error its body. Answers the error, if it was one.
pub(super) fn write_body(
    response: &mut Response,
    format: Format,
    method: &Method,
    request_id: &str,
) -> Option<ApiError> {
    let error = response.extensions_mut().remove::<ApiError>()?;
    let (kind, text) = format.write(&error, request_id);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    *response.body_mut() = if method == Method::HEAD { Body::empty() } else { Body::from(text) };
    Some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::ACCEPT, value.parse().unwrap())).collect()
    }

    #[test]
    fn the_route_decides_the_format_and_then_the_client() {
        for (path, accept, format) in [
            ("/versions", &[][..], Format::Text),
            ("/versions", &["*/*"], Format::Text),
            ("/versions", &["application/json"], Format::Text),
            ("/versions", &["application/problem+json"], Format::Problem),
            ("/versions", &["text/html, Application/Problem+JSON; q=0.5"], Format::Problem),
            ("/versions", &["application/problem+json;q=0"], Format::Text),
            ("/versions", &["text/html", "application/problem+json"], Format::Problem),
            ("/v2", &[], Format::Oci),
            ("/v2/installer/x/manifests/v1", &["application/problem+json"], Format::Oci),
            ("/v21", &[], Format::Text),
        ] {
            assert_eq!(Format::of(path, &accepting(accept)), format, "{path} {accept:?}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the file /secret/path is gone")]
    struct Fault(Blame);

    impl Blamed for Fault {
        fn blame(&self) -> Blame {
            self.0
        }
    }

    #[test]
    fn what_happens_inside_stays_inside() {
        for blame in [Blame::Ours, Blame::Upstream, Blame::Busy, Blame::Full] {
            let error = ApiError::of("fault", Fault(blame));
            assert!(error.status.is_server_error());
            for format in [Format::Text, Format::Problem, Format::Oci] {
                let (_, body) = format.write(&error, "the-id");
                assert!(!body.contains("secret") && body.contains("the-id"), "{body}");
            }
        }
        let error = ApiError::of("wrong", Fault(Blame::Caller)).while_doing("reading");
        assert_eq!(Format::Text.write(&error, "id").1, "reading: the file /secret/path is gone\n");
    }
}
