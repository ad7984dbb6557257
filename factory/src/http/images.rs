//! Downloads of images, and of what goes beside them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use builder::VirtualImage;
use bytes::Bytes;
use schematics::{AssetName, Boot, Digest, Platform, SchematicId, TalosVersion};

use super::Shared;
use super::body::{Download, Lifetime, Wanted, content_type, serve_file};
use super::error::ApiError;
use super::keys::HostKeys;
use super::path::{File, ImagePath, Query, Signed};
use crate::app::App;
use crate::companions::{Checksum, Companion, CompanionError, Subject, Sums};
use crate::images::{self, Health, Image};
use crate::register::Stored;

/// `GET /image/<schematic>/<version>/<file>`.
pub(super) async fn image(
    State(app): Shared,
    path: ImagePath,
    query: Query,
    keys: HostKeys,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let id = path.schematic()?;
    // An unknown schematic is told before a malformed version or name, as clients know it.
    let stored = find(&app, id).await?;
    let version = path.version()?;
    let request = Request { app: &app, path: &path, query: &query, keys: &keys, stored: &stored, version };
    let download = match path.file()? {
        File::Asset(asset, None) => request.asset(asset).await?,
        File::Asset(asset, Some(companion)) => request.companion(asset, companion).await?,
        File::Sums(checksum, signed) => request.sums(checksum, signed).await?,
    };
    Ok(serve_file(&download, &app.store, &wanted))
}

/// What is asked for, as far as all files of a version have it.
struct Request<'a> {
    app: &'a App,
    path: &'a ImagePath,
    query: &'a Query,
    keys: &'a HostKeys,
    stored: &'a Stored,
    version: TalosVersion,
}

impl Request<'_> {
    fn wanted<'a>(&'a self, asset: &'a AssetName) -> images::Wanted<'a> {
        images::Wanted { stored: self.stored, version: &self.version, asset, keys: self.keys.0.as_ref() }
    }

    async fn asset(&self, asset: AssetName) -> Result<Download, ApiError> {
        let image = lay_out(self.app, self.wanted(&asset)).await?;
        let name = self.path.name().to_owned();
        Ok(Download {
            image: image.layout,
            etag: image.manifest,
            media_type: content_type(&name),
            name,
            lifetime: match asset.target().boot {
                Boot::Plain => Lifetime::Fixed,
                Boot::Secure => Lifetime::Signed,
            },
            save_as: self.query.get("filename"),
            health: image.health,
        })
    }

    async fn companion(&self, asset: AssetName, companion: Companion) -> Result<Download, ApiError> {
        let wanted = self.wanted(&asset);
        let image = lay_out(self.app, wanted).await?;
        let subject = Subject { name: self.path.asset_name(), wanted, image: &image };
        let text = self.app.companions.open(companion, subject).await.map_err(failed)?;
        let lifetime = match (companion, asset.target().boot) {
            (Companion::Checksum(_), Boot::Plain) => Lifetime::Fixed,
            (Companion::Checksum(_), Boot::Secure) | (Companion::Sigstore | Companion::Provenance, _) => {
                Lifetime::Signed
            }
            // A later factory may have more to tell.
            (Companion::Lock | Companion::Contents(_), _) => Lifetime::Named,
        };
        Ok(self.text(text, companion.media_type(), lifetime))
    }

    async fn sums(&self, checksum: Checksum, signed: Signed) -> Result<Download, ApiError> {
        let platform = match self.query.get("platform") {
            None => Platform::metal(),
            Some(name) => Platform::from_name(&name)
                .map_err(|error| ApiError::bad_request("platform_unknown", error.to_string()))?,
        };
        let (stored, version, keys) = (self.stored, &self.version, self.keys.0.as_ref());
        let sums = Sums { checksum, stored, version, platform, keys };
        let text = self.app.companions.sums(sums).await.map_err(failed)?;
        Ok(match signed {
            Signed::Text => self.text(text, Companion::Checksum(checksum).media_type(), Lifetime::Named),
            Signed::Signature => {
                let signature = self.app.companions.sign(&text).map_err(failed)?;
                self.text(signature, Companion::Sigstore.media_type(), Lifetime::Signed)
            }
        })
    }

    fn text(&self, text: Bytes, media_type: &'static str, lifetime: Lifetime) -> Download {
        Download {
            etag: Digest::of(&text),
            image: Arc::new(VirtualImage::from_bytes(text)),
            name: self.path.name().to_owned(),
            media_type,
            lifetime,
            save_as: self.query.get("filename"),
            health: Health::default(),
        }
    }
}

fn failed(error: CompanionError) -> ApiError {
    ApiError::of("asset_unavailable", error)
}

/// A registered schematic.
pub(super) async fn find(app: &App, id: SchematicId) -> Result<Arc<Stored>, ApiError> {
    app.register.find(id).await.map_err(|error| ApiError::of("schematic_unknown", error))
}

/// The image of an asset.
pub(super) async fn lay_out(app: &App, wanted: images::Wanted<'_>) -> Result<Image, ApiError> {
    app.images.open(wanted).await.map_err(|error| ApiError::of("asset_unavailable", error))
}
