//! Choosing the image of an architecture.

use schematics::{Arch, Digest};

use crate::oci::{Document, ImageManifest, Index};
use crate::reference::{ImageRef, Repository};
use crate::source::{ImageSource, PullError};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 3;

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// Where it is.
    pub repository: Repository,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its manifest.
    pub manifest: ImageManifest,
}

/// The image for Linux on `arch`; an image that is no index is taken as it is.
///
/// # Errors
/// When the index has none, or the source does not deliver.
pub async fn platform_image(
    source: &dyn ImageSource,
    image: &ImageRef,
    arch: Arch,
) -> Result<PlatformImage, PullError> {
    let repository = &image.repository;
    let mut digest = image.digest;
    for _ in 0..MAX_DEPTH {
        let bytes = source.manifest(repository, digest).await?;
        match Document::decode(&bytes, digest)? {
            Document::Image(manifest) => {
                return Ok(PlatformImage { repository: repository.clone(), digest, manifest });
            }
            Document::Index(index) => {
                let missing = || PullError::NoPlatform { repository: repository.clone(), digest, arch };
                digest = choose(&index, arch).ok_or_else(missing)?;
            }
        }
    }
    Err(PullError::TooMany { what: format!("indexes inside each other in {image}"), limit: MAX_DEPTH })
}

/// The first entry for the architecture; else the first index that does not say what it is for.
fn choose(index: &Index, arch: Arch) -> Option<Digest> {
    let exact = index.manifests.iter().find(|entry| entry.runs_on(arch));
    let nested = || index.manifests.iter().find(|entry| entry.is_index() && entry.platform.is_none());
    exact.or_else(nested).map(|entry| entry.digest)
}
