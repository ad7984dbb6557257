//! Putting images into layout directories and registries.

mod image;
mod layout;
mod registry;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::{Blob, StoreError};
use builder::{BlobStore, VirtualImage};
use bytes::Bytes;
use schematics::{Blame, Blamed, Digest};

pub use image::{ContainerImage, Part};
pub use layout::LayoutWriter;
pub use registry::RegistryPusher;

use crate::reference::Repository;
use crate::source::PullError;

/// An image or index with all that belongs to it, ready to be put anywhere.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The digest of its document.
    pub digest: Digest,
    /// The media type of its document.
    pub media_type: String,
    /// Its manifest or index.
    pub document: Bytes,
    /// Its configuration and layers.
    pub blobs: Vec<(Blob, VirtualImage)>,
    /// The images of an index.
    pub children: Vec<Self>,
}

impl Publication {
    /// Its document as a blob.
    #[must_use]
    pub fn blob(&self) -> Blob {
        Blob { digest: self.digest, size: self.document.len() as u64 }
    }
}

/// A place to put images into.
#[async_trait]
pub trait Publisher: Debug + Send + Sync {
    /// Puts an image in as `repository:tag`, in the place of what had that name. What is there already is not written
    /// again.
    ///
    /// # Errors
    /// When the tag is none, the image cannot be read or the place does not take it.
    async fn publish(
        &self,
        repository: &Repository,
        tag: &str,
        image: &Publication,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Digest, PublishError>;
}

/// Why an image could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The bytes of the image could not be read.
    #[error("could not read the image to publish")]
    Store(#[source] StoreError),
    /// The document could not be written as JSON.
    #[error("could not write the manifest")]
    Document(#[source] serde_json::Error),
    /// A tag that is none.
    #[error("`{0}` is not a tag")]
    Tag(String),
    /// A file of the layout could not be written.
    #[error("could not write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is in the directory is no layout.
    #[error("{path} is not an OCI image layout")]
    Layout {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<PullError>,
    },
    /// The registry did not take it.
    #[error("could not push {what}")]
    Push {
        /// What was pushed.
        what: String,
        /// Why.
        #[source]
        source: Box<oci_client::errors::OciDistributionError>,
    },
}

impl Blamed for PublishError {
    fn blame(&self) -> Blame {
        match self {
            Self::Store(source) => source.blame(),
            Self::Push { .. } => Blame::Upstream,
            Self::Tag(_) => Blame::Caller,
            Self::Document(_) | Self::File { .. } | Self::Layout { .. } => Blame::Ours,
        }
    }
}

/// Digest and length of an image, by reading it unless it is just one blob.
async fn measure(image: &VirtualImage, store: &std::sync::Arc<dyn BlobStore>) -> Result<Blob, StoreError> {
    Ok(Blob { digest: image.content_digest(store).await?, size: image.len() })
}

#[cfg(test)]
mod tests;
