//! Keys of SecureBoot, for whoever enrols by hand.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use signing::auth::{Update, Variable};

use super::Shared;
use super::error::ApiError;
use super::keys::HostKeys;
use super::path::{Query, Segment};
use crate::app::App;
use crate::keys::KeySet;

const CERTIFICATE: &str = "application/x-pem-file";
const BYTES: &str = "application/octet-stream";

/// `GET /secureboot/<file>`: what is public of the keys of the host it is asked under.
pub(super) async fn file(
    State(app): Shared,
    Segment(name): Segment,
    query: Query,
    HostKeys(keys): HostKeys,
) -> Result<Response, ApiError> {
    let disabled = "secure boot is disabled: this factory has no signing keys";
    let keys = keys.ok_or_else(|| ApiError::not_found("secure_boot_disabled", disabled))?;
    let (kind, bytes) = match name.as_str() {
        "signing-cert.pem" => (CERTIFICATE, keys.certificate().to_pem().into_bytes()),
        "signing-cert.der" => ("application/pkix-cert", keys.certificate().to_der().to_vec()),
        "pcr-signing-key.pem" => (CERTIFICATE, keys.pcr().public_key().to_pem().into_bytes()),
        other => (BYTES, variable(&app, &keys, other, &query).await?),
    };
    // Other keys may be configured at any time.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, no-cache")];
    Ok((StatusCode::OK, headers, bytes).into_response())
}

/// A variable to enrol, signed or as the bare list.
async fn variable(app: &App, keys: &KeySet, name: &str, query: &Query) -> Result<Vec<u8>, ApiError> {
    let wanted = name.rsplit_once('.').and_then(|(variable, form)| {
        let variable = Variable::ALL.into_iter().find(|known| known.name() == variable)?;
        matches!(form, "auth" | "esl").then_some((variable, form))
    });
    let (variable, form) = wanted.ok_or_else(|| {
        ApiError::not_found(
            "key_unknown",
            format!(
                "there is no {name:?}; there are signing-cert.pem, signing-cert.der, pcr-signing-key.pem, \
                 PK.auth, KEK.auth, db.auth, PK.esl, KEK.esl and db.esl"
            ),
        )
    })?;
    let well_known = match query.get("well-known").as_deref() {
        Some("true") => true,
        None | Some("false") => false,
        Some(other) => {
            let text = format!("`well-known` is {other:?}; expected `true` or `false`");
            return Err(ApiError::bad_request("query_invalid", text));
        }
    };
    let enrolment = app.images.enrolment(keys, well_known).await;
    let enrolment = enrolment.map_err(|error| ApiError::of("keys_unavailable", error))?;
    let auth = enrolment.auth(variable);
    if form == "auth" {
        return Ok(auth.to_vec());
    }
    let update = Update::from_bytes(auth).map_err(|error| ApiError::of("keys_unreadable", error))?;
    Ok(update.content().to_bytes())
}
