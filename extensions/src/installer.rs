//! Installer images: the base a release brings, and the documents of what is put on top of it.

mod inflate;

use builder::recipe::installer::kept_layers;
use builder::store::{Blob, RecordKind, StoreError};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::{Arch, Blame, Blamed, Digest};
use serde_json::{Map, Value, json};

use crate::cook::{CookError, HasBlobs, Kitchen};
use crate::oci::{
    CONFIG, Descriptor, INDEX, ImageManifest, Index, LAYER, LayerCompression, MANIFEST, OciPlatform,
};
use crate::pull::{Limits, MAX_CONFIG, PlatformImage, platform_image};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError, within};

pub use inflate::inflated;

const KIND: RecordKind = RecordKind("installer-base");

/// A layer of a base installer, untouched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BaseLayer {
    /// How it is compressed, as an OCI media type.
    pub media_type: String,
    /// Its bytes, in the main store.
    pub blob: Blob,
    /// The digest of its uncompressed bytes.
    pub diff_id: Digest,
}

/// The base installer of a release for one architecture.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct InstallerBase {
    /// The layers that are kept, the lowest first.
    pub layers: Vec<BaseLayer>,
    /// Entry point, environment, labels: the `config` object of the image configuration.
    pub runtime: Map<String, Value>,
}

impl HasBlobs for InstallerBase {
    fn blobs(&self) -> Vec<Blob> {
        self.layers.iter().map(|layer| layer.blob).collect()
    }
}

/// Why there is no base installer.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The image could not be pulled.
    #[error("could not pull the base installer {image}")]
    Pull {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The image is not one a container can be made of.
    #[error("the base installer {image} has no configuration of a container image that fits its layers")]
    Config {
        /// The image.
        image: ImageRef,
    },
    /// A layer of it cannot be decompressed.
    #[error("layer {layer} of the base installer is refused: {what}")]
    Layer {
        /// The layer.
        layer: Digest,
        /// Why.
        what: String,
    },
    /// Our store failed.
    #[error("could not keep the base installer")]
    Store(#[from] StoreError),
    /// Our records failed.
    #[error("could not remember the base installer")]
    Kitchen(#[from] CookError),
}

impl Blamed for BaseError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pull { source, .. } => source.blame(),
            Self::Config { .. } | Self::Layer { .. } => Blame::Upstream,
            Self::Store(source) => source.blame(),
            Self::Kitchen(error) => error.blame(),
        }
    }
}

/// What is read of an image's configuration.
#[derive(serde::Deserialize)]
struct Config {
    #[serde(default)]
    config: Map<String, Value>,
    rootfs: crate::oci::RootFs,
}

/// The base installer of an image for an architecture; pulled once, then remembered by the image's digest.
///
/// Whoever asks while it is being pulled waits for it.
///
/// # Errors
/// When the image cannot be had or is no container image.
pub async fn installer_base(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    image: &ImageRef,
    arch: Arch,
) -> Result<InstallerBase, BaseError> {
    let mut key = builder::plan::CanonicalWriter::new("factory installer base 1");
    key.digests(&[image.digest]).text(arch.name());
    let key = Digest::of(&key.finish());
    let _turn = kitchen.turns.wait(key).await;
    if let Some(known) = kitchen.recall::<InstallerBase>(KIND, key).await? {
        return Ok(known);
    }
    let pulled = |source| BaseError::Pull { image: image.clone(), source };
    let platform = platform_image(source, image, arch).await.map_err(pulled)?;
    let config = read_config(source, &platform).await.map_err(pulled)?;
    let fits =
        config.as_ref().filter(|config| config.rootfs.diff_ids.len() == platform.manifest.layers.len());
    let Some(Config { config, rootfs }) = fits else {
        return Err(BaseError::Config { image: image.clone() });
    };
    let kept = kept_layers(platform.manifest.layers.len());
    let wanted: Vec<(Descriptor, Digest)> =
        platform.manifest.layers.iter().cloned().zip(rootfs.diff_ids.iter().copied()).take(kept).collect();
    let layers = wanted.into_iter().map(|(layer, diff_id)| async move {
        let media_type = oci_layer(layer.layer_compression().map_err(pulled)?).to_owned();
        keep(kitchen, source, limits, (image, &layer)).await?;
        Ok::<_, BaseError>(BaseLayer { media_type, blob: layer.blob(), diff_id })
    });
    let layers = stream::iter(layers).buffered(kept.max(1)).try_collect().await?;
    let base = InstallerBase { layers, runtime: config.clone() };
    kitchen.remember(KIND, key, &base).await?;
    Ok(base)
}

/// The configuration of a container image; `None` when the image has none.
async fn read_config(source: &dyn ImageSource, image: &PlatformImage) -> Result<Option<Config>, PullError> {
    if !image.manifest.has_image_config() {
        return Ok(None);
    }
    let descriptor = &image.manifest.config;
    let what = format!("configuration {}", descriptor.digest);
    if descriptor.size > MAX_CONFIG {
        return Err(PullError::TooLarge { what, limit: MAX_CONFIG });
    }
    let bytes = within(source.blob(&image.repository, descriptor.blob()).await?, MAX_CONFIG, &what).await?;
    serde_json::from_slice(&bytes).map(Some).map_err(|source| PullError::Malformed { what, source })
}

/// Copies a layer into the main store, as it is.
async fn keep(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    (image, layer): (&ImageRef, &Descriptor),
) -> Result<(), BaseError> {
    let pulled = |source| BaseError::Pull { image: image.clone(), source };
    if layer.size > limits.blob {
        let what = format!("layer {}", layer.digest);
        return Err(pulled(PullError::TooLarge { what, limit: limits.blob }));
    }
    if kitchen.store.size(layer.digest).await? == Some(layer.size) {
        return Ok(());
    }
    // The semaphore is never closed; without a permit there is only less order.
    let _permit = limits.downloads.acquire().await.ok();
    crate::source::copy(source, &image.repository, layer.blob(), &kitchen.store).await.map_err(pulled)
}

/// The OCI media type of a layer whose bytes are compressed so; Docker's own types mean the same bytes.
const fn oci_layer(compression: LayerCompression) -> &'static str {
    match compression {
        LayerCompression::None => LAYER,
        LayerCompression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        LayerCompression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// The documents of an installer image for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallerDocuments {
    /// Its configuration.
    pub config: Bytes,
    /// Its manifest.
    pub manifest: Bytes,
}

impl InstallerDocuments {
    /// The documents for uncompressed layers `own` on top of a base: its runtime configuration, the given time of
    /// creation (RFC 3339), no history.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn compose(
        base: &InstallerBase,
        arch: Arch,
        own: &[Blob],
        created: &str,
    ) -> Result<Self, serde_json::Error> {
        let below = base.layers.iter().map(|layer| layer.diff_id);
        let diff_ids: Vec<Digest> = below.chain(own.iter().map(|blob| blob.digest)).collect();
        let config = json!({
            "architecture": arch.name(),
            "os": "linux",
            "created": created,
            "config": base.runtime,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = Bytes::from(serde_json::to_vec(&config)?);
        let below = base.layers.iter().map(|layer| Descriptor::new(&layer.media_type, layer.blob));
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: Descriptor::new(CONFIG, blob_of(&config)),
            layers: below.chain(own.iter().map(|blob| Descriptor::new(LAYER, *blob))).collect(),
            annotations: std::collections::BTreeMap::new(),
        };
        Ok(Self { manifest: manifest.encode()?, config })
    }
}

/// The index of an installer's images.
///
/// # Errors
/// Never with what these types can hold.
pub fn installer_index(images: &[(Arch, Blob)]) -> Result<Bytes, serde_json::Error> {
    let platform = |arch: Arch| OciPlatform {
        architecture: arch.name().to_owned(),
        os: "linux".to_owned(),
        variant: None,
    };
    let describe = |(arch, manifest): &(Arch, Blob)| Descriptor {
        platform: Some(platform(*arch)),
        ..Descriptor::new(MANIFEST, *manifest)
    };
    let manifests = images.iter().map(describe).collect();
    let media_type = Some(INDEX.to_owned());
    Index { schema_version: 2, media_type, manifests, annotations: std::collections::BTreeMap::new() }
        .encode()
}

/// A document as a blob.
#[must_use]
pub fn blob_of(document: &Bytes) -> Blob {
    Blob { digest: Digest::of(document), size: document.len() as u64 }
}

#[cfg(test)]
mod tests;
