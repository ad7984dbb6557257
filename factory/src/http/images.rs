//! Downloads of images.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schematics::{AssetName, SchematicId, TalosVersion};

use super::body::{Download, Wanted, serve};
use super::error::ApiError;
use super::path::{ImagePath, Query};
use crate::app::App;
use crate::images::Image;
use crate::register::Stored;

/// `GET /image/<schematic>/<version>/<asset>`.
pub(super) async fn image(
    State(app): State<App>,
    path: ImagePath,
    query: Query,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let id = path.schematic()?;
    // An unknown schematic is told before a malformed version or name, as clients know it.
    let stored = find(&app, id).await?;
    let image = lay_out(&app, &stored, &path.version()?, &path.asset()?).await?;
    let download = Download {
        image: image.layout,
        etag: image.manifest,
        name: path.name().to_owned(),
        save_as: query.get("filename"),
        health: image.health,
    };
    Ok(serve(&download, &app.store, &wanted))
}

/// A registered schematic.
pub(super) async fn find(app: &App, id: SchematicId) -> Result<Arc<Stored>, ApiError> {
    app.register.find(id).await.map_err(|error| ApiError::of("schematic_unknown", error))
}

/// The image of an asset.
pub(super) async fn lay_out(
    app: &App,
    stored: &Stored,
    version: &TalosVersion,
    asset: &AssetName,
) -> Result<Image, ApiError> {
    let opened = app.images.open(stored, version, asset).await;
    opened.map_err(|error| ApiError::of("asset_unavailable", error))
}
