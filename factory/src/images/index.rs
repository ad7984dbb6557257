//! Which image a plan turned into, remembered across restarts.
//!
//! ```text
//! "factory index 2\n"   SHA-256 of what follows (32 bytes)
//! SHA-256 of the manifest (32 bytes)
//! u8 0, or u8 1 and the SHA-256 of the image's bytes (32 bytes)
//! the manifest as zstd frame
//! ```
//!
//! One small file per image is most of what a further schematic costs, so the manifest is packed and has none of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::store::{RecordError, RecordKind};
use builder::{BlobStore, PlanId, RecordStore, Source, StoreError, VirtualImage};
use schematics::{Blame, Blamed, Digest};

/// The manifest of an image, under the name of its plan.
const KIND: RecordKind = RecordKind("images");
const MAGIC: &[u8] = b"factory index 2\n";
/// The largest manifest that is read back, in bytes.
const MAX_MANIFEST: u64 = 64 << 20;
/// The zstd level of manifests; they are tables, which the fast levels pack as well as the slow ones.
const LEVEL: i32 = 3;

/// Whether reading something went well so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Whether it did.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// From now on it did not.
    pub fn spoil(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A laid-out image with the name of its description.
#[derive(Debug, Clone)]
pub struct Image {
    /// The image.
    pub layout: Arc<VirtualImage>,
    /// The digest of its manifest: equal manifests are equal bytes, so this is the strong entity tag.
    pub manifest: Digest,
    /// The SHA-256 of its bytes, for kinds that state it.
    pub content: Option<Digest>,
    /// Spoiled by whoever fails to read it, so that the next one who asks gets it made again.
    pub health: Health,
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
    /// The manifest could not be packed.
    #[error("could not pack the manifest made for plan {plan}")]
    Pack {
        /// The plan.
        plan: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blamed for IndexError {
    fn blame(&self) -> Blame {
        match self {
            Self::Record(error) => error.blame(),
            Self::Unreadable { .. } | Self::Pack { .. } => Blame::Ours,
        }
    }
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

    async fn find(&self, plan: PlanId) -> Result<Option<Image>, Box<dyn Error + Send + Sync>> {
        let Some(record) = self.records.get(KIND, plan.0).await? else { return Ok(None) };
        let Entry { manifest, content, bytes } = unpack(&record)?;
        let layout = VirtualImage::from_manifest(&bytes)?;
        for (digest, end) in needs(&layout) {
            match self.store.size(digest).await? {
                Some(size) if size >= end => {}
                Some(size) => return Err(StoreError::OutOfBounds { digest, size, wanted: 0..end }.into()),
                None => return Err(StoreError::Missing { digest }.into()),
            }
        }
        Ok(Some(Image { layout: Arc::new(layout), manifest, content, health: Health::default() }))
    }

    /// Remembers the image of a plan. The manifest is read back as it was written before anybody is told of it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(super) async fn put(
        &self,
        plan: PlanId,
        layout: VirtualImage,
        content: Option<Digest>,
    ) -> Result<Image, IndexError> {
        let bytes = layout.to_manifest();
        if !VirtualImage::from_manifest(&bytes).is_ok_and(|again| again == layout) {
            return Err(IndexError::Unreadable { plan: plan.0 });
        }
        let manifest = Digest::of(&bytes);
        let packed =
            pack(manifest, content, &bytes).map_err(|source| IndexError::Pack { plan: plan.0, source })?;
        self.records.put(KIND, plan.0, packed.into()).await.map_err(IndexError::Record)?;
        Ok(Image { layout: Arc::new(layout), manifest, content, health: Health::default() })
    }
}

/// What a record says.
struct Entry {
    manifest: Digest,
    content: Option<Digest>,
    bytes: Vec<u8>,
}

fn pack(manifest: Digest, content: Option<Digest>, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let stated: &[u8] = content.as_ref().map_or(&[], |content| content.as_bytes());
    let frame = zstd::bulk::compress(bytes, LEVEL)?;
    let facts = [manifest.as_bytes(), &[u8::from(content.is_some())][..], stated, &frame].concat();
    Ok([MAGIC, Digest::of(&facts).as_bytes(), &facts].concat())
}

/// What a record says, checked against its digest.
fn unpack(record: &[u8]) -> Result<Entry, Box<dyn Error + Send + Sync>> {
    let early = "the entry ends early";
    let rest = record.strip_prefix(MAGIC).ok_or("the entry is not of a form this program knows")?;
    let (expected, facts) = rest.split_first_chunk::<32>().ok_or(early)?;
    let (expected, found) = (Digest::from_bytes(*expected), Digest::of(facts));
    if found != expected {
        return Err(StoreError::Mismatch { expected, found }.into());
    }
    let (manifest, rest) = facts.split_first_chunk::<32>().ok_or(early)?;
    let (content, packed) = match rest.split_first().ok_or(early)? {
        (0, rest) => (None, rest),
        (1, rest) => {
            let (content, rest) = rest.split_first_chunk::<32>().ok_or(early)?;
            (Some(Digest::from_bytes(*content)), rest)
        }
        _ => return Err("the entry is damaged".into()),
    };
    let mut bytes = Vec::new();
    zstd::Decoder::new(packed)?.take(MAX_MANIFEST).read_to_end(&mut bytes)?;
    let (manifest, found) = (Digest::from_bytes(*manifest), Digest::of(&bytes));
    if found == manifest {
        Ok(Entry { manifest, content, bytes })
    } else {
        Err(StoreError::Mismatch { expected: manifest, found }.into())
    }
}

/// How long each blob of an image has to be.
fn needs(layout: &VirtualImage) -> BTreeMap<Digest, u64> {
    let mut needs = BTreeMap::new();
    for extent in layout.extents() {
        if let Source::Blob { digest, offset } = *extent.source() {
            let end = needs.entry(digest).or_insert(0);
            *end = (offset + extent.len()).max(*end);
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use builder::store::{MemoryRecords, MemoryStore};
    use builder::{Blob, BlobStoreExt as _, ImageLayout};

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
        let stated = Some(Digest::of(b"bytes"));
        let put = index.put(plan, image(kernel), stated).await.unwrap();
        let got = index.get(plan).await.unwrap();
        assert_eq!((got.layout, got.manifest, got.content), (put.layout, put.manifest, stated));

        let other = PlanId(Digest::of(b"other"));
        for lost in [Blob { digest: Digest::of(b"gone"), size: 4 }, Blob { size: 7, ..kernel }] {
            index.put(other, image(lost), None).await.unwrap();
            assert!(index.get(other).await.is_none(), "{lost:?}");
        }
    }

    #[tokio::test]
    async fn a_damaged_entry_is_as_good_as_none() {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let records: Arc<dyn RecordStore> = Arc::new(MemoryRecords::default());
        let index = Index::new(Arc::clone(&store), Arc::clone(&records));
        let plan = PlanId(Digest::of(b"plan"));
        let kernel = store.put("kernel".into()).await.unwrap();
        let stated = Some(Digest::of(b"bytes"));
        index.put(plan, image(kernel), stated).await.unwrap();
        let good = records.get(KIND, plan.0).await.unwrap().unwrap().to_vec();
        let no_manifest = pack(Digest::of(b"no manifest"), None, b"no manifest").unwrap();
        let other = pack(Digest::of(b"other"), None, &image(kernel).to_manifest()).unwrap();
        let mut damaged =
            vec![b"{".to_vec(), MAGIC.to_vec(), no_manifest, other, good[..good.len() - 1].to_vec()];
        damaged.extend((0..good.len()).map(|at| {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            flipped
        }));
        for entry in damaged {
            records.put(KIND, plan.0, entry.clone().into()).await.unwrap();
            let found = index.get(plan).await;
            assert!(found.is_none(), "{entry:?}");
        }
        records.put(KIND, plan.0, good.into()).await.unwrap();
        assert!(index.get(plan).await.is_some());
    }

    #[tokio::test]
    async fn an_image_costs_one_small_record_and_no_blob() {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let records: Arc<dyn RecordStore> = Arc::new(MemoryRecords::default());
        let index = Index::new(Arc::clone(&store), Arc::clone(&records));
        let plan = PlanId(Digest::of(b"plan"));
        let put = index.put(plan, VirtualImage::from_bytes(vec![7; 100_000]), None).await.unwrap();
        assert_eq!(store.size(put.manifest).await.unwrap(), None);
        assert!(records.get(KIND, plan.0).await.unwrap().unwrap().len() < 1000);
    }
}
