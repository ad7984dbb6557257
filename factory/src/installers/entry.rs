//! What a digest of a repository stands for, remembered across restarts.

use std::sync::Arc;
use std::time::Duration;

use builder::plan::CanonicalWriter;
use builder::store::{RecordError, RecordKind};
use builder::{PlanId, RecordStore};
use bytes::Bytes;
use extensions::Repository;
use extensions::oci::CONFIG;
use moka::future::Cache;
use schematics::{Digest, TalosVersion};
use serde::{Deserialize, Serialize};

use super::published::Published;
use super::{Document, InstallerRepository, InstallersError};
use crate::images::{LayerContent, repository_name};

const KIND: RecordKind = RecordKind("registry");
const BASE: RecordKind = RecordKind("registry-base");

/// How many of them are remembered in memory, and for how long: a client that resumes or asks for ranges does so at once.
const REMEMBERED: u64 = 4096;
const FRESH: Duration = Duration::from_secs(60);

/// What a digest stands for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The version it was told for.
    pub(super) version: TalosVersion,
    /// What it is.
    pub(super) what: What,
}

/// What something in a repository is.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// An index, manifest or configuration.
    Document(Document),
    /// A layer of ours, by its plan.
    Layer(PlanId),
    /// Part of what is said about another document.
    Evidence {
        /// That document.
        subject: Digest,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
struct StoredBase {
    repository: String,
    size: u64,
}

/// The records of repositories. Each value is a function of its key, so any replica may write it any number of times.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    records: Arc<dyn RecordStore>,
    known: Cache<Digest, Entry>,
}

impl Entries {
    pub(super) fn new(records: Arc<dyn RecordStore>) -> Self {
        Self { records, known: Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build() }
    }

    /// What a digest stands for in a repository. A record that cannot be understood counts as absent.
    pub(super) async fn get(
        &self,
        repository: InstallerRepository<'_>,
        digest: Digest,
    ) -> Result<Option<Entry>, RecordError> {
        let key = key(repository, digest);
        if let Some(known) = self.known.get(&key).await {
            return Ok(Some(known));
        }
        let Some(record) = self.records.get(KIND, key).await? else { return Ok(None) };
        let entry = read(&record, digest);
        if let Some(entry) = &entry {
            self.known.insert(key, entry.clone()).await;
        }
        Ok(entry)
    }

    /// Where a layer of a base installer comes from, and its size.
    pub(super) async fn base(&self, digest: Digest) -> Result<Option<(Repository, u64)>, RecordError> {
        let record = self.records.get(BASE, digest).await?;
        let stored: Option<StoredBase> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(stored.and_then(|stored| Some((stored.repository.parse().ok()?, stored.size))))
    }

    /// Remembers everything that is published for a version.
    pub(super) async fn put(
        &self,
        repository: InstallerRepository<'_>,
        version: &TalosVersion,
        published: &Published,
    ) -> Result<(), InstallersError> {
        let mut wanted = vec![(published.index.digest, document(version, &published.index))];
        for image in &published.images {
            let manifest = published.document(image.manifest().digest);
            wanted.extend(manifest.map(|manifest| (manifest.digest, document(version, &manifest))));
            let config = Document::new(CONFIG, image.documents.config.clone());
            wanted.push((config.digest, document(version, &config)));
            for (blob, content) in &image.layers {
                match content {
                    LayerContent::Base(_) => {
                        let repository = image.base.repository.to_string();
                        self.write(BASE, blob.digest, &StoredBase { repository, size: blob.size }).await?;
                    }
                    LayerContent::Own { plan, .. } => wanted.push((blob.digest, layer(version, *plan))),
                }
            }
        }
        for (digest, stored) in wanted {
            self.write(KIND, key(repository, digest), &stored).await?;
        }
        Ok(())
    }

    /// Remembers what is said about a document that is published for a version.
    pub(super) async fn put_evidence(
        &self,
        repository: InstallerRepository<'_>,
        (version, subject): (&TalosVersion, Digest),
        digests: impl Iterator<Item = Digest>,
    ) -> Result<(), InstallersError> {
        let stored = Stored { subject: Some(subject), ..Stored::of(version) };
        for digest in digests {
            self.write(KIND, key(repository, digest), &stored).await?;
        }
        Ok(())
    }

    /// Writes a record unless it says so already.
    async fn write<T: Serialize + Sync>(
        &self,
        kind: RecordKind,
        key: Digest,
        value: &T,
    ) -> Result<(), InstallersError> {
        let bytes = Bytes::from(serde_json::to_vec(value).map_err(InstallersError::document)?);
        if self.records.get(kind, key).await?.as_ref() != Some(&bytes) {
            self.records.put(kind, key, bytes).await?;
        }
        Ok(())
    }
}

fn key(repository: InstallerRepository<'_>, digest: Digest) -> Digest {
    let InstallerRepository { name, stored, .. } = repository;
    let mut key = CanonicalWriter::new("factory registry 1");
    key.text(&repository_name(name.platform, name.boot)).digests(&[stored.id.digest(), digest]);
    Digest::of(&key.finish())
}

impl Stored {
    fn of(version: &TalosVersion) -> Self {
        Self { version: version.to_string(), media_type: None, text: None, plan: None, subject: None }
    }
}

fn document(version: &TalosVersion, document: &Document) -> Stored {
    let text = String::from_utf8_lossy(&document.bytes).into_owned();
    let media_type = Some(document.media_type.clone());
    Stored { media_type, text: Some(text), ..Stored::of(version) }
}

fn layer(version: &TalosVersion, plan: PlanId) -> Stored {
    Stored { plan: Some(plan.0), ..Stored::of(version) }
}

fn read(bytes: &[u8], digest: Digest) -> Option<Entry> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let version = stored.version.parse().ok()?;
    if let Some(plan) = stored.plan {
        return Some(Entry { version, what: What::Layer(PlanId(plan)) });
    }
    if let Some(subject) = stored.subject {
        return Some(Entry { version, what: What::Evidence { subject } });
    }
    let document = Document::new(&stored.media_type?, stored.text?.into());
    (document.digest == digest).then_some(Entry { version, what: What::Document(document) })
}
