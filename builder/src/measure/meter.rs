//! Digests of contents that are too large to be computed twice.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use moka::future::Cache;
use schematics::{Blame, Blamed, Digest};

use super::banks::{BankDigests, BankHashers};
use crate::image::{Source, VirtualImage};
use crate::store::{BlobStore, StoreError};

/// Where a stretch this long ends, it is worth remembering how far the digests are: a release's kernel or initramfs.
const WORTH_REMEMBERING: u64 = 1 << 20;
/// The most places in one content that are remembered, its end included.
const MAX_STOPS: usize = 8;
/// How many states of digests are remembered, of less than a kilobyte each.
const REMEMBERED: u64 = 1024;

/// A content cannot be measured, since its bytes cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read what is to be measured")]
pub struct MeasureError(#[source] Arc<StoreError>);

impl Blamed for MeasureError {
    fn blame(&self) -> Blame {
        self.0.blame()
    }
}

/// Computes digests of contents in all banks at once, in one pass, at constant memory.
///
/// It remembers how far the digests were at the end of every large content and of every large blob in front of it. So the
/// kernel and the initramfs of a release are read once, whatever is appended to the initramfs later, and an initramfs that
/// is used with many command lines once too. Who asks for what is being computed waits for it. Clones share what is
/// remembered.
#[derive(Debug, Clone)]
pub struct Meter {
    store: Arc<dyn BlobStore>,
    reached: Cache<Digest, BankHashers>,
}

impl Meter {
    /// A meter for contents in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn BlobStore>) -> Self {
        Self { store, reached: Cache::new(REMEMBERED) }
    }

    /// The digests of all bytes of `content`.
    ///
    /// # Errors
    /// When a blob of it cannot be read. Nothing is remembered then.
    pub async fn digests(&self, content: &VirtualImage) -> Result<BankDigests, MeasureError> {
        let stops = stops(content);
        let state = self.reach(content, &stops).await?;
        let rest = stops.last().copied().unwrap_or(0)..content.len();
        Ok(self.hash(state, &content.part(rest)).await?.finish())
    }

    /// The digests' state at the last of `stops`, from what is remembered, or from the state at the stop before it.
    fn reach<'a>(
        &'a self,
        content: &'a VirtualImage,
        stops: &'a [u64],
    ) -> BoxFuture<'a, Result<BankHashers, MeasureError>> {
        let Some((stop, earlier)) = stops.split_last() else {
            return futures::future::ready(Ok(BankHashers::default())).boxed();
        };
        let from = earlier.last().copied().unwrap_or(0);
        let key = content.part(0..*stop).manifest_digest();
        let compute = async move {
            let state = self.reach(content, earlier).await?;
            self.hash(state, &content.part(from..*stop)).await
        };
        let found = self.reached.try_get_with(key, compute);
        found.map(|result| result.map_err(Arc::unwrap_or_clone)).boxed()
    }

    /// `state` after all bytes of `content`.
    async fn hash(&self, state: BankHashers, content: &VirtualImage) -> Result<BankHashers, MeasureError> {
        let hashed = content.fold(&self.store, state, |state, bytes| state.update(bytes)).await;
        hashed.map_err(|error| MeasureError(Arc::new(error)))
    }
}

/// The places in `content` where the state of its digests is worth remembering, in order.
fn stops(content: &VirtualImage) -> Vec<u64> {
    let large = content
        .extents()
        .iter()
        .filter(|extent| extent.len() >= WORTH_REMEMBERING && matches!(extent.source(), Source::Blob { .. }));
    let mut stops: Vec<u64> = large.map(|extent| extent.end()).take(MAX_STOPS - 1).collect();
    if content.len() >= WORTH_REMEMBERING && stops.last() != Some(&content.len()) {
        stops.push(content.len());
    }
    stops
}

#[cfg(test)]
mod tests;
