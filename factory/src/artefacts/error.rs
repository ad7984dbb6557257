//! Why something of an artefact's repository cannot be had.

use std::sync::Arc;

use builder::store::RecordError;
use schematics::{Blame, Blamed, Digest};

use crate::companions::CompanionError;
use crate::images::OpenError;
use crate::repository::TagError;

/// Why something of an artefact's repository cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArtefactsError {
    /// The tag stands for no version.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The repository has no such manifest.
    #[error("this repository has no manifest {digest}")]
    NoManifest {
        /// The digest.
        digest: Digest,
    },
    /// The repository has no such blob.
    #[error("this repository has no blob {digest}")]
    NoBlob {
        /// The digest.
        digest: Digest,
    },
    /// There are no disk images to put into a container.
    #[error("containerDisks hold disk images, which are not made by this factory yet")]
    NoDisks,
    /// A file cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The digest of a file cannot be had.
    #[error(transparent)]
    Content(#[from] CompanionError),
    /// A document could not be written.
    #[error("could not write a document")]
    Document(#[source] Arc<serde_json::Error>),
    /// Our records failed.
    #[error("could not remember the artefact")]
    Record(#[source] Arc<RecordError>),
}

impl From<serde_json::Error> for ArtefactsError {
    fn from(error: serde_json::Error) -> Self {
        Self::Document(Arc::new(error))
    }
}

impl From<RecordError> for ArtefactsError {
    fn from(error: RecordError) -> Self {
        Self::Record(Arc::new(error))
    }
}

impl Blamed for ArtefactsError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoManifest { .. } | Self::NoBlob { .. } => Blame::Missing,
            Self::NoDisks => Blame::Unsupported,
            Self::Open(error) => error.blame(),
            Self::Content(error) => error.blame(),
            Self::Tag(error) => error.blame(),
            Self::Record(error) => error.blame(),
            Self::Document(_) => Blame::Ours,
        }
    }
}
