//! Why something of an installer's repository cannot be had.

use std::sync::Arc;

use builder::StoreError;
use builder::store::RecordError;
use extensions::PullError;
use schematics::{Blame, Blamed, Digest};
use signing::KeyError;

use crate::evidence::EvidenceError;
use crate::images::OpenError;
use crate::repository::TagError;

/// Why something of an installer's repository cannot be had. Shared by those who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InstallersError {
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
    /// The installer cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no document about an installer.
    #[error(transparent)]
    About(#[from] EvidenceError),
    /// A layer of the base could not be fetched again.
    #[error("could not fetch a layer of the base installer")]
    Base(#[source] Arc<PullError>),
    /// Our key cannot sign.
    #[error("could not sign")]
    Sign(#[source] KeyError),
    /// A document could not be written.
    #[error("could not write a document")]
    Document(#[source] Arc<serde_json::Error>),
    /// Our records failed.
    #[error("could not remember the installer")]
    Record(#[source] Arc<RecordError>),
    /// Our store failed.
    #[error("could not look for a layer")]
    Store(#[source] Arc<StoreError>),
    /// A fetch ended without a result.
    #[error("the fetch was abandoned; try again")]
    Abandoned,
}

impl InstallersError {
    pub(super) fn document(error: serde_json::Error) -> Self {
        Self::Document(Arc::new(error))
    }
}

impl From<RecordError> for InstallersError {
    fn from(error: RecordError) -> Self {
        Self::Record(Arc::new(error))
    }
}

impl From<StoreError> for InstallersError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Blamed for InstallersError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoManifest { .. } | Self::NoBlob { .. } => Blame::Missing,
            Self::Open(error) => error.blame(),
            Self::About(error) => error.blame(),
            Self::Tag(error) => error.blame(),
            Self::Base(error) => error.blame(),
            Self::Record(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Sign(error) => error.blame(),
            Self::Document(_) => Blame::Ours,
            Self::Abandoned => Blame::Busy,
        }
    }
}
