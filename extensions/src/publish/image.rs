//! Making manifests and indexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use builder::{BlobStore, VirtualImage};
use bytes::Bytes;
use schematics::{Arch, Digest};
use serde_json::{Map, Value, json};
use signing::cosign::{self, ImageSignature};

use super::{Publication, PublishError, measure};
use crate::oci::{CONFIG, Descriptor, INDEX, ImageManifest, Index, LAYER, MANIFEST, OciPlatform};

/// A configuration, layer or other content of an image.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub media_type: String,
    /// Its bytes.
    pub content: VirtualImage,
    /// Notes.
    pub annotations: BTreeMap<String, String>,
}

/// A container image for Linux.
#[derive(Debug, Clone)]
pub struct ContainerImage {
    /// The processor it runs on.
    pub arch: Arch,
    /// Its uncompressed tar layers, the lowest first.
    pub layers: Vec<VirtualImage>,
    /// Entry point, environment, labels: the `config` object of the image configuration.
    pub runtime: Map<String, Value>,
}

impl Part {
    /// Content without notes.
    #[must_use]
    pub fn new(media_type: &str, content: VirtualImage) -> Self {
        Self { media_type: media_type.to_owned(), content, annotations: BTreeMap::new() }
    }
}

impl Publication {
    /// An image of any parts, such as cosign's signatures.
    ///
    /// # Errors
    /// When the parts cannot be read.
    pub async fn image(
        config: Part,
        layers: Vec<Part>,
        annotations: BTreeMap<String, String>,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Self, PublishError> {
        let mut blobs = Vec::new();
        let mut descriptors = Vec::new();
        for part in std::iter::once(config).chain(layers) {
            let blob = measure(&part.content, store).await.map_err(PublishError::Store)?;
            let descriptor = Descriptor::new(&part.media_type, blob);
            descriptors.push(Descriptor { annotations: part.annotations, ..descriptor });
            blobs.push((blob, part.content));
        }
        let config = descriptors.remove(0);
        let media_type = Some(MANIFEST.to_owned());
        let manifest =
            ImageManifest { schema_version: 2, media_type, config, layers: descriptors, annotations };
        Ok(Self::document(MANIFEST, manifest.encode().map_err(PublishError::Document)?, blobs))
    }

    /// A signature as the image that cosign keeps it in.
    ///
    /// # Errors
    /// Never in practice: all of it is in memory.
    pub async fn signature(
        signature: ImageSignature,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Self, PublishError> {
        let config = cosign::configuration(&signature.payload).map_err(PublishError::Document)?;
        let layer = Part {
            annotations: BTreeMap::from([(cosign::ANNOTATION.to_owned(), signature.signature)]),
            ..Part::new(cosign::MEDIA_TYPE, VirtualImage::from_bytes(signature.payload))
        };
        let config = Part::new(CONFIG, VirtualImage::from_bytes(config));
        Self::image(config, vec![layer], BTreeMap::new(), store).await
    }

    /// A container image with a configuration made for it.
    ///
    /// # Errors
    /// When the layers cannot be read.
    pub async fn container(image: ContainerImage, store: &Arc<dyn BlobStore>) -> Result<Self, PublishError> {
        let mut diff_ids = Vec::new();
        for layer in &image.layers {
            diff_ids.push(measure(layer, store).await.map_err(PublishError::Store)?.digest);
        }
        let config = json!({
            "architecture": image.arch.name(),
            "os": "linux",
            "config": image.runtime,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = serde_json::to_vec(&config).map_err(PublishError::Document)?;
        let layers = image.layers.into_iter().map(|layer| Part::new(LAYER, layer)).collect();
        let config = Part::new(CONFIG, VirtualImage::from_bytes(config));
        Self::image(config, layers, BTreeMap::new(), store).await
    }

    /// An index of images for several architectures.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn index(images: Vec<(Arch, Self)>) -> Result<Self, PublishError> {
        let platform = |arch: Arch| OciPlatform {
            architecture: arch.name().to_owned(),
            os: "linux".to_owned(),
            variant: None,
        };
        let describe = |(arch, image): &(Arch, Self)| Descriptor {
            platform: Some(platform(*arch)),
            ..Descriptor::new(&image.media_type, image.blob())
        };
        let manifests = images.iter().map(describe).collect();
        let media_type = Some(INDEX.to_owned());
        let index = Index { schema_version: 2, media_type, manifests, annotations: BTreeMap::new() };
        let document = index.encode().map_err(PublishError::Document)?;
        let children = images.into_iter().map(|(_, image)| image).collect();
        Ok(Self { children, ..Self::document(INDEX, document, Vec::new()) })
    }

    fn document(media_type: &str, document: Bytes, blobs: Vec<(builder::Blob, VirtualImage)>) -> Self {
        let digest = Digest::of(&document);
        Self { digest, media_type: media_type.to_owned(), document, blobs, children: Vec::new() }
    }
}
