//! Use case: images of the source, passed on and kept, so that a cluster needs no other registry.
//!
//! What was passed on once is in the store, and what is remembered about it in records:
//!
//! ```text
//! source/<repository, digest>   the size of a manifest or blob
//! source-tags/<repository, tag> what the tag stood for when it was last looked up
//! ```
//!
//! So an image that was pulled before can be pulled while the source does not answer. What is kept is passed on only as
//! long as the policy lets it be used.

mod error;

use std::sync::Arc;
use std::time::Duration;

use builder::plan::CanonicalWriter;
use builder::store::{Blob, BlobStoreExt as _, RecordKind};
use builder::{BlobStore, RecordStore, VirtualImage};
use bytes::Bytes;
use extensions::oci::{self, INDEX, Index, MANIFEST};
use extensions::source::{self, MAX_MANIFEST};
use extensions::{ImageSource, Limits, PullError, Repository};
use moka::future::Cache;
use schematics::{Blame, Blamed as _, Digest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flights::Flights;
use crate::images::Health;
use crate::log::chain;
use crate::repository::{BlobContent, Document, Reference};
pub use error::SourcesError;

const CONTENTS: RecordKind = RecordKind("source");
const TAGS: RecordKind = RecordKind("source-tags");
/// How many answers of the source about tags are remembered in memory.
const REMEMBERED: u64 = 4096;
/// How long one is. Tags of releases do not move; those of other images may.
const FRESH: Duration = Duration::from_secs(60);

/// Passes images of the source on. Clones share everything.
#[derive(Debug, Clone)]
pub struct Sources {
    source: Arc<dyn ImageSource>,
    limits: Limits,
    store: Arc<dyn BlobStore>,
    records: Arc<dyn RecordStore>,
    resolved: Cache<(Repository, String), Digest>,
    lists: Cache<Repository, Arc<Vec<String>>>,
    fetches: Arc<Flights<(Repository, Digest), (), PullError>>,
}

impl Sources {
    /// Images of `source` within `limits`, kept in `store` and remembered in `records`.
    #[must_use]
    pub fn new(
        source: Arc<dyn ImageSource>,
        limits: Limits,
        store: Arc<dyn BlobStore>,
        records: Arc<dyn RecordStore>,
    ) -> Self {
        Self {
            source,
            limits,
            store,
            records,
            resolved: Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build(),
            lists: Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build(),
            fetches: Arc::default(),
        }
    }

    /// The tags of a repository, sorted.
    ///
    /// # Errors
    /// When there is no such repository, or the source does not answer.
    pub async fn tags(&self, repository: &Repository) -> Result<Arc<Vec<String>>, SourcesError> {
        let ask = Box::pin(async {
            let mut tags = self.source.tags(repository).await?;
            tags.sort_unstable();
            tags.dedup();
            Ok(Arc::new(tags))
        });
        let tags = self.lists.try_get_with(repository.clone(), ask).await;
        tags.map_err(|error| SourcesError::pull(repository, error))
    }

    /// A manifest or index.
    ///
    /// # Errors
    /// When there is none, or the source does not deliver it.
    pub async fn document(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Document, SourcesError> {
        let digest = match reference {
            Reference::Tag(tag) => self.resolve(repository, tag).await?,
            Reference::Digest(digest) => *digest,
        };
        let bytes = self.manifest(repository, digest).await?;
        let media_type =
            media_type(&bytes, digest).map_err(|error| SourcesError::pull(repository, Arc::new(error)))?;
        Ok(Document { media_type, digest, bytes })
    }

    /// A blob. Its bytes are in the store afterwards when `fetch` says so; otherwise only its size is asked for.
    ///
    /// # Errors
    /// When there is none, or the source does not deliver it.
    pub async fn blob(
        &self,
        repository: &Repository,
        digest: Digest,
        fetch: bool,
    ) -> Result<BlobContent, SourcesError> {
        let pull = |error| SourcesError::pull(repository, Arc::new(error));
        self.source.admit_blob(repository, digest).await.map_err(pull)?;
        let blob = match self.kept(repository, digest).await? {
            Some(blob) => blob,
            None => {
                let size = self.source.blob_size(repository, digest).await.map_err(pull)?;
                let limit = self.limits.blob;
                if size > limit {
                    return Err(pull(PullError::TooLarge { what: format!("blob {digest}"), limit }));
                }
                let blob = Blob { digest, size };
                if fetch {
                    self.fetch(repository, blob).await?;
                }
                blob
            }
        };
        let layout = Arc::new(VirtualImage::from_blob(blob));
        Ok(BlobContent { digest, layout, health: Health::default() })
    }

    /// What refers to an image, as an index: what the tag lists under which registries without referrers keep it, or else
    /// what the source says. The former is there too when the source does not answer.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Index, SourcesError> {
        let tag = Reference::Tag(digest.to_string().replace(':', "-"));
        match self.document(repository, &tag).await {
            Ok(found) if found.media_type == INDEX => {
                if let Ok(index) = serde_json::from_slice(&found.bytes) {
                    return Ok(index);
                }
            }
            Err(error) if error.blame() != Blame::Missing => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let told = self.source.referrers(repository, digest).await;
        told.map(Index::of).map_err(|error| SourcesError::pull(repository, Arc::new(error)))
    }

    /// What a tag stands for; what it stood for before when the source does not answer.
    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, SourcesError> {
        let key = key(repository, tag);
        let ask = Box::pin(async { self.source.resolve(repository, tag).await });
        match self.resolved.try_get_with((repository.clone(), tag.to_owned()), ask).await {
            Ok(digest) => {
                self.remember(TAGS, key, &digest).await?;
                Ok(digest)
            }
            Err(error) if error.blame() == Blame::Upstream && !matches!(*error, PullError::Untrusted(_)) => {
                match self.recall(TAGS, key).await? {
                    Some(digest) => {
                        let error = chain(&error);
                        tracing::warn!(%repository, tag, error, "the source does not answer; an earlier answer is used");
                        Ok(digest)
                    }
                    None => Err(SourcesError::pull(repository, error)),
                }
            }
            Err(error) => Err(SourcesError::pull(repository, error)),
        }
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, SourcesError> {
        let pull = |error| SourcesError::pull(repository, Arc::new(error));
        if self.kept(repository, digest).await?.is_some() {
            self.source.admit(repository, digest).await.map_err(pull)?;
            // One that cannot be read is fetched again.
            if let Ok(bytes) = self.store.read_all(digest, MAX_MANIFEST).await {
                return Ok(bytes);
            }
        }
        let bytes = self.source.manifest(repository, digest).await.map_err(pull)?;
        let blob = self.store.put(bytes.clone()).await?;
        self.remember(CONTENTS, key(repository, &digest.to_string()), &blob.size).await?;
        Ok(bytes)
    }

    /// What was passed on before and is still here.
    async fn kept(&self, repository: &Repository, digest: Digest) -> Result<Option<Blob>, SourcesError> {
        let size: Option<u64> = self.recall(CONTENTS, key(repository, &digest.to_string())).await?;
        match size {
            Some(size) if self.store.size(digest).await? == Some(size) => Ok(Some(Blob { digest, size })),
            Some(_) | None => Ok(None),
        }
    }

    /// Copies a blob into the store, at most once at a time, whoever goes away.
    async fn fetch(&self, repository: &Repository, blob: Blob) -> Result<(), SourcesError> {
        let (source, limits, store) =
            (Arc::clone(&self.source), self.limits.clone(), Arc::clone(&self.store));
        let of = repository.clone();
        let copy = || async move {
            // The semaphore is never closed; without a permit there is only less order.
            let _permit = limits.downloads.acquire().await.ok();
            source::copy(source.as_ref(), &of, blob, &store).await
        };
        let landed = self.fetches.join((repository.clone(), blob.digest), copy).await;
        let landed = landed.map_err(|_| SourcesError::Abandoned)?;
        landed.map_err(|error| SourcesError::pull(repository, error))?;
        self.remember(CONTENTS, key(repository, &blob.digest.to_string()), &blob.size).await
    }

    async fn recall<T: DeserializeOwned>(
        &self,
        kind: RecordKind,
        key: Digest,
    ) -> Result<Option<T>, SourcesError> {
        let record = self.records.get(kind, key).await?;
        Ok(record.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Writes a record unless it says so already.
    async fn remember<T: Serialize + Sync>(
        &self,
        kind: RecordKind,
        key: Digest,
        value: &T,
    ) -> Result<(), SourcesError> {
        let bytes =
            Bytes::from(serde_json::to_vec(value).map_err(|error| SourcesError::Encode(Arc::new(error)))?);
        if self.records.get(kind, key).await?.as_ref() != Some(&bytes) {
            self.records.put(kind, key, bytes).await?;
        }
        Ok(())
    }
}

fn key(repository: &Repository, name: &str) -> Digest {
    let mut key = CanonicalWriter::new("factory source 1");
    key.text(repository.as_str()).text(name);
    Digest::of(&key.finish())
}

/// What a document says it is; early OCI documents do not say.
fn media_type(bytes: &Bytes, digest: Digest) -> Result<String, PullError> {
    let (told, plain) = match oci::Document::decode(bytes, digest)? {
        oci::Document::Image(image) => (image.media_type, MANIFEST),
        oci::Document::Index(index) => (index.media_type, INDEX),
    };
    Ok(told.unwrap_or_else(|| plain.to_owned()))
}
