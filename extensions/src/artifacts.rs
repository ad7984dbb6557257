//! What a Talos release consists of: kernel, initramfs, and systemd's EFI programs.

use std::sync::Arc;

use builder::store::{Blob, BlobStore, BlobStoreExt as _, RecordKind, StoreError};
use builder::tree::{Node, Tree};
use schematics::{Arch, Blame, Blamed, Digest, Feature, TalosVersion};

use crate::cook::{CookError, HasBlobs, Kitchen};
use crate::pull::{Limits, platform_image, pull_platform};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError};

/// Where a release image keeps them, below a directory per architecture.
const ROOT: &str = "usr/install";
/// Release images are made for amd64 and carry the files of every architecture.
const IMAGE_ARCH: Arch = Arch::Amd64;
const KIND: RecordKind = RecordKind("artifacts");

/// The files of a release for one architecture, as blobs of the main store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Artifacts {
    /// `vmlinuz`.
    pub kernel: Blob,
    /// `initramfs.xz`, whatever it is compressed with.
    pub initramfs: Blob,
    /// `systemd-stub.efi`, from 1.5.
    pub systemd_stub: Option<Blob>,
    /// `systemd-boot.efi`, from 1.5.
    pub systemd_boot: Option<Blob>,
}

impl HasBlobs for Artifacts {
    fn blobs(&self) -> Vec<Blob> {
        [Some(self.kernel), Some(self.initramfs), self.systemd_stub, self.systemd_boot]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Why the files of a release could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactsError {
    /// The image could not be pulled.
    #[error("could not pull the release image {image}")]
    Pull {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The image misses a file.
    #[error("the release image {image} has no file `{path}`")]
    NoFile {
        /// The image.
        image: ImageRef,
        /// The file.
        path: String,
    },
    /// Our store failed.
    #[error("could not keep `{path}` of the release image")]
    Store {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Our records or the work directory failed.
    #[error("could not prepare the files of the release image")]
    Kitchen(#[from] CookError),
}

impl Blamed for ArtifactsError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pull { source, .. } => source.blame(),
            Self::NoFile { .. } => Blame::Upstream,
            Self::Store { source, .. } => source.blame(),
            Self::Kitchen(error) => error.blame(),
        }
    }
}

/// The files of a release image for an architecture; pulled once, then remembered by the image's digest.
///
/// Whoever asks while it is being pulled waits for it.
///
/// # Errors
/// When the image cannot be had or misses a file its version must have.
pub async fn artifacts(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    image: &ImageRef,
    wanted: (&TalosVersion, Arch),
) -> Result<Artifacts, ArtifactsError> {
    let (version, arch) = wanted;
    let mut key = kitchen.key("artifacts", version);
    key.digests(&[image.digest]).text(arch.name());
    let key = Digest::of(&key.finish());
    let _turn = kitchen.turns.wait(key).await;
    if let Some(known) = kitchen.recall::<Artifacts>(KIND, key).await? {
        return Ok(known);
    }
    let (_dir, scratch) = kitchen.scratch().await?;
    let pulled = |source| ArtifactsError::Pull { image: image.clone(), source };
    let platform = platform_image(source, image, IMAGE_ARCH).await.map_err(pulled)?;
    let below = format!("{ROOT}/{arch}");
    let tree = pull_platform(source, &platform, &scratch, limits, Some(&below)).await.map_err(pulled)?.tree;
    let files = Files { tree: &tree, scratch: &scratch, store: &kitchen.store, image, arch };
    let uki = version.supports(Feature::Uki);
    let artifacts = Artifacts {
        kernel: files.keep("vmlinuz").await?,
        initramfs: files.keep("initramfs.xz").await?,
        systemd_stub: if uki { Some(files.keep("systemd-stub.efi").await?) } else { None },
        systemd_boot: if uki { Some(files.keep("systemd-boot.efi").await?) } else { None },
    };
    kitchen.remember(KIND, key, &artifacts).await?;
    Ok(artifacts)
}

struct Files<'a> {
    tree: &'a Tree,
    scratch: &'a Arc<dyn BlobStore>,
    store: &'a Arc<dyn BlobStore>,
    image: &'a ImageRef,
    arch: Arch,
}

impl Files<'_> {
    /// Copies one file into the main store.
    async fn keep(&self, name: &str) -> Result<Blob, ArtifactsError> {
        let path = format!("{ROOT}/{}/{name}", self.arch);
        let Some(Node::File(file)) = self.tree.get(&path) else {
            return Err(ArtifactsError::NoFile { image: self.image.clone(), path });
        };
        let bytes = file.content.read(Arc::clone(self.scratch), 0..file.content.len());
        self.store.put_stream(bytes).await.map_err(|source| ArtifactsError::Store { path, source })
    }
}

#[cfg(test)]
mod tests;
