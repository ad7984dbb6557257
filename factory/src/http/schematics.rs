//! Creating and reading schematics.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::Shared;
use super::error::ApiError;
use super::json::json;
use super::path::Segment;
use crate::register::FindError;

/// The answer to a created schematic.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    id: String,
    schematic: String,
}

/// `POST /schematics`: YAML or JSON, whatever the content type says.
pub(super) async fn create(State(app): Shared, body: Body) -> Result<Response, ApiError> {
    let text = receive(body, app.config.limits.body, app.config.timeouts.header).await?;
    let created = app.register.create(&text).await;
    let stored = created.map_err(|error| ApiError::of("schematic_invalid", error))?;
    let answer = Created { id: stored.id.to_string(), schematic: stored.canonical.clone() };
    json(StatusCode::CREATED, &answer)
}

/// A whole body, within a size and a time.
async fn receive(body: Body, limit: usize, time: Duration) -> Result<Bytes, ApiError> {
    let received = tokio::time::timeout(time, to_bytes(body, limit)).await;
    let received = received.map_err(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body did not arrive in time")
    })?;
    received.map_err(|error| {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<http_body_util::LengthLimitError>() {
                let text = format!("the body is longer than the {limit} bytes that are accepted");
                return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", text);
            }
            source = cause.source();
        }
        ApiError::bad_request("body_unreadable", "the body did not arrive in one piece")
    })
}

/// `GET /schematics/<id>`: the canonical text.
pub(super) async fn read(
    State(app): Shared,
    Segment(id): Segment,
) -> Result<([(HeaderName, &'static str); 1], String), ApiError> {
    // Clients match these words, which are not those of the image routes.
    let unknown = || ApiError::not_found("schematic_unknown", "schematic not found");
    let id = id.parse().map_err(|_| unknown())?;
    let stored = app.register.find(id).await.map_err(|error| match error {
        FindError::Unknown { .. } => unknown(),
        FindError::Store { .. } | FindError::Shelf { .. } | FindError::Damaged { .. } => {
            ApiError::of("schematic_unreadable", error)
        }
    })?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], stored.canonical.clone()))
}
