//! Downloads of images.

use axum::extract::State;
use axum::response::Response;

use super::error::ApiError;
use super::path::ImagePath;
use crate::app::App;

/// `GET /image/<schematic>/<version>/<asset>`.
pub(super) async fn image(State(app): State<App>, path: ImagePath) -> Result<Response, ApiError> {
    let schematic = app.register.find(path.schematic()?).await;
    schematic.map_err(|error| ApiError::of("schematic_unknown", error))?;
    let (version, asset) = (path.version()?, path.asset()?);
    Err(ApiError::unsupported(
        "asset_not_made",
        format!("this factory does not make {asset} of {version} yet"),
    ))
}
