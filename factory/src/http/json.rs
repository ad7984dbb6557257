//! JSON answers.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

/// A value as JSON, ended by a line feed as in Image Factory.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(value).map_err(|error| {
        let mut fault = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal server error");
        fault.cause = Some(std::sync::Arc::new(error));
        fault
    })?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response())
}
