//! What refers to an image (OCI distribution specification 1.1, "Listing Referrers").

use schematics::Digest;
use serde::Deserialize;

use super::{ImageSource, MAX_REFERRERS, PullError};
use crate::oci::{Descriptor, Document, Index};
use crate::reference::Repository;

/// The fields of a manifest that make it a referrer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    subject: Option<Subject>,
    #[serde(default)]
    artifact_type: Option<String>,
    config: Subject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    media_type: String,
    digest: String,
}

/// The tag under which registries that do not list referrers keep the list.
#[must_use]
pub(crate) fn fallback_tag(digest: Digest) -> String {
    format!("sha256-{}", digest.hex())
}

/// The referrers of an image as the fallback tag lists them; none without the tag.
pub(super) async fn by_tag(
    source: &dyn ImageSource,
    repository: &Repository,
    digest: Digest,
) -> Result<Vec<Descriptor>, PullError> {
    let list = match source.resolve(repository, &fallback_tag(digest)).await {
        Ok(list) => list,
        Err(PullError::NoTag { .. } | PullError::NoRepository { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let bytes = source.manifest(repository, list).await?;
    match Document::decode(&bytes, list)? {
        Document::Index(index) if index.manifests.len() > MAX_REFERRERS => Err(too_many(repository)),
        Document::Index(index) => Ok(index.manifests),
        // An image that happens to have such a tag lists nothing.
        Document::Image(_) => Ok(Vec::new()),
    }
}

/// One page of a registry's own answer.
pub(super) fn listed(
    bytes: &[u8],
    repository: &Repository,
    digest: Digest,
) -> Result<Vec<Descriptor>, PullError> {
    let index: Index = serde_json::from_slice(bytes).map_err(|source| PullError::Malformed {
        what: format!("the list of what refers to {repository}@{digest}"),
        source,
    })?;
    Ok(index.manifests)
}

/// The entry of a manifest as a referrer of `digest`; `None` when it is about something else, or nothing.
pub(super) fn describe(document: &[u8], entry: &Descriptor, digest: Digest) -> Option<Descriptor> {
    let referrer: Referrer = serde_json::from_slice(document).ok()?;
    let about = referrer.subject?;
    (about.digest == digest.to_string()).then(|| Descriptor {
        artifact_type: referrer.artifact_type.or(Some(referrer.config.media_type)),
        ..entry.clone()
    })
}

/// Adds a referrer unless it is there.
pub(super) fn add(
    found: &mut Vec<Descriptor>,
    referrer: Descriptor,
    repository: &Repository,
) -> Result<(), PullError> {
    if found.iter().all(|known| known.digest != referrer.digest) {
        found.push(referrer);
    }
    if found.len() > MAX_REFERRERS { Err(too_many(repository)) } else { Ok(()) }
}

pub(super) fn too_many(repository: &Repository) -> PullError {
    PullError::TooMany { what: format!("referrers of an image of {repository}"), limit: MAX_REFERRERS }
}
