//! What installers consist of, and whether all of it is there.

use std::sync::Arc;

use builder::VirtualImage;
use builder::store::Blob;
use extensions::oci::{self, MANIFEST};
use extensions::source;
use futures::{StreamExt as _, stream};
use schematics::Digest;

use super::entry::What;
use super::{BlobContent, Document, InstallerRepository, Installers, InstallersError};
use crate::images::Health;

impl Installers {
    /// A layer of a base installer, fetched again when it is no longer in the store.
    pub(super) async fn base_layer(&self, digest: Digest) -> Result<BlobContent, InstallersError> {
        let (repository, size) =
            self.entries.base(digest).await?.ok_or(InstallersError::NoBlob { digest })?;
        let blob = Blob { digest, size };
        if self.store.size(digest).await? != Some(size) {
            let (available, store) = (self.available.clone(), Arc::clone(&self.store));
            let fetch = || async move { source::copy(available.source(), &repository, blob, &store).await };
            let fetched = self.fetches.join(digest, fetch).await.map_err(|_| InstallersError::Abandoned)?;
            fetched.map_err(InstallersError::Base)?;
        }
        let layout = Arc::new(VirtualImage::from_blob(blob));
        Ok(BlobContent { digest, layout, health: Health::default() })
    }

    /// Whether everything an index or manifest refers to can be served.
    pub(super) async fn is_whole(
        &self,
        repository: InstallerRepository<'_>,
        document: &Document,
    ) -> Result<bool, InstallersError> {
        let Ok(told) = oci::Document::decode(&document.bytes, document.digest) else { return Ok(false) };
        let image = match told {
            oci::Document::Image(image) => image,
            oci::Document::Index(index) => {
                for entry in index.manifests {
                    let Some(found) = self.entries.get(repository, entry.digest).await? else {
                        return Ok(false);
                    };
                    let What::Document(inner) = found.what else { return Ok(false) };
                    // Only an index of images is ever told, so this ends.
                    if inner.media_type != MANIFEST || !Box::pin(self.is_whole(repository, &inner)).await? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
        };
        let parts = image.layers.into_iter().chain([image.config]);
        let served = stream::iter(parts.map(|part| self.blob(repository, part.digest)));
        Ok(served.buffered(2).all(|part| std::future::ready(part.is_ok())).await)
    }
}
