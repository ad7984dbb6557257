//! The checksums of images: one pass over all bytes for both, and then remembered.
//!
//! ```text
//! contents/<manifest digest of the image>
//!
//! "factory content 1\n"   SHA-256 of what follows (32 bytes)
//! SHA-256 (32 bytes)      SHA-512 (64 bytes)
//! ```

use std::sync::Arc;

use builder::store::RecordKind;
use builder::{BlobStore, RecordStore, VirtualImage};
use bytes::Bytes;
use futures::TryStreamExt as _;
use schematics::Digest;
use signing::{HashAlgorithm, MessageDigest};
use tokio::sync::Semaphore;

use super::{Checksum, CompanionError};
use crate::flights::Flights;
use crate::images::Image;

const KIND: RecordKind = RecordKind("contents");
const MAGIC: &[u8] = b"factory content 1\n";

/// The digests of an image's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digests {
    pub(super) sha256: Digest,
    pub(super) sha512: MessageDigest,
}

/// Digests of images. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    store: Arc<dyn BlobStore>,
    records: Arc<dyn RecordStore>,
    flights: Arc<Flights<Digest, Digests, CompanionError>>,
    passes: Arc<Semaphore>,
}

impl Contents {
    pub(super) fn new(store: Arc<dyn BlobStore>, records: Arc<dyn RecordStore>, passes: usize) -> Self {
        Self { store, records, flights: Arc::default(), passes: Arc::new(Semaphore::new(passes)) }
    }

    /// The digests of an image: a look into the records, or one pass over all bytes however many ask.
    pub(super) async fn of(&self, image: &Image) -> Result<Digests, CompanionError> {
        if let Some(known) = self.recall(image.manifest).await? {
            return Ok(known);
        }
        let (contents, image) = (self.clone(), image.clone());
        let compute = || async move {
            // An earlier pass may have ended between the look into the records and here.
            if let Some(known) = contents.recall(image.manifest).await? {
                return Ok(known);
            }
            let _place = contents.permit().await?;
            let read = contents.read(&image.layout).await.inspect_err(|_| image.health.spoil());
            let digests = read?;
            contents.records.put(KIND, image.manifest, pack(&digests)).await?;
            Ok(digests)
        };
        match self.flights.join(image.manifest, compute).await {
            Ok(landed) => landed.map_err(|error| CompanionError::clone(&error)),
            Err(_) => Err(CompanionError::Abandoned),
        }
    }

    /// Leave to read an image as a whole.
    pub(super) async fn permit(&self) -> Result<impl Drop + use<'_>, CompanionError> {
        self.passes.acquire().await.map_err(|_| CompanionError::Abandoned)
    }

    /// A record that cannot be understood counts as absent.
    async fn recall(&self, manifest: Digest) -> Result<Option<Digests>, CompanionError> {
        Ok(self.records.get(KIND, manifest).await?.and_then(|record| unpack(&record)))
    }

    async fn read(&self, layout: &VirtualImage) -> Result<Digests, CompanionError> {
        let mut pieces = layout.read(Arc::clone(&self.store), 0..layout.len());
        let (mut sha256, mut sha512) = (HashAlgorithm::Sha256.hasher(), HashAlgorithm::Sha512.hasher());
        while let Some(piece) = pieces.try_next().await? {
            sha256.update(&piece);
            sha512.update(&piece);
            // What is in memory is always ready to be read, and others want to run too.
            tokio::task::consume_budget().await;
        }
        let short = sha256.finish().as_bytes().try_into().map_err(|_| CompanionError::Abandoned)?;
        Ok(Digests { sha256: Digest::from_bytes(short), sha512: sha512.finish() })
    }
}

fn pack(digests: &Digests) -> Bytes {
    let facts = [digests.sha256.as_bytes(), digests.sha512.as_bytes()].concat();
    [MAGIC, Digest::of(&facts).as_bytes(), &facts].concat().into()
}

fn unpack(record: &[u8]) -> Option<Digests> {
    let (expected, facts) = record.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    if Digest::of(facts) != Digest::from_bytes(*expected) {
        return None;
    }
    let (sha256, sha512) = facts.split_first_chunk::<32>()?;
    let sha512 = MessageDigest::from_bytes(HashAlgorithm::Sha512, sha512)?;
    Some(Digests { sha256: Digest::from_bytes(*sha256), sha512 })
}

impl Checksum {
    /// The line `sha256sum` or `sha512sum` writes for a file with this name.
    pub(super) fn line(self, digests: &Digests, name: &str) -> String {
        let hex = match self {
            Self::Sha256 => digests.sha256.hex(),
            Self::Sha512 => digests.sha512.hex(),
        };
        format!("{hex}  {name}\n")
    }
}

#[cfg(test)]
mod tests {
    use builder::store::{MemoryRecords, MemoryStore};
    use builder::{BlobStoreExt as _, ImageLayout};

    use super::*;
    use crate::images::Health;

    fn image(layout: VirtualImage) -> Image {
        let manifest = layout.manifest_digest();
        Image { layout: Arc::new(layout), manifest, content: None, health: Health::default() }
    }

    #[tokio::test]
    async fn digests_are_those_of_the_bytes_and_computed_once() {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let records: Arc<dyn RecordStore> = Arc::new(MemoryRecords::default());
        let blob = store.put(vec![7; 100_000].into()).await.unwrap();
        let mut layout = ImageLayout::default();
        layout.bytes("head").blob(blob).zeros(70_000);
        let image = image(layout.finish());
        let bytes = [b"head".to_vec(), vec![7; 100_000], vec![0; 70_000]].concat();

        let contents = Contents::new(store, Arc::clone(&records), 1);
        let first = contents.of(&image).await.unwrap();
        assert_eq!(first.sha256, Digest::of(&bytes));
        assert_eq!(first.sha512, HashAlgorithm::Sha512.hash(&bytes));
        // A store without the blob cannot compute it again.
        let empty = Contents::new(Arc::new(MemoryStore::default()), Arc::clone(&records), 1);
        assert_eq!(empty.of(&image).await.unwrap().sha256, first.sha256);
        assert_eq!(Checksum::Sha256.line(&first, "a b"), format!("{}  a b\n", first.sha256.hex()));

        let good = records.get(KIND, image.manifest).await.unwrap().unwrap();
        for at in 0..good.len() {
            let mut flipped = good.to_vec();
            flipped[at] ^= 1;
            records.put(KIND, image.manifest, flipped.into()).await.unwrap();
            assert!(matches!(empty.of(&image).await, Err(CompanionError::Read(_))), "byte {at}");
        }
        assert!(!image.health.is_good());
        assert_eq!(contents.of(&image).await.unwrap().sha512, first.sha512);
        assert_eq!(records.get(KIND, image.manifest).await.unwrap().unwrap(), good);
    }
}
