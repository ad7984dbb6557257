//! Putting a bundle into a registry.

use std::collections::BTreeSet;

use builder::store::Blob;
use bytes::Bytes;
use schematics::Digest;

use super::PushError;
use crate::oci::{Descriptor, Document};
use crate::publish::{PublishError, RegistryPusher};
use crate::reference::{ImageName, Repository};
use crate::source::{ImageSource, LayoutSource, PullError};

/// How tags of what is said about an image begin.
const ATTACHED: &str = "sha256-";

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Blobs that were pushed.
    pub blobs: usize,
    /// Manifests and indexes that were pushed.
    pub documents: usize,
    /// Tags that were set.
    pub tags: usize,
    /// Of all these, how many the registry had already.
    pub present: usize,
}

/// A manifest or index on its way.
struct Item {
    repository: Repository,
    digest: Digest,
    media_type: String,
    bytes: Bytes,
    /// Whether images of it are not in the bundle.
    partial: bool,
}

#[derive(Default)]
struct Plan {
    blobs: BTreeSet<(Repository, Blob)>,
    /// Each behind what it refers to.
    documents: Vec<Item>,
    tags: Vec<(Repository, String, Digest, String)>,
    seen: BTreeSet<(Repository, Digest)>,
}

/// Pushes all that a layout names to a registry, which `there` reads from and `target` writes to. What is there already is
/// passed over. Blobs go first, then manifests and indexes, then tags, of signatures before those of images, and those of
/// `last` behind all others: whoever sees a tag gets all that belongs to it.
///
/// # Errors
/// When the layout cannot be read, or the registry does not take something. What it took stays there and is passed over by
/// the next attempt.
pub async fn push(
    layout: &LayoutSource,
    (there, target): (&dyn ImageSource, &RegistryPusher),
    last: &Repository,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Pushed, PushError> {
    let mut plan = plan(layout).await.map_err(PushError::Read)?;
    let total = plan.blobs.iter().map(|(_, blob)| blob.size).sum();
    let mut pushed = Pushed::default();
    progress(0, total);
    for (repository, blob) in &plan.blobs {
        let what = format!("{}@{}", repository, blob.digest);
        if absent(there.blob_size(repository, blob.digest).await, &what)? {
            let bytes = layout.blob(repository, *blob).await.map_err(PushError::Read)?;
            let put = target.put_blob(repository, *blob, bytes).await;
            put.map_err(|source| PushError::Put { what, source })?;
            pushed.blobs += 1;
        } else {
            pushed.present += 1;
        }
        progress(blob.size, total);
    }
    for item in &plan.documents {
        let what = format!("{}@{}", item.repository, item.digest);
        if absent(there.manifest(&item.repository, item.digest).await, &what)? {
            let reference = item.digest.to_string();
            let put = target.put_manifest(&item.repository, &reference, &item.media_type, item.bytes.clone());
            put.await.map_err(|source| refused(item, what, source))?;
            pushed.documents += 1;
        } else {
            pushed.present += 1;
        }
    }
    plan.tags.sort_by_key(|(repository, tag, ..)| {
        (repository == last, !tag.starts_with(ATTACHED), repository.clone(), tag.clone())
    });
    for (repository, tag, digest, media_type) in &plan.tags {
        let what = format!("{repository}:{tag}");
        let found = match there.resolve(repository, tag).await {
            Ok(found) => Some(found),
            Err(PullError::NoTag { .. }) => None,
            Err(source) => return Err(PushError::Ask { what, source }),
        };
        if found == Some(*digest) {
            pushed.present += 1;
            continue;
        }
        let bytes = layout.manifest(repository, *digest).await.map_err(PushError::Read)?;
        let put = target.put_manifest(repository, tag, media_type, bytes).await;
        put.map_err(|source| PushError::Put { what, source })?;
        pushed.tags += 1;
    }
    Ok(pushed)
}

fn refused(item: &Item, what: String, source: PublishError) -> PushError {
    if item.partial { PushError::Partial { what, source } } else { PushError::Put { what, source } }
}

/// Whether something is not there.
fn absent<T>(answer: Result<T, PullError>, what: &str) -> Result<bool, PushError> {
    match answer {
        Ok(_) => Ok(false),
        Err(PullError::NoContent { .. }) => Ok(true),
        Err(source) => Err(PushError::Ask { what: what.to_owned(), source }),
    }
}

/// Everything that is to be pushed.
async fn plan(layout: &LayoutSource) -> Result<Plan, PullError> {
    let mut plan = Plan::default();
    for entry in layout.index().await?.manifests {
        let name = entry.annotations.get(crate::source::REF_NAME);
        let Some(name) = name.and_then(|name| name.parse::<ImageName>().ok()) else { continue };
        plan.add(layout, &name.repository, &entry).await?;
        if let Some(tag) = name.tag {
            plan.tags.push((name.repository, tag, entry.digest, entry.media_type));
        }
    }
    Ok(plan)
}

impl Plan {
    async fn add(
        &mut self,
        layout: &LayoutSource,
        repository: &Repository,
        entry: &Descriptor,
    ) -> Result<(), PullError> {
        if !self.seen.insert((repository.clone(), entry.digest)) {
            return Ok(());
        }
        let bytes = layout.manifest(repository, entry.digest).await?;
        let mut partial = false;
        match Document::decode(&bytes, entry.digest)? {
            Document::Image(image) => {
                let parts = image.layers.iter().chain([&image.config]);
                self.blobs.extend(parts.map(|part| (repository.clone(), part.blob())));
            }
            Document::Index(index) => {
                for inner in &index.manifests {
                    match Box::pin(self.add(layout, repository, inner)).await {
                        Err(PullError::NoContent { digest, .. }) if digest == inner.digest => partial = true,
                        other => other?,
                    }
                }
            }
        }
        let (digest, media_type) = (entry.digest, entry.media_type.clone());
        self.documents.push(Item { repository: repository.clone(), digest, media_type, bytes, partial });
        Ok(())
    }
}
