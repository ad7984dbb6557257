//! Finding what may be a signature, without believing any of it.

use schematics::Digest;
use signing::cosign;

use super::bundle;
use super::refusal::Finding;
use super::verdict::Candidate;
use crate::oci::{Descriptor, Document};
use crate::reference::{ImageRef, Repository};
use crate::source::{ImageSource, PullError, within};

/// The most signatures of an image that are looked at in one place.
const MAX_SIGNATURES: usize = 64;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) candidates: Vec<Candidate>,
    pub(super) unusable: Vec<Finding>,
}

/// What lies under the tag that is made from the digest of the image.
pub(super) async fn at_tag(source: &dyn ImageSource, image: &ImageRef) -> Result<Evidence, PullError> {
    let mut evidence = Evidence::default();
    match source.resolve(&image.repository, &cosign::tag(&image.digest)).await {
        Ok(digest) => evidence.read(source, &image.repository, digest).await?,
        Err(PullError::NoTag { .. } | PullError::NoRepository { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(evidence)
}

/// What refers to the image and may be a signature.
pub(super) async fn referring(source: &dyn ImageSource, image: &ImageRef) -> Result<Evidence, PullError> {
    let mut evidence = Evidence::default();
    let mut referrers = source.referrers(&image.repository, image.digest).await?;
    referrers.retain(may_be_signature);
    for referrer in referrers.iter().take(MAX_SIGNATURES) {
        evidence.read(source, &image.repository, referrer.digest).await?;
    }
    Ok(evidence)
}

/// Leaves out what says that it is something else, so that many lists of contents cost nothing. Not saying is allowed.
fn may_be_signature(referrer: &Descriptor) -> bool {
    let typed = match referrer.artifact_type.as_deref() {
        None => true,
        Some(kind) => kind.starts_with(bundle::MEDIA_TYPES) || !is_known_otherwise(kind),
    };
    let statement = referrer.annotations.get(bundle::PREDICATE_NOTE);
    typed && statement.is_none_or(|kind| kind == bundle::SIGNATURE)
}

fn is_known_otherwise(kind: &str) -> bool {
    [
        "application/spdx",
        "text/spdx",
        "application/vnd.cyclonedx",
        "application/vnd.in-toto",
        "application/vnd.openvex",
    ]
    .iter()
    .any(|other| kind.starts_with(other))
}

impl Evidence {
    /// Reads a manifest whose layers may be signatures.
    async fn read(
        &mut self,
        source: &dyn ImageSource,
        repository: &Repository,
        digest: Digest,
    ) -> Result<(), PullError> {
        let read = async {
            let bytes = source.manifest(repository, digest).await?;
            Document::decode(&bytes, digest)
        };
        let Some(Document::Image(manifest)) = self.usable(read.await)? else { return Ok(()) };
        for layer in &manifest.layers {
            let simple = layer.media_type == cosign::MEDIA_TYPE;
            if !simple && !layer.media_type.starts_with(bundle::MEDIA_TYPES) {
                continue;
            }
            if self.candidates.len() >= MAX_SIGNATURES {
                self.unusable.push(Finding::Unusable(format!("only {MAX_SIGNATURES} are looked at")));
                return Ok(());
            }
            let limit = if simple { cosign::MAX_PAYLOAD } else { bundle::MAX_BUNDLE } as u64;
            if let Some(bytes) = self.usable(fetch(source, repository, layer, limit).await)? {
                let notes = || layer.annotations.clone();
                let simple = simple.then(|| Candidate::Simple { payload: bytes.clone(), notes: notes() });
                self.candidates.push(simple.unwrap_or(Candidate::Bundle(bytes)));
            }
        }
        Ok(())
    }

    /// What was read; a signature that is broken is a finding, and only a source that does not answer an error.
    fn usable<T>(&mut self, read: Result<T, PullError>) -> Result<Option<T>, PullError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(
                error @ (PullError::NoContent { .. }
                | PullError::TooLarge { .. }
                | PullError::TooMany { .. }
                | PullError::Length { .. }
                | PullError::Mismatch { .. }
                | PullError::Malformed { .. }
                | PullError::MediaType { .. }),
            ) => {
                self.unusable.push(Finding::Unusable(error.to_string()));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn fetch(
    source: &dyn ImageSource,
    repository: &Repository,
    layer: &Descriptor,
    limit: u64,
) -> Result<bytes::Bytes, PullError> {
    let what = format!("signature {}", layer.digest);
    if layer.size > limit {
        return Err(PullError::TooLarge { what, limit });
    }
    within(source.blob(repository, layer.blob()).await?, limit, &what).await
}
