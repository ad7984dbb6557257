//! JSON answers.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

/// A value as JSON, ended by a line feed as in Image Factory.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(value).map_err(fault)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response())
}

/// The answer when a value cannot be written; a fault of ours.
pub(super) fn fault(error: serde_json::Error) -> ApiError {
    let mut fault = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal server error");
    fault.cause = Some(std::sync::Arc::new(error));
    fault
}
