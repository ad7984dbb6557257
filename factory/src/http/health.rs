//! For load balancers and people on call.

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;
use super::error::ApiError;

/// The process answers.
pub(super) async fn alive() -> StatusCode {
    StatusCode::OK
}

/// New clients are welcome; not any more once the server begins to stop.
pub(super) async fn ready(State(app): Shared) -> Result<StatusCode, ApiError> {
    if app.welcome.given() {
        Ok(StatusCode::OK)
    } else {
        Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "not ready"))
    }
}
