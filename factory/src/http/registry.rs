//! The container registry: OCI distribution specification 1.1, pull and discovery.

mod artefacts;
mod path;
mod tags;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use builder::VirtualImage;
use extensions::oci::{INDEX, Index};
use schematics::{Blame, Blamed};

use super::Shared;
use super::body::{Content, Lifetime, Wanted, serve};
use super::error::ApiError;
use super::keys::HostKeys;
use super::path::{Query, Segment, no_schematic};
use crate::app::App;
use crate::artefacts::{ArtefactName, ArtefactRepository};
use crate::images::Health;
use crate::installers::{InstallerName, InstallerRepository};
use crate::repository::{BlobContent, Document, Reference};
use path::{Repository, Resource};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// `GET /v2/`: there is a registry here.
pub(super) async fn base() -> StatusCode {
    StatusCode::OK
}

/// `GET /v2/<path>`.
pub(super) async fn resource(
    State(app): Shared,
    Segment(path): Segment,
    query: Query,
    keys: HostKeys,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let (repository, resource) = path::parse(&path)
        .ok_or_else(|| ApiError::not_found("path_unknown", format!("unknown registry path: {path:?}")))?;
    match repository {
        Repository::Source(repository) => source(&app, &repository, resource, (&query, &wanted)).await,
        Repository::Installer { image, schematic } => {
            let invalid = || ApiError::bad_request("image_invalid", format!("invalid image: {image}"));
            let artefact = ArtefactName::parse(image);
            let installer_name = InstallerName::parse(image);
            if artefact.is_none() && installer_name.is_none() {
                return Err(invalid());
            }
            let id = schematic.parse().map_err(|_| no_schematic(schematic))?;
            let stored =
                app.register.find(id).await.map_err(|error| ApiError::of("schematic_unknown", error))?;
            if let Some(name) = artefact {
                let repository = ArtefactRepository { name, stored: &stored, keys: keys.0.as_ref() };
                return artefacts::artefact(&app, repository, resource, (&query, &wanted)).await;
            }
            let name = installer_name.ok_or_else(invalid)?;
            let repository = InstallerRepository { name, stored: &stored, keys: keys.0.as_ref() };
            installer(&app, repository, resource, (&query, &wanted)).await
        }
    }
}

async fn installer(
    app: &App,
    repository: InstallerRepository<'_>,
    resource: Resource<'_>,
    (query, wanted): (&Query, &Wanted),
) -> Result<Response, ApiError> {
    match resource {
        Resource::Tags => {
            let tags = app.installers.tags(repository).await;
            tags::answer(&tags.map_err(|error| failed("tags_unavailable", error))?, query, wanted)
        }
        Resource::Manifest(text) => {
            let reference = path::reference(text)?;
            let document = app.installers.document(repository, &reference).await;
            let document = document.map_err(|error| failed("manifest_unknown", error))?;
            manifest(app, document, &reference, wanted)
        }
        Resource::Blob(text) => {
            let content = app.installers.blob(repository, path::digest(text, "blob_unknown")?).await;
            Ok(blob(app, content.map_err(|error| failed("blob_unknown", error))?, wanted))
        }
        Resource::Referrers(text) => {
            let subject = path::digest(text, "manifest_unknown")?;
            let found = app.installers.referrers(repository, subject).await;
            let found = found.map_err(|error| failed("referrers_unavailable", error))?;
            filtered(found.unwrap_or_else(nothing), query)
        }
    }
}

async fn source(
    app: &App,
    repository: &extensions::Repository,
    resource: Resource<'_>,
    (query, wanted): (&Query, &Wanted),
) -> Result<Response, ApiError> {
    match resource {
        Resource::Tags => {
            let tags = app.sources.tags(repository).await;
            tags::answer(&tags.map_err(|error| failed("image_unknown", error))?, query, wanted)
        }
        Resource::Manifest(text) => {
            let reference = path::reference(text)?;
            let document = app.sources.document(repository, &reference).await;
            let document = document.map_err(|error| failed("manifest_unknown", error))?;
            manifest(app, document, &reference, wanted)
        }
        Resource::Blob(text) => {
            let digest = path::digest(text, "blob_unknown")?;
            let content = app.sources.blob(repository, digest, wanted.method != Method::HEAD).await;
            Ok(blob(app, content.map_err(|error| failed("blob_unknown", error))?, wanted))
        }
        Resource::Referrers(text) => {
            let digest = path::digest(text, "manifest_unknown")?;
            let index = app.sources.referrers(repository, digest).await;
            filtered(index.map_err(|error| failed("referrers_unavailable", error))?, query)
        }
    }
}

/// An error of a use case; a client that asked for what cannot be made learns why.
fn failed<E: Blamed + std::error::Error + Send + Sync + 'static>(
    missing: &'static str,
    error: E,
) -> ApiError {
    let code = if error.blame() == Blame::Missing { missing } else { "asset_unavailable" };
    ApiError::of(code, error)
}

fn manifest(
    app: &App,
    document: Document,
    reference: &Reference,
    wanted: &Wanted,
) -> Result<Response, ApiError> {
    let media_type = HeaderValue::from_str(&document.media_type).map_err(|_| {
        ApiError::new(StatusCode::BAD_GATEWAY, "media_type", "the manifest has no proper media type")
    })?;
    let lifetime = match reference {
        Reference::Tag(_) => Lifetime::Named,
        Reference::Digest(_) => Lifetime::Fixed,
    };
    let (digest, image) = (document.digest, Arc::new(VirtualImage::from_bytes(document.bytes)));
    let content = Content { image, etag: digest, media_type, lifetime, health: Health::default() };
    let mut response = serve(&content, &app.store, wanted);
    set_digest(&mut response, digest);
    Ok(response)
}

fn blob(app: &App, blob: BlobContent, wanted: &Wanted) -> Response {
    let BlobContent { digest, layout, health } = blob;
    let media_type = HeaderValue::from_static("application/octet-stream");
    let content = Content { image: layout, etag: digest, media_type, lifetime: Lifetime::Fixed, health };
    let mut response = serve(&content, &app.store, wanted);
    set_digest(&mut response, digest);
    response
}

fn set_digest(response: &mut Response, digest: schematics::Digest) {
    if let Ok(value) = HeaderValue::from_str(&digest.to_string())
        && !response.status().is_client_error()
    {
        response.headers_mut().insert(CONTENT_DIGEST, value);
    }
}

/// Nothing refers to it; the specification wants an empty index for that.
fn referrers(query: &Query) -> Result<Response, ApiError> {
    filtered(nothing(), query)
}

fn nothing() -> Index {
    Index::of(Vec::new())
}

/// An index as the answer to a question for referrers, of one type when the query says so.
fn filtered(mut index: Index, query: &Query) -> Result<Response, ApiError> {
    let wanted = query.get("artifactType").filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = &wanted {
        index.manifests.retain(|entry| entry.artifact_type.as_deref() == Some(wanted));
    }
    let body = index.encode().map_err(super::json::fault)?;
    let mut response = ([(header::CONTENT_TYPE, INDEX)], body.clone()).into_response();
    set_digest(&mut response, schematics::Digest::of(&body));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if wanted.is_some() {
        response.headers_mut().insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}
