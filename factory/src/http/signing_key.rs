//! The key that signs what is served.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::Shared;

/// `GET /oci/cosign/signing-key.pub`: its public part, as `cosign verify --key` takes it.
pub(super) async fn public(State(app): Shared) -> Response {
    // Another key may be configured at any time.
    let headers =
        [(header::CONTENT_TYPE, "application/x-pem-file"), (header::CACHE_CONTROL, "public, no-cache")];
    (headers, app.seal.public_key().to_pem()).into_response()
}
