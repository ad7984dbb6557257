//! `talosctl` for every system.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use builder::VirtualImage;
use schematics::TalosVersion;

use super::Shared;
use super::body::{Download, Lifetime, Wanted, content_type, serve_file};
use super::error::ApiError;
use super::json::json;
use super::path::{self, Version};
use super::versions::unavailable;
use crate::images::Health;

/// `<version>/<file>`.
#[derive(Debug)]
pub(super) struct ProgramPath {
    version: TalosVersion,
    name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ProgramPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (version, name) = path::segments::<(String, String), S>(parts, state).await?;
        Ok(Self { version: path::version(&version)?, name })
    }
}

/// `GET /talosctl/<version>`: where the programs are; none for versions that have none.
pub(super) async fn list(State(app): Shared, Version(version): Version) -> Result<Response, ApiError> {
    let programs = app.available.talosctl(&version).await.map_err(unavailable)?;
    let base = &app.config.external_url;
    let urls: Vec<_> =
        programs.iter().map(|program| format!("{base}/talosctl/{version}/{}", program.name)).collect();
    json(StatusCode::OK, &urls)
}

/// `GET /talosctl/<version>/<file>`.
pub(super) async fn program(
    State(app): Shared,
    path: ProgramPath,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let programs = app.available.talosctl(&path.version).await.map_err(unavailable)?;
    if programs.is_empty() {
        let text = format!("version {} is not available", path.version.semver());
        return Err(ApiError::not_found("version_unknown", text));
    }
    let program = programs.iter().find(|program| program.name == path.name).ok_or_else(|| {
        let text = format!("there is no {:?} for version {}", path.name, path.version.semver());
        ApiError::not_found("program_unknown", text)
    })?;
    let image = Arc::new(VirtualImage::from_blob(program.blob));
    let download = Download {
        etag: program.blob.digest,
        image,
        media_type: content_type(&path.name),
        name: path.name,
        lifetime: Lifetime::Fixed,
        save_as: None,
        health: Health::default(),
    };
    Ok(serve_file(&download, &app.store, &wanted))
}
