//! Downloads of images.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schematics::{Boot, SchematicId};

use super::body::{Download, Lifetime, Wanted, serve_file};
use super::error::ApiError;
use super::keys::HostKeys;
use super::path::{ImagePath, Query};
use crate::app::App;
use crate::images::{self, Image};
use crate::register::Stored;

/// `GET /image/<schematic>/<version>/<asset>`.
pub(super) async fn image(
    State(app): State<App>,
    path: ImagePath,
    query: Query,
    keys: HostKeys,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let id = path.schematic()?;
    // An unknown schematic is told before a malformed version or name, as clients know it.
    let stored = find(&app, id).await?;
    let (version, asset) = (path.version()?, path.asset()?);
    let image = lay_out(
        &app,
        images::Wanted { stored: &stored, version: &version, asset: &asset, keys: keys.0.as_ref() },
    )
    .await?;
    let download = Download {
        image: image.layout,
        etag: image.manifest,
        name: path.name().to_owned(),
        lifetime: match asset.target().boot {
            Boot::Plain => Lifetime::Fixed,
            Boot::Secure => Lifetime::Signed,
        },
        save_as: query.get("filename"),
        health: image.health,
    };
    Ok(serve_file(&download, &app.store, &wanted))
}

/// A registered schematic.
pub(super) async fn find(app: &App, id: SchematicId) -> Result<Arc<Stored>, ApiError> {
    app.register.find(id).await.map_err(|error| ApiError::of("schematic_unknown", error))
}

/// The image of an asset.
pub(super) async fn lay_out(app: &App, wanted: images::Wanted<'_>) -> Result<Image, ApiError> {
    app.images.open(wanted).await.map_err(|error| ApiError::of("asset_unavailable", error))
}
