//! Which image a plan turned into, remembered across restarts.

use std::sync::Arc;

use builder::store::{RecordError, RecordKind};
use builder::{Blob, BlobStore, BlobStoreExt as _, PlanId, RecordStore, StoreError, VirtualImage};
use schematics::Digest;

/// The manifest of an image as a [`Blob`], under the name of its plan.
const KIND: RecordKind = RecordKind("images");
/// The largest manifest that is read back.
const MAX_MANIFEST: u64 = 64 << 20;

/// A laid-out image with the name of its description.
#[derive(Debug, Clone)]
pub struct Image {
    /// The image.
    pub layout: Arc<VirtualImage>,
    /// The digest of its manifest: equal manifests are equal bytes, so this is the strong entity tag.
    pub manifest: Digest,
}

/// Why the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// An entry could not be read or written.
    #[error("the index of images failed")]
    Record(#[source] RecordError),
    /// The manifest we wrote does not read back; a fault of ours.
    #[error("the manifest made for plan {plan} does not describe the image it was made of")]
    Unreadable {
        /// The plan.
        plan: Digest,
    },
    /// A manifest could not be read or written.
    #[error("could not use the manifest of an image")]
    Store(#[source] StoreError),
}

/// Plans that are laid out already.
#[derive(Debug, Clone)]
pub(super) struct Index {
    store: Arc<dyn BlobStore>,
    records: Arc<dyn RecordStore>,
}

impl Index {
    /// An index over these stores.
    #[must_use]
    pub(super) fn new(store: Arc<dyn BlobStore>, records: Arc<dyn RecordStore>) -> Self {
        Self { store, records }
    }

    /// The image of a plan, if all of it can be served.
    ///
    /// An entry that cannot be read, is damaged, or refers to blobs that are gone counts as absent, with a line in the
    /// log: the image is laid out again, and the same plan gives the same bytes.
    pub(super) async fn get(&self, plan: PlanId) -> Option<Image> {
        match self.find(plan).await {
            Ok(found) => found,
            Err(problem) => {
                crate::metrics::unreadable();
                tracing::warn!(plan = %plan.0, error = &*problem, "an index entry is unusable and is made again");
                None
            }
        }
    }

    async fn find(&self, plan: PlanId) -> Result<Option<Image>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(record) = self.records.get(KIND, plan.0).await? else { return Ok(None) };
        let manifest: Blob = serde_json::from_slice(&record)?;
        let bytes = self.store.read_all(manifest.digest, MAX_MANIFEST).await?;
        let layout = VirtualImage::from_manifest(&bytes)?;
        for digest in layout.blobs() {
            if self.store.size(digest).await?.is_none() {
                return Err(StoreError::Missing { digest }.into());
            }
        }
        Ok(Some(Image { layout: Arc::new(layout), manifest: manifest.digest }))
    }

    /// Remembers the image of a plan. The manifest is read back as it was written before anybody is told of it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(super) async fn put(&self, plan: PlanId, layout: VirtualImage) -> Result<Image, IndexError> {
        let bytes = layout.to_manifest();
        if !VirtualImage::from_manifest(&bytes).is_ok_and(|again| again == layout) {
            return Err(IndexError::Unreadable { plan: plan.0 });
        }
        let manifest = self.store.put(bytes).await.map_err(IndexError::Store)?;
        let record = serde_json::json!(manifest).to_string();
        self.records.put(KIND, plan.0, record.into()).await.map_err(IndexError::Record)?;
        Ok(Image { layout: Arc::new(layout), manifest: manifest.digest })
    }
}

#[cfg(test)]
mod tests {
    use builder::ImageLayout;
    use builder::store::{MemoryRecords, MemoryStore};

    use super::*;

    fn image(blob: Blob) -> VirtualImage {
        let mut layout = ImageLayout::default();
        layout.bytes("head").blob(blob).zeros(100);
        layout.finish()
    }

    #[tokio::test]
    async fn an_image_is_found_again_only_while_all_of_it_is_there() {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let records: Arc<dyn RecordStore> = Arc::new(MemoryRecords::default());
        let index = Index::new(Arc::clone(&store), Arc::clone(&records));
        let plan = PlanId(Digest::of(b"plan"));
        assert!(index.get(plan).await.is_none());

        let kernel = store.put("kernel".into()).await.unwrap();
        let put = index.put(plan, image(kernel)).await.unwrap();
        let got = index.get(plan).await.unwrap();
        assert_eq!((got.layout, got.manifest), (put.layout, put.manifest));

        let other = PlanId(Digest::of(b"other"));
        index.put(other, image(Blob { digest: Digest::of(b"gone"), size: 4 })).await.unwrap();
        assert!(index.get(other).await.is_none());
    }

    #[tokio::test]
    async fn a_damaged_entry_is_as_good_as_none() {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let records: Arc<dyn RecordStore> = Arc::new(MemoryRecords::default());
        let index = Index::new(Arc::clone(&store), Arc::clone(&records));
        let plan = PlanId(Digest::of(b"plan"));
        let no_manifest = serde_json::to_vec(&store.put("no manifest".into()).await.unwrap()).unwrap();
        for entry in [b"{".to_vec(), no_manifest] {
            records.put(KIND, plan.0, entry.into()).await.unwrap();
            assert!(index.get(plan).await.is_none());
        }
    }
}
