//! Why something of the source cannot be passed on.

use std::sync::Arc;

use builder::StoreError;
use builder::store::RecordError;
use extensions::{PullError, Repository};
use schematics::{Blame, Blamed, Digest};

/// Why something of the source cannot be passed on. The words about an unknown image are those of Image Factory.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// The source has no such repository, or none it shows us.
    #[error("unknown image: {0}")]
    NoImage(String),
    /// The repository has no such tag.
    #[error("there is no tag `{tag}` in {repository}")]
    NoTag {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// The repository has no such manifest or blob.
    #[error("there is no {digest} in {repository}")]
    NoContent {
        /// The repository.
        repository: Repository,
        /// The digest.
        digest: Digest,
    },
    /// The source does not deliver.
    #[error("could not read {repository} at the source")]
    Pull {
        /// The repository.
        repository: Repository,
        /// Why.
        #[source]
        source: Arc<PullError>,
    },
    /// Our store failed.
    #[error("could not keep what was passed on")]
    Store(#[from] StoreError),
    /// Our records failed.
    #[error("could not remember what was passed on")]
    Record(#[from] RecordError),
    /// A record could not be written as JSON.
    #[error("could not write a record")]
    Encode(#[source] Arc<serde_json::Error>),
    /// A fetch ended without a result.
    #[error("the fetch was abandoned; try again")]
    Abandoned,
}

impl SourcesError {
    /// What is not there is told apart from what does not work.
    pub(super) fn pull(repository: &Repository, source: Arc<PullError>) -> Self {
        let repository = repository.clone();
        match &*source {
            error if error.is_left_out() => Self::Pull { repository, source },
            PullError::NoRepository { .. } | PullError::Denied { .. } => {
                let name = repository.as_str();
                Self::NoImage(name.strip_prefix("siderolabs/").unwrap_or(name).to_owned())
            }
            PullError::NoTag { tag, .. } => Self::NoTag { repository, tag: tag.clone() },
            PullError::NoContent { digest, .. } => Self::NoContent { repository, digest: *digest },
            _ => Self::Pull { repository, source },
        }
    }
}

impl Blamed for SourcesError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoImage(_) | Self::NoTag { .. } | Self::NoContent { .. } => Blame::Missing,
            Self::Pull { source, .. } => source.blame(),
            Self::Store(error) => error.blame(),
            Self::Record(error) => error.blame(),
            Self::Encode(_) => Blame::Ours,
            Self::Abandoned => Blame::Busy,
        }
    }
}
