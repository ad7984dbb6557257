//! Whose keys sign what a request asks for.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::app::App;
use crate::keys::KeySet;

/// The keys of the host a request came to; none when this factory signs nothing.
#[derive(Debug)]
pub(super) struct HostKeys(pub(super) Option<Arc<KeySet>>);

impl FromRequestParts<Arc<App>> for HostKeys {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let header = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        // HTTP/2 has the host in the address alone.
        let host = header.or(parts.uri.authority().map(|authority| authority.as_str()));
        Ok(Self(app.keys.of_host(host.unwrap_or_default()).cloned()))
    }
}
