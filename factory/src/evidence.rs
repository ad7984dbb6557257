//! Use case: documents about assets, for people who have to know what is inside and how it was made.

use std::sync::Arc;

use builder::plan::CanonicalWriter;
use bytes::Bytes;
use moka::future::Cache;
use schematics::{Arch, Blame, Blamed, Digest, TalosVersion};

use crate::documents::inventory::Inventory;
use crate::documents::provenance::Provenance;
use crate::documents::spdx::DocumentError;
use crate::documents::{cyclonedx, lock::Lock, spdx};
use crate::images::{Images, OpenError, Wanted};
use crate::register::Stored;

/// How many bytes of documents are kept in memory.
const REMEMBERED: u64 = 64 << 20;

/// In which form people exchange what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// SPDX 2.3.
    Spdx,
    /// CycloneDX 1.6.
    CycloneDx,
}

impl Form {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => spdx::MEDIA_TYPE,
            Self::CycloneDx => cyclonedx::MEDIA_TYPE,
        }
    }

    /// The type of an in-toto predicate in this form.
    #[must_use]
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Self::Spdx => spdx::PREDICATE_TYPE,
            Self::CycloneDx => cyclonedx::PREDICATE_TYPE,
        }
    }

    fn document(self, inventory: &Inventory) -> Result<String, DocumentError> {
        match self {
            Self::Spdx => spdx::document(inventory),
            Self::CycloneDx => cyclonedx::document(inventory),
        }
    }
}

/// Why there is no document.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvidenceError {
    /// The asset cannot be had.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What is inside cannot be told.
    #[error(transparent)]
    Document(Arc<DocumentError>),
    /// A document cannot be written; a fault of ours.
    #[error("the document could not be written")]
    Write(#[source] Arc<serde_json::Error>),
}

impl Blamed for EvidenceError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Document(error) => error.blame(),
            Self::Write(_) => Blame::Ours,
        }
    }
}

/// Writes documents about assets. Clones share everything.
#[derive(Debug, Clone)]
pub struct Evidence {
    images: Images,
    registry: Option<String>,
    known: Cache<Digest, Bytes>,
}

impl Evidence {
    /// Documents about these images, whose parts come from `registry` where the source is one.
    #[must_use]
    pub fn new(images: Images, registry: Option<String>) -> Self {
        let weight = |_: &Digest, document: &Bytes| u32::try_from(document.len()).unwrap_or(u32::MAX);
        let known = Cache::builder().max_capacity(REMEMBERED).weigher(weight).build();
        Self { images, registry, known }
    }

    /// What is inside the images of a schematic, a version and a processor. The same each time.
    ///
    /// # Errors
    /// When an input cannot be had, or what it says about itself cannot be used.
    pub async fn contents(
        &self,
        stored: &Stored,
        version: &TalosVersion,
        arch: Arch,
        form: Form,
    ) -> Result<Bytes, EvidenceError> {
        let mut key = CanonicalWriter::new("factory contents 1");
        key.digests(&[stored.id.digest()]).text(&version.to_string()).text(arch.name());
        let write = async {
            let inventory = self.images.contents(stored, version, arch).await?;
            told(form, &inventory)
        };
        self.remembered(key, form, write).await
    }

    /// What is inside an asset, or the image that an asset is the archive of, by its name and digest.
    ///
    /// # Errors
    /// When an input cannot be had, or what it says about itself cannot be used.
    pub async fn contents_of(
        &self,
        wanted: Wanted<'_>,
        subject: (&str, Digest),
        form: Form,
    ) -> Result<Bytes, EvidenceError> {
        let mut key = CanonicalWriter::new("factory contents of 1");
        let (Wanted { stored, version, .. }, (name, content)) = (wanted, subject);
        key.digests(&[stored.id.digest(), content]).text(&version.to_string()).text(name);
        let write = async {
            let inventory = self.images.contents_of(wanted, subject).await?;
            told(form, &inventory)
        };
        self.remembered(key, form, write).await
    }

    /// Everything an asset is made of.
    ///
    /// # Errors
    /// When the asset cannot be had.
    pub async fn lock(&self, wanted: Wanted<'_>) -> Result<Lock, EvidenceError> {
        Ok(self.images.lock(wanted).await?)
    }

    /// The predicate that says how something called `name` was made: the asset of the first lock, or a list of images with
    /// a lock each.
    ///
    /// # Errors
    /// Never in practice; the encoder's type says it may.
    pub fn provenance(
        &self,
        name: &str,
        first: &Lock,
        others: &[Lock],
    ) -> Result<serde_json::Value, EvidenceError> {
        let provenance = Provenance::new(name, first, others, self.registry.as_deref());
        provenance.to_value().map_err(|error| EvidenceError::Write(Arc::new(error)))
    }

    async fn remembered(
        &self,
        mut key: CanonicalWriter,
        form: Form,
        write: impl Future<Output = Result<Bytes, EvidenceError>>,
    ) -> Result<Bytes, EvidenceError> {
        key.text(form.media_type());
        let key = Digest::of(&key.finish());
        let written = self.known.try_get_with(key, Box::pin(write)).await;
        written.map_err(|error| EvidenceError::clone(&error))
    }
}

fn told(form: Form, inventory: &Inventory) -> Result<Bytes, EvidenceError> {
    let document = form.document(inventory);
    document.map(Bytes::from).map_err(|error| EvidenceError::Document(Arc::new(error)))
}
