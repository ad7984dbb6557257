//! Lists of tags, in pages.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::body::Wanted;
use crate::http::error::ApiError;
use crate::http::path::Query;

/// The answer with sorted tags: those behind `last`, at most `n` of them, and where the next ones are.
///
/// # Errors
/// 400 when `n` is no number.
pub(super) fn answer(tags: &[String], query: &Query, wanted: &Wanted) -> Result<Response, ApiError> {
    let limit = match query.get("n") {
        None => usize::MAX,
        Some(text) => text.parse().map_err(|_| {
            ApiError::bad_request("page_invalid", format!("`n` is not a number of tags: {text:?}"))
        })?,
    };
    let from = query.get("last").map_or(0, |last| tags.partition_point(|tag| *tag <= last));
    let rest = tags.get(from..).unwrap_or_default();
    let page = rest.get(..limit).unwrap_or(rest);
    let path = wanted.path.as_str();
    let name = path.strip_prefix("/v2/").and_then(|rest| rest.strip_suffix("/tags/list")).unwrap_or(path);
    let body = json!({ "name": name, "tags": page }).to_string();
    let length = HeaderValue::from(body.len());
    let kind = HeaderValue::from_static("application/json");
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length)];
    let mut response = (StatusCode::OK, headers, body).into_response();
    // A page of none would lead to itself for ever.
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        // Tags are safe in a URL by their grammar.
        let link = format!("<{path}?n={limit}&last={last}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}
