//! What paths below `/v2/` ask for.

use schematics::Digest;

use crate::http::error::ApiError;
use crate::repository::Reference;

/// The namespace of Talos' own images.
const SOURCE: &str = "siderolabs/";

/// Whose something is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repository<'a> {
    /// The installers of a schematic.
    Installer {
        /// What kind of installer.
        image: &'a str,
        /// The schematic.
        schematic: &'a str,
    },
    /// An image of the source.
    Source(extensions::Repository),
}

/// What is asked for, references not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    Manifest(&'a str),
    Blob(&'a str),
    Referrers(&'a str),
    Tags,
}

/// Reads `<repository>/<resource>`; `None` for what is no path of the specification, or names no repository there may be.
pub(super) fn parse(path: &str) -> Option<(Repository<'_>, Resource<'_>)> {
    let (name, resource) = match path.strip_suffix("/tags/list") {
        Some(name) => (name, Resource::Tags),
        None => {
            let (rest, reference) = path.rsplit_once('/').filter(|(_, reference)| !reference.is_empty())?;
            let (name, kind) = rest.rsplit_once('/')?;
            match kind {
                "manifests" => (name, Resource::Manifest(reference)),
                "blobs" => (name, Resource::Blob(reference)),
                "referrers" => (name, Resource::Referrers(reference)),
                _ => return None,
            }
        }
    };
    if name.starts_with(SOURCE) {
        return Some((Repository::Source(name.parse().ok()?), resource));
    }
    let (image, schematic) = name.split_once('/')?;
    let plain = !image.is_empty() && !schematic.is_empty() && !schematic.contains('/');
    plain.then_some((Repository::Installer { image, schematic }, resource))
}

/// Reads the reference of a manifest.
///
/// # Errors
/// 400 when it is a malformed digest, 404 when it can be neither a tag nor a digest of ours.
pub(super) fn reference(text: &str) -> Result<Reference, ApiError> {
    if text.contains(':') {
        return digest(text, "manifest_unknown").map(Reference::Digest);
    }
    if extensions::reference::is_tag(text) {
        return Ok(Reference::Tag(text.to_owned()));
    }
    Err(ApiError::not_found("manifest_unknown", format!("{text:?} is neither a tag nor a digest")))
}

/// Reads a digest.
///
/// # Errors
/// 400 when it is malformed, 404 when it is well-formed but of an algorithm that names nothing here.
pub(super) fn digest(text: &str, missing: &'static str) -> Result<Digest, ApiError> {
    if let Ok(digest) = text.parse() {
        return Ok(digest);
    }
    if is_foreign(text) {
        return Err(ApiError::not_found(missing, format!("nothing here has the digest {text}")));
    }
    Err(ApiError::bad_request(
        "digest_invalid",
        format!("{text:?} is not a digest: expected `sha256:` and 64 hexadecimal digits"),
    ))
}

/// Whether a text is a digest by the grammar of the image specification, of another algorithm than SHA-256.
fn is_foreign(text: &str) -> bool {
    let Some((algorithm, encoded)) = text.split_once(':') else { return false };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let hex =
        |len| encoded.len() == len && encoded.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let free = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-');
    match algorithm {
        "sha256" => false,
        "sha384" => hex(96),
        "sha512" => hex(128),
        other => {
            other.split(['+', '.', '_', '-']).all(word) && !encoded.is_empty() && encoded.bytes().all(free)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn paths_name_installers_and_source_images() {
        for (path, resource) in [
            ("installer/abc/manifests/v1.13.0", Resource::Manifest("v1.13.0")),
            ("metal-installer/abc/blobs/sha256:00", Resource::Blob("sha256:00")),
            ("installer-secureboot/abc/referrers/sha256:00", Resource::Referrers("sha256:00")),
            ("installer/abc/tags/list", Resource::Tags),
        ] {
            let Some((Repository::Installer { .. }, found)) = parse(path) else { panic!("{path}") };
            assert_eq!(found, resource, "{path}");
        }
        for (path, repository, resource) in [
            ("siderolabs/installer/manifests/v1", "siderolabs/installer", Resource::Manifest("v1")),
            ("siderolabs/imager/tags/list", "siderolabs/imager", Resource::Tags),
            ("siderolabs/a/b/blobs/sha256:00", "siderolabs/a/b", Resource::Blob("sha256:00")),
        ] {
            let expected = Repository::Source(repository.parse().unwrap());
            assert_eq!(parse(path), Some((expected, resource)), "{path}");
        }
        for path in [
            "a/b/c/manifests/v1",
            "siderolabs/installer/tags/v1",
            "siderolabs/In/tags/list",
            "siderolabs/manifests/v1",
            "siderolabs//manifests/v1",
            "installer/manifests/v1",
            "installer/abc/manifests",
            "installer/abc/manifests/",
            "installer/abc/uploads/x",
            "installer/abc/tags",
            "tags/list",
            "_catalog",
            "",
        ] {
            assert!(
                !matches!(parse(path), Some((Repository::Source(_) | Repository::Installer { .. }, _))),
                "{path}"
            );
        }
    }

    #[test]
    fn malformed_digests_are_told_apart_from_unknown_ones() {
        let zeros = "0".repeat(128);
        for (text, status) in [
            ("sha256:", StatusCode::BAD_REQUEST),
            ("sha256:00", StatusCode::BAD_REQUEST),
            (&format!("sha256:{}", "A".repeat(64)), StatusCode::BAD_REQUEST),
            (&format!("sha256:{zeros}"), StatusCode::BAD_REQUEST),
            ("sha512:00", StatusCode::BAD_REQUEST),
            (":", StatusCode::BAD_REQUEST),
            ("a b:c", StatusCode::BAD_REQUEST),
            (&format!("sha512:{zeros}"), StatusCode::NOT_FOUND),
            ("blake3+x:abc=", StatusCode::NOT_FOUND),
        ] {
            assert_eq!(reference(text).unwrap_err().status, status, "{text}");
            assert_eq!(digest(text, "blob_unknown").unwrap_err().status, status, "{text}");
        }
        assert!(matches!(reference("v1.13.0"), Ok(Reference::Tag(_))));
        assert!(matches!(reference(&Digest::of(b"x").to_string()), Ok(Reference::Digest(_))));
        assert_eq!(digest("v1.13.0", "blob_unknown").unwrap_err().status, StatusCode::BAD_REQUEST);
        assert_eq!(reference("-x").unwrap_err().status, StatusCode::NOT_FOUND);
    }
}
