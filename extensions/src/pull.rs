//! From an image to its files.

mod layer;
mod platform;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use builder::store::BlobStore;
use builder::tree::Tree;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::{Arch, Digest};
use tokio::sync::Semaphore;

pub(crate) use layer::decoder;
pub use platform::{PlatformImage, platform_image};

use crate::flatten::Flattener;
use crate::hostile::HostileError;
use crate::layers::LayerLimits;
use crate::oci::{ImageConfig, ImageManifest};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError, within};
use layer::{FetchedLayer, Job};

/// The largest image configuration that is read, in bytes.
pub(crate) const MAX_CONFIG: u64 = 4 << 20;

/// What an image may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest compressed layer, in bytes.
    pub blob: u64,
    /// The most bytes of all layers of an image once decompressed.
    pub content: u64,
    /// How many times its compressed size a layer may have, once it has more than `ratio_floor` bytes.
    pub ratio: u64,
    /// Up to here, in bytes, the ratio does not count.
    pub ratio_floor: u64,
    /// Limits on what is in a layer.
    pub layer: LayerLimits,
    /// How many layers are fetched at once, over all pulls that share this value.
    pub downloads: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob: 4 << 30,
            content: 8 << 30,
            ratio: 200,
            ratio_floor: 64 << 20,
            layer: LayerLimits::default(),
            downloads: Arc::new(Semaphore::new(4)),
        }
    }
}

/// The files of an image. Their contents are extents of blobs in the store that was given for them.
#[derive(Debug, Clone)]
pub struct PulledTree {
    /// All layers on top of each other.
    pub tree: Tree,
    /// The digest of the manifest of the platform that was chosen.
    pub image_digest: Digest,
}

/// Pulls an image for an architecture and puts its layers on top of each other.
///
/// The uncompressed layers are put into `scratch`, one blob each; nothing is ever whole in memory. Every byte is checked
/// against the digests of the manifest and the configuration. An image that is no index is taken whatever it says it
/// runs on.
///
/// # Errors
/// When the source does not deliver, or a layer is refused.
pub async fn pull_tree(
    source: &dyn ImageSource,
    image: &ImageRef,
    arch: Arch,
    scratch: &Arc<dyn BlobStore>,
    limits: &Limits,
) -> Result<PulledTree, PullError> {
    let platform = platform_image(source, image, arch).await?;
    pull_platform(source, &platform, scratch, limits, None).await
}

/// Pulls an image whose platform is already chosen. With `below`, only what is at or below that path is kept and judged.
///
/// # Errors
/// As [`pull_tree`].
pub async fn pull_platform(
    source: &dyn ImageSource,
    platform: &PlatformImage,
    scratch: &Arc<dyn BlobStore>,
    limits: &Limits,
    below: Option<&str>,
) -> Result<PulledTree, PullError> {
    let manifest = &platform.manifest;
    let diff_ids = diff_ids(source, platform).await?;
    let budget = Arc::new(AtomicU64::new(limits.content));
    // Gathered first: a lazy iterator of references would make this future one that cannot be sent to a thread.
    let jobs = manifest.layers.iter().zip(diff_ids).map(|(layer, diff_id)| Job {
        repository: platform.repository.clone(),
        layer: layer.clone(),
        diff_id,
        below: below.map(str::to_owned),
        limits: limits.clone(),
        budget: Arc::clone(&budget),
        scratch: Arc::clone(scratch),
    });
    let jobs: Vec<Job> = jobs.collect();
    let layers: Vec<FetchedLayer> = stream::iter(jobs.into_iter().map(|job| job.run(source)))
        .buffered(manifest.layers.len().max(1))
        .try_collect()
        .await?;
    let mut flattener = Flattener::default();
    let mut entries = 0;
    for layer in layers {
        let refused = |error| PullError::Hostile {
            repository: platform.repository.clone(),
            layer: layer.digest,
            source: Box::new(error),
        };
        entries += layer.entries.len();
        if entries > limits.layer.entries {
            return Err(refused(HostileError::Entries { limit: limits.layer.entries }));
        }
        flattener.apply(layer.entries, layer.archive).map_err(refused)?;
    }
    Ok(PulledTree { tree: flattener.finish(), image_digest: platform.digest })
}

/// The digests the layers' contents must have, as far as the image tells them.
async fn diff_ids(source: &dyn ImageSource, image: &PlatformImage) -> Result<Vec<Option<Digest>>, PullError> {
    let ImageManifest { config, layers, .. } = &image.manifest;
    if !image.manifest.has_image_config() {
        return Ok(vec![None; layers.len()]);
    }
    let what = format!("configuration {}", config.digest);
    if config.size > MAX_CONFIG {
        return Err(PullError::TooLarge { what, limit: MAX_CONFIG });
    }
    let bytes = within(source.blob(&image.repository, config.blob()).await?, MAX_CONFIG, &what).await?;
    let malformed = |source| PullError::Malformed { what: what.clone(), source };
    let config: ImageConfig = serde_json::from_slice(&bytes).map_err(malformed)?;
    let ids = config.rootfs.diff_ids;
    if ids.len() != layers.len() {
        let text = format!("{} layers, but {} `diff_ids`", layers.len(), ids.len());
        return Err(malformed(serde::de::Error::custom(text)));
    }
    Ok(ids.into_iter().map(Some).collect())
}

#[cfg(test)]
mod tests;
