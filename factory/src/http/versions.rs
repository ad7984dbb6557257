//! Talos versions and what there is for each of them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use extensions::{Repository, SourceSpec};
use schematics::Digest;
use serde::Serialize;

use super::Shared;
use super::error::ApiError;
use super::json::json;
use super::path::{Query, Version};
use crate::available::Unavailable;
use crate::config::Config;

#[derive(Debug, Serialize)]
struct Extension<'a> {
    name: &'a str,
    #[serde(rename = "ref")]
    reference: String,
    digest: Digest,
    author: &'a str,
    description: &'a str,
}

#[derive(Debug, Serialize)]
struct Overlay<'a> {
    name: &'a str,
    image: &'a str,
    #[serde(rename = "ref")]
    reference: String,
    digest: Digest,
}

/// `GET /versions`: the versions that are offered, ascending; with `?broken=true` those that are withdrawn.
pub(super) async fn list(State(app): Shared, query: Query) -> Result<Response, ApiError> {
    if matches!(query.get("broken").as_deref(), Some("true" | "1")) {
        return json(StatusCode::OK, &printed(app.available.releases().broken()));
    }
    let versions =
        app.available.versions().await.map_err(|error| ApiError::of("versions_unavailable", error))?;
    json(StatusCode::OK, &printed(&versions))
}

fn printed(versions: &[schematics::TalosVersion]) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}

/// `GET /version/<version>/extensions/official`.
pub(super) async fn extensions(State(app): Shared, Version(version): Version) -> Result<Response, ApiError> {
    let entries = app.available.extensions(&version).await.map_err(unavailable)?;
    let list: Vec<_> = entries
        .iter()
        .map(|entry| Extension {
            name: entry.name.as_str(),
            reference: reference(&app.config, &entry.name, entry.tag.as_deref()),
            digest: entry.digest,
            author: &entry.author,
            description: &entry.description,
        })
        .collect();
    json(StatusCode::OK, &list)
}

/// `GET /version/<version>/overlays/official`.
pub(super) async fn overlays(State(app): Shared, Version(version): Version) -> Result<Response, ApiError> {
    let entries = app.available.overlays(&version).await.map_err(unavailable)?;
    let list: Vec<_> = entries
        .iter()
        .map(|entry| Overlay {
            name: &entry.name,
            image: entry.image.as_str(),
            reference: reference(&app.config, &entry.image, entry.tag.as_deref()),
            digest: entry.digest,
        })
        .collect();
    json(StatusCode::OK, &list)
}

/// The answer when something about a version is not known.
pub(super) fn unavailable(error: Unavailable) -> ApiError {
    ApiError::of("version_unknown", error)
}

/// How an image of a catalogue is written: `<registry>/<repository>:<tag>`; without registry for a directory.
fn reference(config: &Config, repository: &Repository, tag: Option<&str>) -> String {
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    match &config.source {
        SourceSpec::Layout(_) => format!("{repository}{tag}"),
        SourceSpec::Registry { host, namespace: None, .. } => format!("{host}/{repository}{tag}"),
        SourceSpec::Registry { host, namespace: Some(namespace), .. } => {
            format!("{host}/{namespace}/{repository}{tag}")
        }
    }
}
