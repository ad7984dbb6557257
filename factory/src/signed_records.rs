//! Records that nobody but this factory, and those it trusts, can have written.
//!
//! ```text
//! "factory record 1\n"
//! the SHA-256 of the public key (32 bytes)
//! u8 length of the signature, and the signature
//! the value
//! ```
//!
//! Signed is the kind, the key and the SHA-256 of the value, so that a record says nothing under another name.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use builder::RecordStore;
use builder::plan::CanonicalWriter;
use builder::store::{RecordError, RecordKind};
use bytes::Bytes;
use schematics::Digest;
use signing::{PublicKey, SigningKey};

use crate::metrics;

const MAGIC: &[u8] = b"factory record 1\n";
/// What is signed begins with this, so that a signature means nothing elsewhere.
const CONTEXT: &str = "factory record 1";

/// Signs what is written, and takes what nobody trusted has signed for absent.
///
/// Such a record costs a line in the log and the work of making it again; the new one takes its place. Values may be as
/// long as those of the store beneath, less some 120 bytes.
///
/// What it cannot notice: that a record is gone, and that one is put back which a trusted factory wrote under the same
/// name before.
pub struct SignedRecords {
    inner: Arc<dyn RecordStore>,
    own: SigningKey,
    trusted: HashMap<Digest, PublicKey>,
}

impl fmt::Debug for SignedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner, own, .. } = self;
        f.debug_struct("SignedRecords").field("inner", inner).field("own", &own.id()).finish_non_exhaustive()
    }
}

/// Why a record is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It has no signature, or half of one.
    Unsigned,
    /// It names a key that is not trusted.
    Stranger,
    /// The signature is of something else: it was changed, or was written under another name.
    Forged,
}

impl Doubt {
    const fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Stranger => "stranger",
            Self::Forged => "forged",
        }
    }
}

impl SignedRecords {
    /// Records in `inner`, signed with `own` and believed when that or one of `trusted` signed them.
    #[must_use]
    pub fn new(inner: Arc<dyn RecordStore>, own: SigningKey, trusted: &[PublicKey]) -> Self {
        let keys = trusted.iter().chain([own.public_key()]);
        let trusted = keys.map(|key| (key.id().digest(), key.clone())).collect();
        Self { inner, own, trusted }
    }

    fn seal(&self, kind: RecordKind, key: Digest, value: &[u8]) -> io::Result<Bytes> {
        let signature = self.own.sign(&statement(kind, key, value)).map_err(io::Error::other)?;
        let length = u8::try_from(signature.len()).map_err(io::Error::other)?;
        let id = self.own.id().digest();
        Ok([MAGIC, id.as_bytes(), &[length], &signature, value].concat().into())
    }

    fn open(&self, kind: RecordKind, key: Digest, record: &Bytes) -> Result<Bytes, Doubt> {
        let Sealed { signer, signature, value } = Sealed::read(record).ok_or(Doubt::Unsigned)?;
        let signer = self.trusted.get(&signer).ok_or(Doubt::Stranger)?;
        signer.verify(&statement(kind, key, value), signature).map_err(|_| Doubt::Forged)?;
        Ok(record.slice_ref(value))
    }
}

struct Sealed<'a> {
    signer: Digest,
    signature: &'a [u8],
    value: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn read(record: &'a [u8]) -> Option<Self> {
        let (signer, rest) = record.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first()?;
        let (signature, value) = rest.split_at_checked(usize::from(*length))?;
        Some(Self { signer: Digest::from_bytes(*signer), signature, value })
    }
}

fn statement(kind: RecordKind, key: Digest, value: &[u8]) -> Vec<u8> {
    let mut statement = CanonicalWriter::new(CONTEXT);
    statement.text(kind.0).digests(&[key, Digest::of(value)]);
    statement.finish()
}

#[async_trait]
impl RecordStore for SignedRecords {
    async fn get(&self, kind: RecordKind, key: Digest) -> Result<Option<Bytes>, RecordError> {
        let Some(record) = self.inner.get(kind, key).await? else { return Ok(None) };
        match self.open(kind, key, &record) {
            Ok(value) => Ok(Some(value)),
            Err(doubt) => {
                let (kind, reason) = (kind.0, doubt.name());
                metrics::record_refused(kind, reason);
                tracing::warn!(kind, %key, reason, "a record is not believed and counts as absent");
                Ok(None)
            }
        }
    }

    async fn put(&self, kind: RecordKind, key: Digest, value: Bytes) -> Result<(), RecordError> {
        let sealed = self.seal(kind, key, &value);
        let sealed = sealed.map_err(|source| RecordError::Write { kind: kind.0, key, source })?;
        self.inner.put(kind, key, sealed).await
    }
}

#[cfg(test)]
mod tests;
