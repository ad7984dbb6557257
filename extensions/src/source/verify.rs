//! Checking bytes while they pass.

use builder::store::Blob;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use schematics::Digest;
use sha2::{Digest as _, Sha256};

use super::{BlobStream, PullError};

struct Check {
    bytes: BlobStream,
    hasher: Sha256,
    seen: u64,
    blob: Blob,
}

/// The same bytes; an error instead of the end when they are not `blob`, and at once when there are too many.
pub(crate) fn verified(bytes: BlobStream, blob: Blob) -> BlobStream {
    let check = Check { bytes, hasher: Sha256::new(), seen: 0, blob };
    stream::try_unfold(check, |mut check| async move {
        match check.bytes.try_next().await? {
            Some(piece) => {
                check.take(&piece)?;
                Ok(Some((piece, check)))
            }
            None => check.end().map(|()| None),
        }
    })
    .boxed()
}

impl Check {
    fn take(&mut self, piece: &Bytes) -> Result<(), PullError> {
        self.seen += piece.len() as u64;
        if self.seen > self.blob.size {
            return Err(self.wrong_length());
        }
        self.hasher.update(piece);
        Ok(())
    }

    fn end(self) -> Result<(), PullError> {
        if self.seen != self.blob.size {
            return Err(self.wrong_length());
        }
        let found = Digest::from_bytes(self.hasher.finalize().into());
        let expected = self.blob.digest;
        if found == expected { Ok(()) } else { Err(PullError::Mismatch { expected, found }) }
    }

    fn wrong_length(&self) -> PullError {
        PullError::Length { digest: self.blob.digest, expected: self.blob.size, found: self.seen }
    }
}

/// All bytes of a stream in memory, at most `limit`; `what` names them in errors.
///
/// # Errors
/// When the stream fails, or is longer.
pub async fn within(
    mut bytes: BoxStream<'_, Result<Bytes, PullError>>,
    limit: u64,
    what: &str,
) -> Result<Bytes, PullError> {
    let mut all = Vec::new();
    while let Some(piece) = bytes.try_next().await? {
        if (all.len() + piece.len()) as u64 > limit {
            return Err(PullError::TooLarge { what: what.to_owned(), limit });
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(pieces: &'static [&'static [u8]], blob: Blob) -> Result<Vec<Bytes>, PullError> {
        let bytes = stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece)))).boxed();
        verified(bytes, blob).try_collect().await
    }

    #[tokio::test]
    async fn only_the_announced_bytes_pass() {
        let blob = Blob { digest: Digest::of(b"abcdef"), size: 6 };
        assert!(outcome(&[b"abc", b"def"], blob).await.is_ok());
        assert!(matches!(outcome(&[b"abc"], blob).await, Err(PullError::Length { found: 3, .. })));
        assert!(matches!(outcome(&[b"abc", b"defg"], blob).await, Err(PullError::Length { found: 7, .. })));
        assert!(matches!(outcome(&[b"abcdeF"], blob).await, Err(PullError::Mismatch { .. })));
    }

    #[tokio::test]
    async fn bytes_in_memory_are_bounded() {
        let stream = || stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
        assert_eq!(within(stream(), 3, "x").await.unwrap(), "abc");
        assert!(matches!(within(stream(), 2, "x").await, Err(PullError::TooLarge { limit: 2, .. })));
    }
}
