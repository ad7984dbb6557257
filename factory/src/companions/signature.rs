//! Signatures of assets.
//!
//! ```text
//! signatures/<asset, key>   "factory signature 1\n" and the signature, where it takes more than the checksum to make it
//! ```

use std::sync::Arc;

use builder::plan::CanonicalWriter;
use builder::store::RecordKind;
use builder::{BlobStore, RecordStore};
use bytes::Bytes;
use futures::TryStreamExt as _;
use schematics::Digest;
use signing::SigningKey;
use signing::bundle::Bundle;
use signing::in_toto::{self, Statement};
use tokio::runtime::Handle;
use tokio::task;

use super::CompanionError;
use super::contents::Contents;
use crate::flights::Flights;
use crate::images::Image;
use crate::seal::Seal;

const KIND: RecordKind = RecordKind("signatures");
const MAGIC: &[u8] = b"factory signature 1\n";

/// Signatures of assets. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Signatures {
    contents: Contents,
    store: Arc<dyn BlobStore>,
    records: Arc<dyn RecordStore>,
    key: Seal,
    flights: Arc<Flights<Digest, Vec<u8>, CompanionError>>,
}

impl Signatures {
    pub(super) fn new(
        contents: Contents,
        (store, records): (Arc<dyn BlobStore>, Arc<dyn RecordStore>),
        key: Seal,
    ) -> Self {
        Self { contents, store, records, key, flights: Arc::default() }
    }

    /// The bundle of an asset.
    pub(super) async fn bundle(&self, image: &Image) -> Result<Bytes, CompanionError> {
        let digest = self.contents.of(image).await?.sha256;
        let signature = match self.key.sign_digest(&digest) {
            Some(signature) => signature?,
            None => self.whole(image).await?,
        };
        Ok(Bundle::of_file(self.key.public_key(), digest, signature).encode()?.into())
    }

    /// The bundle of a text.
    pub(super) fn of_text(&self, text: &[u8]) -> Result<Bytes, CompanionError> {
        let signature = self.key.sign(text)?;
        Ok(Bundle::of_file(self.key.public_key(), Digest::of(text), signature).encode()?.into())
    }

    /// The bundle of a claim.
    pub(super) fn of_statement(&self, statement: &Statement) -> Result<Bytes, CompanionError> {
        let bundle = Bundle::of_text(&self.key, in_toto::PAYLOAD_TYPE, statement.encode()?)?;
        Ok(bundle.encode()?.into())
    }

    /// The signature of a key that signs the bytes and no digest of them: made by reading them, once, and remembered.
    async fn whole(&self, image: &Image) -> Result<Vec<u8>, CompanionError> {
        let mut name = CanonicalWriter::new("factory signature 1");
        name.digests(&[image.manifest, self.key.id().digest()]);
        let name = Digest::of(&name.finish());
        if let Some(known) = self.recall(name).await? {
            return Ok(known);
        }
        let (signatures, image) = (self.clone(), image.clone());
        let compute = || async move {
            if let Some(known) = signatures.recall(name).await? {
                return Ok(known);
            }
            let _place = signatures.contents.permit().await?;
            let signed = signatures.read(&image).await.inspect_err(|_| image.health.spoil())?;
            let record = [MAGIC, &signed].concat();
            signatures.records.put(KIND, name, record.into()).await?;
            Ok(signed)
        };
        match self.flights.join(name, compute).await {
            Ok(landed) => landed.map_err(|error| CompanionError::clone(&error)),
            Err(_) => Err(CompanionError::Abandoned),
        }
    }

    /// A record that somebody else wrote could hold anything, which those who verify will notice.
    async fn recall(&self, name: Digest) -> Result<Option<Vec<u8>>, CompanionError> {
        let record = self.records.get(KIND, name).await?;
        Ok(record.and_then(|record| Some(record.strip_prefix(MAGIC)?.to_vec())))
    }

    async fn read(&self, image: &Image) -> Result<Vec<u8>, CompanionError> {
        let (key, layout, store) = (self.key.clone(), Arc::clone(&image.layout), Arc::clone(&self.store));
        let runtime = Handle::current();
        let sign = move || {
            let key: &SigningKey = &key;
            key.sign_pieces(|take| {
                let mut pieces = layout.read(Arc::clone(&store), 0..layout.len());
                while let Some(piece) = runtime.block_on(pieces.try_next())? {
                    take(&piece);
                }
                Ok::<_, CompanionError>(())
            })
        };
        let signed = task::spawn_blocking(sign).await.map_err(|_| CompanionError::Abandoned)?;
        Ok(signed??)
    }
}
