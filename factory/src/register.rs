//! Registering schematics, and finding them again.

mod shelf;

use std::sync::Arc;

use builder::RecordStore;
use builder::store::{RecordError, RecordKind};
use bytes::Bytes;
use metrics::{counter, gauge};
use moka::future::Cache;
use schematics::{Blame, Blamed, DecodeError, RoundTripError, Schematic, SchematicId};

pub use shelf::{Shelf, ShelfError};

/// Schematics are stored as their canonical text, under its digest: on disk, `<data>/schematics/<id>`.
const KIND: RecordKind = RecordKind("schematics");
/// How many bytes of schematics are kept in memory.
const CACHED_BYTES: u64 = 32 << 20;

/// The schematics of this factory. Clones share everything.
///
/// A schematic never changes, since its id is the digest of its text; so what was read once is right for ever, and
/// nothing is remembered about ids that are not there.
#[derive(Debug, Clone)]
pub struct Register {
    records: Arc<dyn RecordStore>,
    shelves: Arc<[Shelf]>,
    cache: Cache<SchematicId, Arc<Stored>>,
}

/// A registered schematic.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: SchematicId,
    /// Its one canonical text.
    pub canonical: String,
    /// What the text says.
    pub schematic: Schematic,
}

impl Stored {
    /// The schematic of a stored text, if it is the one with this id.
    fn read(id: SchematicId, text: Bytes) -> Option<Self> {
        let canonical = String::from_utf8(text.into()).ok()?;
        let schematic = Schematic::decode(&canonical).ok()?;
        (SchematicId::of_canonical(&canonical) == id).then_some(Self { id, canonical, schematic })
    }
}

/// Why a schematic was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The text is no schematic.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It names an owner, and nobody is authenticated here.
    #[error("owner field is only supported in Enterprise edition")]
    Owned,
    /// It would not come back as it was.
    #[error(transparent)]
    RoundTrip(#[from] RoundTripError),
    /// It is not stored.
    #[error("could not store schematic {id}")]
    Store {
        /// Its id.
        id: SchematicId,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// The repository it is to be shared in does not take it.
    #[error("could not share schematic {id}")]
    Share {
        /// Its id.
        id: SchematicId,
        /// Why.
        #[source]
        source: ShelfError,
    },
}

impl Blamed for RegisterError {
    fn blame(&self) -> Blame {
        match self {
            Self::Decode(_) | Self::Owned | Self::RoundTrip(_) => Blame::Caller,
            Self::Store { source, .. } => source.blame(),
            Self::Share { source, .. } => source.blame(),
        }
    }
}

/// Why a schematic was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nobody registered it here. The words are Image Factory's, which clients match.
    #[error("schematic ID \"{id}\" not found")]
    Unknown {
        /// Its id.
        id: SchematicId,
    },
    /// It could not be read.
    #[error("could not read schematic {id}")]
    Store {
        /// Its id.
        id: SchematicId,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// A place where it may be does not answer.
    #[error("could not look for schematic {id}")]
    Shelf {
        /// Its id.
        id: SchematicId,
        /// Why.
        #[source]
        source: ShelfError,
    },
    /// What is stored is not what was registered.
    #[error("the stored text of schematic {id} is damaged")]
    Damaged {
        /// Its id.
        id: SchematicId,
    },
}

impl Blamed for FindError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unknown { .. } => Blame::Missing,
            Self::Store { source, .. } => source.blame(),
            Self::Shelf { source, .. } => source.blame(),
            Self::Damaged { .. } => Blame::Ours,
        }
    }
}

impl Register {
    /// The register whose schematics are in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn RecordStore>) -> Self {
        let weigh = |_: &SchematicId, stored: &Arc<Stored>| {
            // The parsed form takes about as much again as the text.
            u32::try_from(stored.canonical.len() * 2 + 256).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(CACHED_BYTES).weigher(weigh).build();
        Self { records, shelves: Arc::new([]), cache }
    }

    /// The same, with further places where schematics may be: they are looked through in this order for what is not in the
    /// records, and get what is registered here where they take it.
    #[must_use]
    pub fn with(self, shelves: Vec<Shelf>) -> Self {
        Self { shelves: shelves.into(), ..self }
    }

    /// Registers what a client posted. Registering a schematic again changes nothing and answers the same.
    ///
    /// # Errors
    /// When the text is no schematic, or one that cannot be kept as it is.
    pub async fn create(&self, text: &[u8]) -> Result<Arc<Stored>, RegisterError> {
        let schematic = Schematic::decode(text)?;
        if !schematic.owner.is_empty() {
            return Err(RegisterError::Owned);
        }
        schematic.check_round_trip()?;
        let canonical = schematic.canonical();
        let id = SchematicId::of_canonical(&canonical);
        let stored = |source| RegisterError::Store { id, source };
        let text = Bytes::from(canonical.clone());
        let cached = self.cache.contains_key(&id);
        if !cached {
            // Shared before it is told of, so that every factory knows what one of them has told.
            for shelf in self.shelves.iter() {
                shelf.put(id, &text).await.map_err(|source| RegisterError::Share { id, source })?;
            }
        }
        if cached || self.records.get(KIND, id.digest()).await.map_err(stored)?.as_ref() == Some(&text) {
            counter!("image_factory_schematic_duplicate_create_total").increment(1);
        } else {
            self.records.put(KIND, id.digest(), text).await.map_err(stored)?;
            counter!("image_factory_schematic_create_total").increment(1);
        }
        let stored = Arc::new(Stored { id, canonical, schematic });
        self.remember(Arc::clone(&stored)).await;
        Ok(stored)
    }

    /// Finds a schematic.
    ///
    /// # Errors
    /// When it was never registered here, or cannot be read.
    pub async fn find(&self, id: SchematicId) -> Result<Arc<Stored>, FindError> {
        counter!("image_factory_schematic_get_total").increment(1);
        if let Some(stored) = self.cache.get(&id).await {
            return Ok(stored);
        }
        let read =
            self.records.get(KIND, id.digest()).await.map_err(|source| FindError::Store { id, source })?;
        let stored = Arc::new(match read {
            Some(text) => Stored::read(id, text).ok_or(FindError::Damaged { id })?,
            None => self.look_through(id).await?,
        });
        self.remember(Arc::clone(&stored)).await;
        Ok(stored)
    }

    /// Finds a schematic that is not in the records, and puts it there.
    async fn look_through(&self, id: SchematicId) -> Result<Stored, FindError> {
        let mut silent = None;
        for shelf in self.shelves.iter() {
            let text = match shelf.get(id).await {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(source) => {
                    silent = Some(source);
                    continue;
                }
            };
            // Others may keep anything there, and what has an owner is for that one, whom nobody is known as here.
            let found = Stored::read(id, text.clone()).filter(|stored| stored.schematic.owner.is_empty());
            let Some(stored) = found else { continue };
            let kept = self.records.put(KIND, id.digest(), text).await;
            kept.map_err(|source| FindError::Store { id, source })?;
            return Ok(stored);
        }
        // It may be where nobody answers: that it is unknown is not known.
        Err(silent.map_or(FindError::Unknown { id }, |source| FindError::Shelf { id, source }))
    }

    async fn remember(&self, stored: Arc<Stored>) {
        self.cache.insert(stored.id, stored).await;
        #[expect(clippy::cast_precision_loss, reason = "a gauge of things in memory")]
        gauge!("image_factory_schematic_cache_size").set(self.cache.entry_count() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use builder::store::{DirRecords, MemoryRecords};

    const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

    #[tokio::test]
    async fn a_schematic_is_found_by_another_register_on_the_same_records() {
        let root = tempfile::tempdir().unwrap();
        let records = || Arc::new(DirRecords::open(root.path()).unwrap());
        let created =
            Register::new(records()).create(b"customization: {extraKernelArgs: [vga=791]}").await.unwrap();
        let found = Register::new(records()).find(created.id).await.unwrap();
        assert_eq!(found, created);
        let path = root.path().join("schematics").join(created.id.to_string());
        assert_eq!(fs_err::read_to_string(&path).unwrap(), created.canonical);
        fs_err::write(path, "customization: {}\n").unwrap();
        assert!(matches!(Register::new(records()).find(created.id).await, Err(FindError::Damaged { .. })));
        Register::new(records()).create(created.canonical.as_bytes()).await.unwrap();
        assert_eq!(Register::new(records()).find(created.id).await.unwrap(), created, "posting it mends it");
    }

    #[tokio::test]
    async fn creating_twice_gives_the_same_id() {
        let register = Register::new(Arc::new(MemoryRecords::default()));
        let first = register.create(b"{}").await.unwrap();
        let second = register.create(b"customization:\n").await.unwrap();
        assert_eq!((first.id.to_string().as_str(), first.id), (VANILLA, second.id));
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_the_callers_mistake() {
        let register = Register::new(Arc::new(MemoryRecords::default()));
        let not_faithful = r#"customization: {extraKernelArgs: ["  a\nb"]}"#;
        for text in ["something:", "", "owner: alice", "[]", not_faithful] {
            let error = register.create(text.as_bytes()).await.unwrap_err();
            assert_eq!(error.blame(), Blame::Caller, "{text}: {error}");
        }
        let missing = register.find(SchematicId::of_canonical("nothing")).await.unwrap_err();
        assert_eq!(missing.blame(), Blame::Missing);
    }
}
