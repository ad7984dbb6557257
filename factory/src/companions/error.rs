//! Why a companion cannot be had.

use std::sync::Arc;

use builder::StoreError;
use builder::store::RecordError;
use schematics::{Blame, Blamed};
use signing::KeyError;

use crate::evidence::EvidenceError;
use crate::images::OpenError;

/// Why what goes beside an asset cannot be had. Shared by those who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CompanionError {
    /// An asset cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no document about an asset.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The asset could not be read.
    #[error("could not read the asset")]
    Read(#[source] Arc<StoreError>),
    /// Our records failed.
    #[error("could not remember what was computed of the asset")]
    Record(#[source] Arc<RecordError>),
    /// Our key cannot sign.
    #[error("could not sign")]
    Sign(#[source] KeyError),
    /// A document could not be written.
    #[error("could not write a document")]
    Document(#[source] Arc<serde_json::Error>),
    /// The computation ended without a result.
    #[error("the computation was abandoned; try again")]
    Abandoned,
}

impl From<StoreError> for CompanionError {
    fn from(error: StoreError) -> Self {
        Self::Read(Arc::new(error))
    }
}

impl From<RecordError> for CompanionError {
    fn from(error: RecordError) -> Self {
        Self::Record(Arc::new(error))
    }
}

impl From<serde_json::Error> for CompanionError {
    fn from(error: serde_json::Error) -> Self {
        Self::Document(Arc::new(error))
    }
}

impl From<KeyError> for CompanionError {
    fn from(error: KeyError) -> Self {
        Self::Sign(error)
    }
}

impl Blamed for CompanionError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Evidence(error) => error.blame(),
            Self::Read(error) => error.blame(),
            Self::Record(error) => error.blame(),
            Self::Sign(error) => error.blame(),
            Self::Document(_) => Blame::Ours,
            Self::Abandoned => Blame::Busy,
        }
    }
}
