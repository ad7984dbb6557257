//! Use case: installer images as a container registry has them.
//!
//! A tag is a version. What it stands for is composed when it is asked for, which is a look into the index of images unless
//! a layer has to be laid out first. Everything that was ever told by its digest is found again by that digest:
//!
//! ```text
//! registry/<repository, schematic, digest>   a document as text, the plan of a layer of ours, or what it says something about
//! registry-base/<digest>                     where a layer of a base installer comes from
//! ```

mod attested;
mod entry;
mod error;
mod evidence;
mod name;
mod parts;
mod published;
mod signed;

use std::sync::Arc;
use std::time::Duration;

use builder::{BlobStore, RecordStore};
use extensions::oci;
use extensions::oci::artifact::EMPTY_CONFIG;
use extensions::source;
use moka::future::Cache;
use schematics::{Arch, AssetName, Boot, Digest, SchematicId, TalosVersion};

use crate::available::Available;
use crate::evidence as about;
use crate::flights::Flights;
use crate::images::{Images, Wanted, repository_name};
use crate::keys::KeySet;
use crate::register::Stored;
use crate::repository::{BlobContent, Document, LATEST, Reference, TagError, had, version_of};
use crate::seal::Seal;
use entry::{Entries, What};
pub use error::InstallersError;
use evidence::{Evidence, EvidenceTag};
pub use name::InstallerName;
use published::Published;

/// How many installers are remembered in memory.
const REMEMBERED: u64 = 4096;
/// How long one is, before it is composed again: layers may be dropped from the store at any time.
const CHECKED_AFTER: Duration = Duration::from_secs(60);
/// How many bytes of what is said about installers are remembered in memory.
const REMEMBERED_EVIDENCE: u64 = 32 << 20;

/// One repository.
#[derive(Debug, Clone, Copy)]
pub struct InstallerRepository<'a> {
    /// What kind of installer.
    pub name: InstallerName,
    /// Of which schematic.
    pub stored: &'a Stored,
    /// The keys that sign for whom the request came to, if there are any.
    pub keys: Option<&'a Arc<KeySet>>,
}

/// What decides an installer: repository, schematic, version, and who signs.
type Key = (String, SchematicId, TalosVersion, Option<Digest>);
/// What decides what is said about a document: repository, digest, and whether it is known of what it was made.
type EvidenceKey = (String, Digest, bool);

/// Who signs installers.
#[derive(Debug, Clone)]
pub struct InstallerSigner {
    /// With which key.
    pub seal: Seal,
    /// Under which name of this registry: host, and port where it is not the usual one.
    pub host: String,
}

/// Serves installers. Clones share everything.
#[derive(Debug, Clone)]
pub struct Installers {
    images: Images,
    available: Available,
    store: Arc<dyn BlobStore>,
    entries: Entries,
    signer: Arc<InstallerSigner>,
    about: about::Evidence,
    known: Cache<Key, Arc<Published>>,
    evidence: Cache<EvidenceKey, Arc<Evidence>>,
    fetches: Arc<Flights<Digest, (), source::PullError>>,
}

impl Installers {
    /// Installers made of these images, what is told about them remembered in `records`.
    #[must_use]
    pub fn new(
        (images, about): (Images, about::Evidence),
        available: Available,
        store: Arc<dyn BlobStore>,
        records: Arc<dyn RecordStore>,
        signer: InstallerSigner,
    ) -> Self {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(CHECKED_AFTER).build();
        let weight = |_: &EvidenceKey, of: &Arc<Evidence>| u32::try_from(of.size()).unwrap_or(u32::MAX);
        let evidence = Cache::builder().max_capacity(REMEMBERED_EVIDENCE).weigher(weight).build();
        let (entries, signer) = (Entries::new(records), Arc::new(signer));
        Self { images, available, store, entries, signer, about, known, evidence, fetches: Arc::default() }
    }

    /// The tags of a repository, sorted: the versions its schematic can be had for, and `latest`.
    ///
    /// # Errors
    /// When the versions are not known.
    pub async fn tags(&self, repository: InstallerRepository<'_>) -> Result<Vec<String>, InstallersError> {
        let versions = self.available.versions().await.map_err(TagError::Versions)?;
        let target = repository.name.target(Arch::Amd64);
        let wanted = |version: &&TalosVersion| {
            self.images.could_have(repository.stored, version, &AssetName::Installer(target))
        };
        let found: Vec<&TalosVersion> = versions.iter().filter(wanted).collect();
        let mut tags: Vec<String> = found.iter().map(|version| version.to_string()).collect();
        if found.iter().any(|version| !version.is_prerelease()) {
            tags.push(LATEST.to_owned());
        }
        tags.sort_unstable();
        Ok(tags)
    }

    /// The index or manifest a reference stands for. All that it refers to can be served when this is.
    ///
    /// # Errors
    /// When there is none, or it cannot be made.
    pub async fn document(
        &self,
        repository: InstallerRepository<'_>,
        reference: &Reference,
    ) -> Result<Document, InstallersError> {
        match reference {
            Reference::Tag(tag) => {
                if let Some(tag) = EvidenceTag::parse(tag) {
                    return self.evidence_document(repository, tag).await;
                }
                let version = version_of(tag, &self.available).await?;
                Ok(self.published(repository, &version).await?.index.clone())
            }
            Reference::Digest(digest) => {
                let unknown = InstallersError::NoManifest { digest: *digest };
                let entry = self.entries.get(repository, *digest).await?.ok_or(unknown)?;
                let told = match entry.what {
                    What::Document(told) => told,
                    What::Evidence { subject } => {
                        return self.evidence_manifest(repository, subject, *digest).await;
                    }
                    What::Layer(_) => return Err(InstallersError::NoManifest { digest: *digest }),
                };
                let now = self.published(repository, &entry.version).await;
                if let Ok(Some(document)) = now.as_ref().map(|now| now.document(*digest)) {
                    return Ok(document);
                }
                // An earlier factory made it of other inputs. It is still good while all of it is here.
                if self.is_whole(repository, &told).await? {
                    return Ok(told);
                }
                now.and(Err(InstallersError::NoManifest { digest: *digest }))
            }
        }
    }

    /// A configuration or layer.
    ///
    /// # Errors
    /// When the repository has none by this digest, or it cannot be made again.
    pub async fn blob(
        &self,
        repository: InstallerRepository<'_>,
        digest: Digest,
    ) -> Result<BlobContent, InstallersError> {
        let Some(entry) = self.entries.get(repository, digest).await? else {
            // All artefacts have this one, so it says nothing about which of them it was told for.
            if digest == Digest::of(EMPTY_CONFIG) {
                return Ok(BlobContent::of(digest, EMPTY_CONFIG));
            }
            return self.base_layer(digest).await;
        };
        match entry.what {
            What::Document(document) if document.media_type == oci::CONFIG => {
                Ok(BlobContent::of(digest, document.bytes))
            }
            What::Document(_) => Err(InstallersError::NoBlob { digest }),
            What::Evidence { subject } => self.evidence_blob(repository, subject, digest).await,
            What::Layer(plan) => {
                if let Some(image) = self.images.recall(plan).await
                    && image.content == Some(digest)
                {
                    return Ok(BlobContent { digest, layout: image.layout, health: image.health });
                }
                let now = self.published(repository, &entry.version).await?;
                now.layer(digest).ok_or(InstallersError::NoBlob { digest })
            }
        }
    }

    /// What a version is published as, composed at most once at a time.
    async fn published(
        &self,
        repository: InstallerRepository<'_>,
        version: &TalosVersion,
    ) -> Result<Arc<Published>, InstallersError> {
        let InstallerRepository { name, stored, keys } = repository;
        let signer = keys.filter(|_| name.boot == Boot::Secure).map(|keys| keys.identity());
        let key = (repository_name(name.platform, name.boot), stored.id, version.clone(), signer);
        if let Some(known) = self.known.get(&key).await
            && !known.is_good()
        {
            self.known.invalidate(&key).await;
        }
        let composed = Box::pin(self.publish(repository, version));
        let published = self.known.try_get_with(key, composed).await;
        published.map_err(|error| InstallersError::clone(&error))
    }

    async fn publish(
        &self,
        repository: InstallerRepository<'_>,
        version: &TalosVersion,
    ) -> Result<Arc<Published>, InstallersError> {
        let InstallerRepository { name, stored, keys } = repository;
        let [amd64, arm64] = [Arch::Amd64, Arch::Arm64].map(|arch| AssetName::Installer(name.target(arch)));
        let installer = |asset| self.images.installer(Wanted { stored, version, asset, keys });
        let (amd64, arm64) = tokio::join!(installer(&amd64), installer(&arm64));
        let published = Published::new(had([amd64, arm64])?).map_err(InstallersError::document)?;
        // Remembered before anybody is told a digest.
        self.entries.put(repository, version, &published).await?;
        Ok(Arc::new(published))
    }
}
