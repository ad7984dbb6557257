//! Documents about what is inside, and about what is known to be wrong with it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use builder::VirtualImage;
use bytes::Bytes;
use schematics::{Arch, Digest, TalosVersion};

use super::Shared;
use super::body::{Content, Lifetime, Wanted, serve};
use super::error::ApiError;
use super::{disposition, images, path};
use crate::app::App;
use crate::available::vex;
use crate::evidence::Form;
use crate::images::Health;

/// The first version whose images can be told of, as Image Factory has it: pre-releases come before it.
const FIRST_TOLD: (u64, u64, u64) = (1, 11, 0);
/// The first version that what is wrong is told of.
const FIRST_VEX: (u64, u64, u64) = (1, 13, 0);

/// `<schematic>/<version>/<arch>`, as it was asked for.
#[derive(Debug)]
pub(super) struct ContentsPath {
    schematic: String,
    version: String,
    arch: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ContentsPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (schematic, version, arch) = path::segments::<(String, String, String), S>(parts, state).await?;
        Ok(Self { schematic, version, arch })
    }
}

/// `GET /spdx/<schematic>/<version>/<arch>`: what is inside the images of a schematic.
pub(super) async fn spdx(
    State(app): Shared,
    path: ContentsPath,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let id = path.schematic.parse().map_err(|_| path::no_schematic(&path.schematic))?;
    let stored = images::find(&app, id).await?;
    let version = not_before(path::version(&path.version)?, FIRST_TOLD, "SPDX documents")?;
    let arch = Arch::ALL.into_iter().find(|arch| arch.name() == path.arch).ok_or_else(|| {
        ApiError::bad_request("arch_invalid", format!("invalid architecture: {:?}", path.arch))
    })?;
    let document = app.evidence.contents(&stored, &version, arch, Form::Spdx).await;
    let document = document.map_err(|error| ApiError::of("contents_unavailable", error))?;
    let name = format!("{id}-{version}-{arch}.spdx.json");
    Ok(attached(document, &name, Form::Spdx.media_type(), (&app, &wanted)))
}

/// `GET /vex/<version>/vex.json`: what the release says about vulnerabilities of its parts.
pub(super) async fn vex(
    State(app): Shared,
    path::Segment(text): path::Segment,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let version = not_before(path::version(&text)?, FIRST_VEX, "VEX documents")?;
    let document = vex::document(&app.available, &version).await;
    let document = document.map_err(|error| ApiError::of("vex_unavailable", error))?;
    Ok(attached(document, &format!("{version}.vex.json"), "application/json", (&app, &wanted)))
}

/// A version that is not older than the first that has something. A pre-release of the first is.
fn not_before(version: TalosVersion, first: (u64, u64, u64), what: &str) -> Result<TalosVersion, ApiError> {
    let told = version.semver();
    let (major, minor, patch) = first;
    let core = (told.major, told.minor, told.patch);
    if core > first || (core == first && !version.is_prerelease()) {
        return Ok(version);
    }
    let text = format!(
        "{what} are not supported for Talos version {version}, only from v{major}.{minor}.{patch} on"
    );
    Err(ApiError::bad_request("version_too_old", text))
}

/// A document to save. What says what is inside is the same for ever only as long as the factory's own part is.
fn attached(
    document: Bytes,
    name: &str,
    media_type: &'static str,
    (app, wanted): (&App, &Wanted),
) -> Response {
    let content = Content {
        etag: Digest::of(&document),
        image: Arc::new(VirtualImage::from_bytes(document)),
        media_type: HeaderValue::from_static(media_type),
        lifetime: Lifetime::Named,
        health: Health::default(),
    };
    let mut response = serve(&content, &app.store, wanted);
    if response.status().is_success() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition::attachment(name));
    }
    response
}
