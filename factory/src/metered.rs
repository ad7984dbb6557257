//! The source of the releases, counted.

use std::sync::Arc;

use async_trait::async_trait;
use builder::Blob;
use bytes::Bytes;
use extensions::oci::Descriptor;
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

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        counted("referrers", self.0.referrers(repository, digest).await)
    }

    async fn admit(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        self.0.admit(repository, digest).await
    }

    async fn admit_blob(&self, repository: &Repository, digest: Digest) -> Result<(), PullError> {
        self.0.admit_blob(repository, digest).await
    }
}

fn counted<T>(operation: &'static str, answer: Result<T, PullError>) -> Result<T, PullError> {
    let answered = answer.as_ref().map_or_else(|error| error.blame() == Blame::Missing, |_| true);
    metrics::source_asked(operation, answered);
    answer
}

#[cfg(test)]
mod tests {
    use extensions::{LayoutSource, LayoutWriter};
    use futures::TryStreamExt as _;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// What is counted while one blob is read, of which the source has `found` where it should have `wanted`.
    fn counted_of(wanted: &'static [u8], found: Option<&[u8]>) -> String {
        let dir = tempfile::tempdir().unwrap();
        LayoutWriter::open(dir.path()).unwrap();
        let digest = Digest::of(wanted);
        if let Some(bytes) = found {
            fs_err::write(dir.path().join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        }
        let source = MeteredSource(Arc::new(LayoutSource::open(dir.path()).unwrap()));
        let blob = Blob { digest, size: wanted.len() as u64 };
        let repository: Repository = "siderolabs/imager".parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        ::metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let missing = source.resolve(&repository, "v0").await;
                assert!(missing.is_err());
                if let Ok(pieces) = source.blob(&repository, blob).await {
                    let read: Result<Vec<Bytes>, PullError> = pieces.try_collect().await;
                    assert_eq!(read.is_ok(), found == Some(wanted));
                }
            });
        });
        recorder.handle().render()
    }

    #[test]
    fn what_breaks_off_has_failed_and_what_is_not_there_is_an_answer() {
        let line = |operation: &str, outcome: &str| {
            format!("_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}} 1\n")
        };
        for (found, failed, up) in [
            (Some(&b"right"[..]), false, "image_factory_source_up 1\n"),
            (Some(b"wrong"), true, "image_factory_source_up 0\n"),
            (None, true, "image_factory_source_up 0\n"),
        ] {
            let text = counted_of(b"right", found);
            assert!(text.contains(&line("resolve", "answered")), "{text}");
            assert_eq!(text.contains(&line("blob", "answered")), found.is_some(), "{text}");
            assert_eq!(text.contains(&line("blob", "failed")), failed, "{text}");
            assert!(text.contains(up), "{text}");
        }
    }
}
