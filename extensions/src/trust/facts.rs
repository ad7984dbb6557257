//! What was found out, so that nobody is asked twice.

use std::sync::Arc;

use builder::RecordStore;
use builder::store::RecordKind;
use bytes::Bytes;
use moka::future::Cache;
use schematics::Digest;
use serde::{Deserialize, Serialize};

use crate::source::PullError;

/// How many facts are remembered in memory.
const REMEMBERED: u64 = 16_384;

/// What is known of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// It is a manifest or index that is signed, or listed in one that is.
    Document,
    /// It is the configuration or a layer of such a manifest.
    Blob,
    /// It is a signature or the like, which nobody signs.
    Attachment,
    /// It is what such an attachment consists of.
    AttachmentBlob,
}

/// A fact as it is stored. The reason is for people who look for it.
#[derive(Serialize, Deserialize)]
struct Fact {
    digest: Digest,
    good: String,
}

#[derive(Debug)]
pub(super) struct Facts {
    records: Arc<dyn RecordStore>,
    recent: Cache<(What, Digest), ()>,
}

impl What {
    const fn kind(self) -> RecordKind {
        RecordKind(match self {
            Self::Document => "trusted-images",
            Self::Blob => "trusted-blobs",
            Self::Attachment => "attachments",
            Self::AttachmentBlob => "attachment-blobs",
        })
    }
}

impl Facts {
    pub(super) fn new(records: Arc<dyn RecordStore>) -> Self {
        Self { records, recent: Cache::new(REMEMBERED) }
    }

    /// Whether one of these is known under `key`.
    pub(super) async fn any(&self, kinds: &[What], key: Digest) -> Result<bool, PullError> {
        for what in kinds {
            if self.recent.contains_key(&(*what, key)) {
                return Ok(true);
            }
            if let Some(record) = self.records.get(what.kind(), key).await?
                && serde_json::from_slice::<Fact>(&record).is_ok()
            {
                self.recent.insert((*what, key), ()).await;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers that it is so, because of `good`.
    pub(super) async fn remember(
        &self,
        what: What,
        key: Digest,
        digest: Digest,
        good: &str,
    ) -> Result<(), PullError> {
        if self.any(&[what], key).await? {
            return Ok(());
        }
        let fact = serde_json::to_vec(&Fact { digest, good: good.to_owned() })
            .map_err(|source| PullError::Malformed { what: format!("the record of {digest}"), source })?;
        self.records.put(what.kind(), key, Bytes::from(fact)).await?;
        self.recent.insert((what, key), ()).await;
        Ok(())
    }
}
