//! A source of which certain images are wanted and no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::Blob;
use bytes::Bytes;
use schematics::Digest;

use super::{BlobStream, ImageSource, PullError};
use crate::oci::Descriptor;
use crate::reference::Repository;

/// Which image a tag has to stand for.
pub type Pins = BTreeMap<(Repository, String), Digest>;

/// A tag stands for another image than the one that is wanted.
#[derive(Debug, thiserror::Error)]
#[error("{repository}:{tag} is {found} now, but {pinned} is wanted")]
pub struct Moved {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: String,
    /// The image that is wanted.
    pub pinned: Digest,
    /// What the tag stands for.
    pub found: Digest,
}

/// Passes on what a source has, but resolves the pinned tags alone, and those only while they stand for the images they
/// are pinned to. Everything else goes by digest and is what it is asked for.
#[derive(Debug)]
pub struct PinnedSource {
    source: Arc<dyn ImageSource>,
    pins: Pins,
}

impl PinnedSource {
    /// `source` with these pins.
    #[must_use]
    pub fn new(source: Arc<dyn ImageSource>, pins: Pins) -> Self {
        Self { source, pins }
    }
}

#[async_trait]
impl ImageSource for PinnedSource {
    /// The pinned tags: whether a source lists more makes no difference.
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        let own = self.pins.keys().filter(|(pinned, _)| pinned == repository);
        Ok(own.map(|(_, tag)| tag.clone()).collect())
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        let (repository, tag) = (repository.clone(), tag.to_owned());
        let Some(&pinned) = self.pins.get(&(repository.clone(), tag.clone())) else {
            return Err(PullError::NotPinned { repository, tag });
        };
        let found = self.source.resolve(&repository, &tag).await?;
        if found == pinned {
            return Ok(found);
        }
        Err(PullError::Moved(Box::new(Moved { repository, tag, pinned, found })))
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        self.source.manifest(repository, digest).await
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        self.source.blob_size(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        self.source.blob(repository, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        self.source.referrers(repository, digest).await
    }

    async fn admit(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        self.source.admit(repository, digest).await
    }

    async fn admit_blob(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        self.source.admit_blob(repository, digest).await
    }
}
