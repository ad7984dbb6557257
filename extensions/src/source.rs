//! Where images come from.

mod error;
mod layout;
mod pinned;
mod place;
mod referrers;
mod registry;
mod spec;
mod verify;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::{Blob, BlobStore};
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use schematics::Digest;

pub use error::PullError;
pub use layout::LayoutSource;
pub(crate) use layout::{INDEX_FILE, LAYOUT_FILE, LAYOUT_VERSION, REF_NAME, read_index};
pub use pinned::{Moved, PinnedSource, Pins};
pub use place::Place;
pub use registry::{
    Authorities, AuthoritiesError, Credentials, CredentialsError, RegistryOptions, RegistrySource,
};
pub use spec::{SourceSpec, SpecError};
pub(crate) use verify::verified;
pub use verify::within;

use crate::oci::Descriptor;
use crate::reference::Repository;

/// The largest manifest or index that is read, in bytes; what registries accept.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// The most tags of one repository that are read.
pub const MAX_TAGS: usize = 100_000;
/// The most manifests that may refer to one image.
pub const MAX_REFERRERS: usize = 1000;

/// The bytes of a blob; ends with the first error, and with success only when all bytes were right.
pub type BlobStream = BoxStream<'static, Result<Bytes, PullError>>;

/// A place to get images from.
///
/// Everything it hands out was checked against its digest.
#[async_trait]
pub trait ImageSource: Debug + Send + Sync + 'static {
    /// All tags of a repository, in no particular order, at most [`MAX_TAGS`].
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError>;

    /// The digest of the manifest or index a tag stands for now.
    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError>;

    /// A manifest or index, at most [`MAX_MANIFEST`] bytes.
    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError>;

    /// The size of a blob, without reading it.
    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError>;

    /// A blob. The stream fails when it is longer or shorter than announced, or its bytes are others.
    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError>;

    /// The manifests that say they are about the image `digest`: signatures, lists of contents and the like. In no
    /// particular order, at most [`MAX_REFERRERS`], none when the repository or the image is unknown.
    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError>;

    /// Fails unless the manifest or index may be used. For those who have its bytes, or something made of them, already:
    /// whoever gets it from here need not ask. A source without a policy lets everything be used.
    async fn admit(&self, _repository: &Repository, _digest: Digest) -> Result<(), PullError> {
        Ok(())
    }

    /// Fails unless the blob may be used; as [`ImageSource::admit`].
    async fn admit_blob(&self, _repository: &Repository, _digest: Digest) -> Result<(), PullError> {
        Ok(())
    }
}

/// Copies a blob of a source into a store.
///
/// # Errors
/// When the source does not deliver exactly this blob, or the store does not take it.
pub async fn copy(
    source: &dyn ImageSource,
    repository: &Repository,
    blob: Blob,
    store: &Arc<dyn BlobStore>,
) -> Result<(), PullError> {
    let mut bytes = source.blob(repository, blob).await?;
    let kept = |source| PullError::Store { repository: repository.clone(), source };
    let mut writer = store.create().await.map_err(kept)?;
    while let Some(piece) = bytes.try_next().await? {
        writer.write(piece).await.map_err(kept)?;
    }
    writer.commit().await.map(drop).map_err(kept)
}
