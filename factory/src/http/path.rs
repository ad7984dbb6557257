//! What paths mean: one spelling per path, and segments that become types.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use schematics::{AssetName, SchematicId, TalosVersion};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::companions::{Checksum, Companion};

/// Gives a path its one spelling: no repeated slashes and none at the end.
///
/// Image Factory redirects to that spelling. Firmware does not follow redirects, so here both spellings are served.
#[must_use]
pub(super) fn normalise<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let path = request.uri().path();
    if path.contains("//") || (path.len() > 1 && path.ends_with('/')) {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let mut text = format!("/{}", segments.join("/"));
        if let Some(query) = request.uri().query() {
            text.push('?');
            text.push_str(query);
        }
        let mut parts = request.uri().clone().into_parts();
        // What was a path stays one without some of its slashes.
        if let Ok(path) = text.parse::<PathAndQuery>() {
            parts.path_and_query = Some(path);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

/// `<schematic>/<version>/<name>`, as it was asked for.
///
/// Each part is read when its turn comes, since the order decides which of several mistakes is reported.
#[derive(Debug)]
pub(super) struct ImagePath {
    schematic: String,
    version: String,
    name: String,
}

/// What a file of a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// An asset, or what goes beside one.
    Asset(AssetName, Option<Companion>),
    /// The checksums of assets, or their signature.
    Sums(Checksum, Signed),
}

/// Whether a text is asked for or its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// The text.
    Text,
    /// Its signature.
    Signature,
}

impl<S: Send + Sync> FromRequestParts<S> for ImagePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (schematic, version, name) = segments::<(String, String, String), S>(parts, state).await?;
        Ok(Self { schematic, version, name })
    }
}

impl ImagePath {
    /// The schematic.
    ///
    /// # Errors
    /// 404 when it can be no id, as for an id that is not known.
    pub(super) fn schematic(&self) -> Result<SchematicId, ApiError> {
        self.schematic.parse().map_err(|_| no_schematic(&self.schematic))
    }

    /// The version.
    ///
    /// # Errors
    /// 400 when it is none.
    pub(super) fn version(&self) -> Result<TalosVersion, ApiError> {
        version(&self.version)
    }

    /// The file.
    ///
    /// # Errors
    /// 400 when the name is none of an asset, nor of what goes beside one.
    pub(super) fn file(&self) -> Result<File, ApiError> {
        file(&self.name)
    }

    /// The name as it was asked for.
    #[must_use]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name as it was asked for, without what makes it one of a companion.
    #[must_use]
    pub(super) fn asset_name(&self) -> &str {
        Companion::split(&self.name).0
    }
}

/// The answer for a schematic that is not there, on the routes of images.
#[must_use]
pub(super) fn no_schematic(id: &str) -> ApiError {
    ApiError::not_found("schematic_unknown", format!("schematic ID {id:?} not found"))
}

/// Reads a version.
///
/// # Errors
/// 400 when it is none.
pub(super) fn version(text: &str) -> Result<TalosVersion, ApiError> {
    let parsed = text.parse::<TalosVersion>();
    parsed.map_err(|error| ApiError::bad_request("version_invalid", error.to_string()))
}

/// Reads the name of a file of a version.
fn file(name: &str) -> Result<File, ApiError> {
    let (rest, companion) = Companion::split(name);
    match (Checksum::of_list(rest), companion) {
        (Some(sums), None) => Ok(File::Sums(sums, Signed::Text)),
        (Some(sums), Some(Companion::Sigstore)) => Ok(File::Sums(sums, Signed::Signature)),
        (Some(_) | None, companion) => Ok(File::Asset(asset(rest)?, companion)),
    }
}

/// Reads the name of an asset.
///
/// # Errors
/// 400 when it is none.
pub(super) fn asset(name: &str) -> Result<AssetName, ApiError> {
    let parsed = name.parse::<AssetName>();
    parsed
        .map_err(|error| ApiError::of("asset_invalid", error).while_doing("error parsing profile from path"))
}

/// The segments of a path, decoded.
///
/// # Errors
/// 400 when they are not UTF-8.
pub(super) async fn segments<T, S>(parts: &mut Parts, state: &S) -> Result<T, ApiError>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    let path = Path::<T>::from_request_parts(parts, state).await;
    path.map(|Path(segments)| segments)
        .map_err(|_| ApiError::bad_request("path_invalid", "the path is not valid UTF-8"))
}

/// One segment of a path, decoded.
#[derive(Debug)]
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        segments(parts, state).await.map(Self)
    }
}

/// The query of a request; whatever it says, it can be asked.
#[derive(Debug)]
pub(super) struct Query(String);

impl Query {
    /// The first value of this name, decoded.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.0.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

/// The version in a path with no other parameter.
#[derive(Debug)]
pub(super) struct Version(pub(super) TalosVersion);

impl<S: Send + Sync> FromRequestParts<S> for Version {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        version(&segments::<String, S>(parts, state).await?).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (given, spelled) in [
            ("/", "/"),
            ("//", "/"),
            ("/versions/", "/versions"),
            ("//image//a///b/?x=//y/", "/image/a/b?x=//y/"),
            ("/v2/", "/v2"),
            ("/image/%2F/../x", "/image/%2F/../x"),
        ] {
            let request = axum::http::Request::builder().uri(given).body(()).unwrap();
            assert_eq!(normalise(request).uri().to_string(), spelled, "{given}");
        }
        let absolute = axum::http::Request::builder().uri("http://host:80//a/?b").body(()).unwrap();
        assert_eq!(normalise(absolute).uri().to_string(), "http://host:80/a?b");
    }

    #[test]
    fn a_file_is_an_asset_a_list_or_what_goes_beside_them() {
        let iso: AssetName = "metal-amd64.iso".parse().unwrap();
        let sha256 = Companion::Checksum(Checksum::Sha256);
        for (name, expected) in [
            ("metal-amd64.iso", File::Asset(iso, None)),
            ("metal-amd64.iso.sha256", File::Asset(iso, Some(sha256))),
            ("metal-amd64.iso.sigstore.json", File::Asset(iso, Some(Companion::Sigstore))),
            ("SHA256SUMS", File::Sums(Checksum::Sha256, Signed::Text)),
            ("SHA512SUMS.sigstore.json", File::Sums(Checksum::Sha512, Signed::Signature)),
        ] {
            assert_eq!(file(name).unwrap(), expected, "{name}");
        }
        for name in ["SHA256SUMS.sha256", "metal-amd64.iso.sha256.sha256", ".sha256", "sha256sums"] {
            assert_eq!(file(name).unwrap_err().status, StatusCode::BAD_REQUEST, "{name}");
        }
    }

    #[test]
    fn wrong_names_and_versions_are_the_callers() {
        let error = asset("metal-amd64.ssd").unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
        assert_eq!(error.text, "error parsing profile from path: invalid profile path: \"metal-amd64.ssd\"");
        assert_eq!(version("1.13").unwrap_err().status, StatusCode::BAD_REQUEST);
        assert_eq!(no_schematic("a\"b").text, "schematic ID \"a\\\"b\" not found");
    }
}
