//! The source of the releases, counted.

use std::sync::Arc;

use async_trait::async_trait;
use builder::Blob;
use bytes::Bytes;
use extensions::source::BlobStream;
use extensions::{ImageSource, PullError, Repository};
use futures::StreamExt as _;
use schematics::{Blame, Blamed as _, Digest};

use crate::metrics;

/// Passes everything on, and tells the metrics what the source answered.
///
/// That a tag is missing is an answer like any other. A blob counts when it begins, and once more if it breaks off.
#[derive(Debug)]
pub(crate) struct MeteredSource(pub(crate) Arc<dyn ImageSource>);

#[async_trait]
impl ImageSource for MeteredSource {
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        counted("tags", self.0.tags(repository).await)
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        counted("resolve", self.0.resolve(repository, tag).await)
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        counted("manifest", self.0.manifest(repository, digest).await)
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        counted("blob size", self.0.blob_size(repository, digest).await)
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        let pieces = counted("blob", self.0.blob(repository, blob).await)?;
        let broken = |piece: &Result<Bytes, PullError>| {
            if piece.is_err() {
                metrics::source_asked("blob", false);
            }
        };
        Ok(pieces.inspect(broken).boxed())
    }
}

fn counted<T>(operation: &'static str, answer: Result<T, PullError>) -> Result<T, PullError> {
    let answered = answer.as_ref().map_or_else(|error| error.blame() == Blame::Missing, |_| true);
    metrics::source_asked(operation, answered);
    answer
}
