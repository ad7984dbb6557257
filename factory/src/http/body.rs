//! Images as responses.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use builder::{BlobStore, VirtualImage};
use futures::StreamExt as _;
use schematics::Digest;

use super::disposition;
use super::error::ApiError;
use super::range::{self, Decision};
use crate::images::Health;
use crate::log::chain;

/// How long what was downloaded stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// For ever: an asset of a version never changes, so nobody needs to ask again.
    Fixed,
    /// Until other keys sign: to be asked for again, which costs nothing while the entity tag is the same.
    Signed,
    /// Until a name stands for something else: to be asked for again likewise.
    Named,
}

impl Lifetime {
    const fn cache_control(self) -> &'static str {
        match self {
            Self::Fixed => "public, max-age=31536000, immutable",
            Self::Signed | Self::Named => "public, no-cache",
        }
    }
}

/// What a client asked about a body.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// GET or HEAD.
    pub(super) method: Method,
    /// The path, as it was spelled.
    pub(super) path: String,
    /// Range and conditions are in here.
    pub(super) headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let path = parts.uri.path().to_owned();
        Ok(Self { method: parts.method.clone(), path, headers: parts.headers.clone() })
    }
}

/// What is sent as a file.
#[derive(Debug)]
pub(super) struct Download {
    /// The bytes.
    pub(super) image: Arc<VirtualImage>,
    /// The digest that changes whenever the bytes do.
    pub(super) etag: Digest,
    /// What the route calls it.
    pub(super) name: String,
    /// The content type.
    pub(super) media_type: &'static str,
    /// How long it may be kept.
    pub(super) lifetime: Lifetime,
    /// What the client wants to save it as, instead of its name.
    pub(super) save_as: Option<String>,
    /// Spoiled when reading fails.
    pub(super) health: Health,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Content {
    /// The bytes.
    pub(super) image: Arc<VirtualImage>,
    /// The digest that changes whenever the bytes do.
    pub(super) etag: Digest,
    /// The content type.
    pub(super) media_type: HeaderValue,
    /// How long it may be kept.
    pub(super) lifetime: Lifetime,
    /// Spoiled when reading fails.
    pub(super) health: Health,
}

/// Answers with an image as a file, as [`serve`] does.
#[must_use]
pub(super) fn serve_file(download: &Download, store: &Arc<dyn BlobStore>, wanted: &Wanted) -> Response {
    let content = Content {
        image: Arc::clone(&download.image),
        etag: download.etag,
        media_type: HeaderValue::from_static(download.media_type),
        lifetime: download.lifetime,
        health: download.health.clone(),
    };
    let mut response = serve(&content, store, wanted);
    if response.status().is_success() {
        let name = download.save_as.as_deref().unwrap_or(&download.name);
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition::attachment(name));
    }
    response
}

/// Answers with an image: whole, in part, or not at all, as the request's conditions say.
///
/// Bytes are read as the client takes them. HEAD says what GET would, and reads nothing.
#[must_use]
pub(super) fn serve(content: &Content, store: &Arc<dyn BlobStore>, wanted: &Wanted) -> Response {
    let etag = format!("\"{}\"", content.etag.hex());
    let len = content.image.len();
    let decision = range::decide(&wanted.method, &wanted.headers, &etag, len);
    let (status, part) = match decision {
        Decision::Whole => (StatusCode::OK, 0..len),
        Decision::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Decision::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Decision::PreconditionFailed => {
            return refused(
                StatusCode::PRECONDITION_FAILED,
                "the file is not the one `If-Match` names",
                &etag,
                len,
            );
        }
        Decision::PastTheEnd => {
            let text = "the range begins behind the end of the file";
            return refused(StatusCode::RANGE_NOT_SATISFIABLE, text, &etag, len);
        }
    };
    let mut response = status.into_response();
    let headers = response.headers_mut();
    describe(headers, &etag, content.lifetime);
    if status == StatusCode::NOT_MODIFIED {
        return response;
    }
    headers.insert(header::CONTENT_TYPE, content.media_type.clone());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    if status == StatusCode::PARTIAL_CONTENT {
        set(headers, header::CONTENT_RANGE, &format!("bytes {}-{}/{len}", part.start, part.end - 1));
    }
    if wanted.method != Method::HEAD {
        *response.body_mut() = stream(content, store, part);
    }
    response
}

/// The bytes in a range. A failure ends them early, where a client sees that something is missing.
fn stream(content: &Content, store: &Arc<dyn BlobStore>, part: Range<u64>) -> Body {
    let pieces = content.image.read(Arc::clone(store), part);
    let (span, health) = (tracing::Span::current(), content.health.clone());
    Body::from_stream(pieces.inspect(move |piece| {
        if let Err(error) = piece {
            health.spoil();
            span.in_scope(|| tracing::error!(error = chain(error), "a download broke off"));
        }
    }))
}

/// Answers with a short text.
#[must_use]
pub(super) fn text(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn describe(headers: &mut HeaderMap, etag: &str, lifetime: Lifetime) {
    set(headers, header::ETAG, etag);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime.cache_control()));
}

fn refused(status: StatusCode, text: &str, etag: &str, len: u64) -> Response {
    let mut response = ApiError::new(status, "conditions_not_met", text).into_response();
    let headers = response.headers_mut();
    set(headers, header::ETAG, etag);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        set(headers, header::CONTENT_RANGE, &format!("bytes */{len}"));
    }
    response
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // Digits, hexadecimal and quotes are always a header value.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The content type by the last extension. Firmware compares it byte for byte, so there are no parameters.
#[must_use]
pub(super) fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("efi") => "application/efi",
        Some("iso") => "application/x-iso9660-image",
        Some("xz") => "application/x-xz",
        Some("gz") => "application/gzip",
        Some("json" | "pcrlock") => "application/json",
        Some("p7s") => "application/pkcs7-signature",
        Some("qcow2") => "application/x-qemu-disk",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
