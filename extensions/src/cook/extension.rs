//! One extension image, from its files to blobs.

use std::error::Error;
use std::sync::Arc;

use builder::format::{compress, cpio};
use builder::image::VirtualImage;
use builder::store::{Blob, BlobStore, BlobStoreExt as _};
use builder::tree::{Node, Tree};
use schematics::{Blamed, Feature, TalosVersion};

use super::{CookError, CookedExtension, ExtensionImage, Firmware, Kitchen};
use crate::manifest::{ExtensionManifest, MAX_MANIFEST, ManifestError};
use crate::parts::{Parts, Places, take_apart};

/// More directories than this go into a member although there is no file in them; records are small.
const MAX_BARE: usize = 256;

impl Kitchen {
    pub(super) async fn cook_extension<F, E>(
        &self,
        image: &ExtensionImage,
        version: &TalosVersion,
        fetch: impl FnOnce(Arc<dyn BlobStore>) -> F,
    ) -> Result<CookedExtension, CookError>
    where
        F: Future<Output = Result<Tree, E>>,
        E: Blamed + Error + Send + Sync + 'static,
    {
        let _place = self.places.acquire().await.map_err(|_| CookError::Closed)?;
        let (_dir, scratch) = self.scratch().await?;
        let name = || image.name.clone();
        let tree = fetch(Arc::clone(&scratch)).await.map_err(|error| CookError::Fetch {
            name: name(),
            blame: error.blame(),
            source: Box::new(error),
        })?;
        let parts = take_apart(tree, Places::of(version))
            .map_err(|source| CookError::Layout { name: name(), source })?;
        let manifest = read_manifest(&parts.manifest, &scratch, &image.name).await?;
        let (layer, firmware) = tokio::try_join!(
            self.layer(manifest, &parts.layer, &scratch, version),
            self.firmware(&parts, &scratch, version, &image.name),
        )?;
        Ok(CookedExtension {
            layer,
            intel_microcode: self.keep(&parts.intel_microcode, &scratch).await?,
            amd_microcode: self.keep(&parts.amd_microcode, &scratch).await?,
            firmware,
            kernels: parts.kernels,
        })
    }

    async fn firmware(
        &self,
        parts: &Parts,
        scratch: &Arc<dyn BlobStore>,
        version: &TalosVersion,
        name: &str,
    ) -> Result<Option<Firmware>, CookError> {
        let Some(tree) = &parts.firmware else { return Ok(None) };
        if let Some(bare) = bare_directories(tree) {
            return Ok(Some(Firmware::Bare(bare)));
        }
        let archive =
            cpio::lay_out(tree, 0).map_err(|source| CookError::Firmware { name: name.to_owned(), source })?;
        let member = if version.supports(Feature::Zstd) {
            compress::cook_zstd(&archive, self.options.level, scratch, &self.store).await?
        } else {
            compress::cook_xz(&archive, scratch, &self.store).await?
        };
        Ok(Some(Firmware::Member(member)))
    }

    /// Copies an image out of the scratch store; nothing when it is empty.
    async fn keep(
        &self,
        image: &VirtualImage,
        scratch: &Arc<dyn BlobStore>,
    ) -> Result<Option<Blob>, CookError> {
        if image.is_empty() {
            return Ok(None);
        }
        let bytes = image.read(Arc::clone(scratch), 0..image.len());
        Ok(Some(self.store.put_stream(bytes).await?))
    }
}

async fn read_manifest(
    file: &VirtualImage,
    scratch: &Arc<dyn BlobStore>,
    name: &str,
) -> Result<ExtensionManifest, CookError> {
    let wrong = |source| CookError::Manifest { name: name.to_owned(), source };
    if file.len() > MAX_MANIFEST {
        return Err(wrong(ManifestError::TooLarge { size: file.len() }));
    }
    let bytes = file.read_all(scratch, MAX_MANIFEST).await?;
    ExtensionManifest::read(&bytes).map_err(wrong)
}

/// The directories of a tree without files, unless they are too many.
fn bare_directories(tree: &Tree) -> Option<Vec<(String, u16)>> {
    let entries = tree.walk();
    if entries.len() > MAX_BARE {
        return None;
    }
    let mode = |(path, node): (String, &Node)| match node {
        Node::Dir(dir) => Some((path, dir.meta.mode)),
        Node::File(_) | Node::Symlink(_) => None,
    };
    entries.into_iter().map(mode).collect()
}
