//! What a digest of a repository stands for, remembered across restarts.
//!
//! ```text
//! artefact/<repository, schematic, digest>   version and part, as JSON
//! ```

use std::sync::Arc;

use builder::RecordStore;
use builder::plan::CanonicalWriter;
use builder::store::{RecordError, RecordKind};
use bytes::Bytes;
use schematics::{Arch, AssetName, Digest, TalosVersion};
use serde::{Deserialize, Serialize};

use super::{ArtefactRepository, ArtefactsError};

const KIND: RecordKind = RecordKind("artefact");

/// What a digest stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The version it was told for.
    pub(super) version: TalosVersion,
    /// What it is.
    pub(super) part: Part,
}

/// What something in a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The index.
    Index,
    /// The manifest of an architecture.
    Manifest(Arch),
    /// A file.
    File(AssetName),
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arch: Option<Arch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// The records of repositories. Each value is a function of its key, so any replica may write it any number of times.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    records: Arc<dyn RecordStore>,
}

impl Entries {
    pub(super) fn new(records: Arc<dyn RecordStore>) -> Self {
        Self { records }
    }

    /// What a digest stands for in a repository. A record that cannot be understood counts as absent.
    pub(super) async fn get(
        &self,
        repository: ArtefactRepository<'_>,
        digest: Digest,
    ) -> Result<Option<Entry>, RecordError> {
        let record = self.records.get(KIND, key(repository, digest)).await?;
        Ok(record.and_then(|bytes| read(&bytes)))
    }

    /// Remembers what a digest stands for, unless that is known.
    pub(super) async fn put(
        &self,
        repository: ArtefactRepository<'_>,
        digest: Digest,
        entry: &Entry,
    ) -> Result<(), ArtefactsError> {
        let (arch, file) = match entry.part {
            Part::Index => (None, None),
            Part::Manifest(arch) => (Some(arch), None),
            Part::File(file) => (None, Some(file.to_string())),
        };
        let record = Record { version: entry.version.to_string(), arch, file };
        let bytes = Bytes::from(serde_json::to_vec(&record)?);
        let key = key(repository, digest);
        if self.records.get(KIND, key).await?.as_ref() != Some(&bytes) {
            self.records.put(KIND, key, bytes).await?;
        }
        Ok(())
    }
}

fn key(repository: ArtefactRepository<'_>, digest: Digest) -> Digest {
    let mut key = CanonicalWriter::new("factory artefact 1");
    key.text(&repository.name.text()).digests(&[repository.stored.id.digest(), digest]);
    Digest::of(&key.finish())
}

fn read(bytes: &[u8]) -> Option<Entry> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    let part = match (record.arch, record.file) {
        (None, None) => Part::Index,
        (Some(arch), None) => Part::Manifest(arch),
        (None, Some(file)) => Part::File(file.parse().ok()?),
        (Some(_), Some(_)) => return None,
    };
    Some(Entry { version: record.version.parse().ok()?, part })
}
