//! What a version of an installer is published as.

use std::sync::Arc;

use builder::{Blob, VirtualImage};
use extensions::installer::installer_index;
use extensions::oci::{INDEX, MANIFEST};
use schematics::{Arch, Digest};

use super::{BlobContent, Document};
use crate::images::{Health, Installer, LayerContent};

/// An index with its images.
#[derive(Debug)]
pub(super) struct Published {
    /// The index.
    pub(super) index: Document,
    /// Its images.
    pub(super) images: Vec<Installer>,
    /// Spoiled when a layer of a base cannot be read.
    pub(super) base: Health,
}

impl Published {
    /// An index of these images.
    pub(super) fn new(images: Vec<Installer>) -> Result<Self, serde_json::Error> {
        let described: Vec<(Arch, Blob)> =
            images.iter().map(|image| (image.arch, image.manifest())).collect();
        let index = Document::new(INDEX, installer_index(&described)?);
        Ok(Self { index, images, base: Health::default() })
    }

    /// Whether reading its layers went well so far.
    pub(super) fn is_good(&self) -> bool {
        let good = |content: &LayerContent| match content {
            LayerContent::Base(_) => true,
            LayerContent::Own { image, .. } => image.health.is_good(),
        };
        self.base.is_good()
            && self.images.iter().flat_map(|image| &image.layers).all(|(_, layer)| good(layer))
    }

    /// The index or one of the manifests.
    pub(super) fn document(&self, digest: Digest) -> Option<Document> {
        if self.index.digest == digest {
            return Some(self.index.clone());
        }
        let found = self.images.iter().find(|image| image.manifest().digest == digest)?;
        Some(Document::new(MANIFEST, found.documents.manifest.clone()))
    }

    /// One of the layers.
    pub(super) fn layer(&self, digest: Digest) -> Option<BlobContent> {
        let mut layers = self.images.iter().flat_map(|image| &image.layers);
        let (blob, content) = layers.find(|(blob, _)| blob.digest == digest)?;
        Some(match content {
            LayerContent::Base(_) => {
                let layout = Arc::new(VirtualImage::from_blob(*blob));
                BlobContent { digest, layout, health: self.base.clone() }
            }
            LayerContent::Own { image, .. } => {
                BlobContent { digest, layout: Arc::clone(&image.layout), health: image.health.clone() }
            }
        })
    }
}
