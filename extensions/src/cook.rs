//! Cooking: what must be computed once per extension, and is then a blob for ever.

mod error;
mod extension;

use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use builder::format::compress;
use builder::format::crc32::Checksums;
use builder::format::squashfs::{self, Codec};
use builder::image::VirtualImage;
use builder::plan::CanonicalWriter;
use builder::store::{Blob, BlobStore, DirStore, RecordKind, RecordStore};
use builder::tree::Tree;
use bytes::Bytes;
use moka::future::Cache;
use schematics::{Arch, Blamed, Digest, Feature, TalosVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::sync::{OnceCell, Semaphore};

use crate::manifest::ExtensionManifest;
use crate::turns::Turns;

pub use error::CookError;

/// Raise it when the same inputs are cooked to other bytes, or the record of them changes.
const REVISION: u64 = 1;
/// How many cooked extensions are remembered in memory, besides the records.
const REMEMBERED: u64 = 1024;
const EXTENSION: RecordKind = RecordKind("extension");

/// A squashfs image that is ready to be a layer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CookedLayer {
    /// What the extension says about itself.
    pub manifest: ExtensionManifest,
    /// The image.
    pub squashfs: Blob,
    /// The CRC-32 of the image, which an xz stream around it needs.
    pub crc32: u32,
}

/// Firmware that goes into the initramfs itself, since the kernel wants it before the layers are mounted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Firmware {
    /// Directories without any file, by path and mode: what is left where there was microcode alone.
    Bare(Vec<(String, u16)>),
    /// A cpio archive, compressed as the initramfs of the version is.
    Member(Blob),
}

/// An extension, cooked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CookedExtension {
    /// Its layer.
    pub layer: CookedLayer,
    /// Its microcode for Intel processors.
    pub intel_microcode: Option<Blob>,
    /// Its microcode for AMD processors.
    pub amd_microcode: Option<Blob>,
    /// Its firmware.
    pub firmware: Option<Firmware>,
    /// The kernels it has modules for; `None` when it has no directory of modules at all.
    pub kernels: Option<Vec<String>>,
}

/// An extension image, by what decides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionImage {
    /// The name it was asked for by, for messages.
    pub name: String,
    /// The digest of the image or index.
    pub digest: Digest,
    /// The processor it is for.
    pub arch: Arch,
}

/// How things are cooked.
#[derive(Debug, Clone)]
pub struct CookOptions {
    /// The zstd level of layers and firmware; changes the bytes.
    pub level: i32,
    /// How many threads compress one layer.
    pub threads: NonZeroUsize,
    /// How many things are cooked at a time.
    pub parallel: NonZeroUsize,
    /// Where intermediate files are put. They are removed when a cook ends; what a process that died left there is for
    /// the owner of the directory to remove.
    pub work: PathBuf,
}

/// Cooks extensions and remembers what came out.
///
/// Whoever asks for something that is being cooked waits for it; when the one who asked first goes away, the next in
/// line cooks. Nothing that failed is remembered.
#[derive(Debug, Clone)]
pub struct Kitchen {
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) records: Arc<dyn RecordStore>,
    pub(crate) options: CookOptions,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) checksums: Arc<Checksums>,
    pub(crate) turns: Turns,
    extensions: Cache<Digest, Arc<CookedExtension>>,
    pub(crate) combined: Cache<Digest, Arc<CookedLayer>>,
    /// What depmod said about its version when it was first asked.
    pub(crate) depmod: Arc<OnceCell<String>>,
}

impl Kitchen {
    /// A kitchen that puts blobs into `store` and remembers them in `records`.
    #[must_use]
    pub fn new(store: Arc<dyn BlobStore>, records: Arc<dyn RecordStore>, options: CookOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.parallel.get()));
        let (extensions, combined) = (Cache::new(REMEMBERED), Cache::new(REMEMBERED));
        let (checksums, turns, depmod) = (Arc::default(), Turns::default(), Arc::default());
        Self { store, records, options, places, checksums, turns, extensions, combined, depmod }
    }

    /// The extension of an image, cooked for a version. `fetch` is called when it has to be cooked; it puts the contents
    /// of the image's files into the store it is given.
    ///
    /// Whether the extension accepts the version is not checked here.
    ///
    /// # Errors
    /// When the image cannot be fetched, is no extension, or cannot be cooked.
    pub async fn extension<F, E>(
        &self,
        image: &ExtensionImage,
        version: &TalosVersion,
        fetch: impl FnOnce(Arc<dyn BlobStore>) -> F + Send,
    ) -> Result<Arc<CookedExtension>, Arc<CookError>>
    where
        F: Future<Output = Result<Tree, E>> + Send,
        E: Blamed + Error + Send + Sync + 'static,
    {
        let mut key = self.key("extension", version);
        key.digests(&[image.digest]).text(image.arch.name());
        let key = Digest::of(&key.finish());
        let cooked = async {
            if let Some(known) = self.recall(EXTENSION, key).await? {
                return Ok(Arc::new(known));
            }
            let cooked = self.cook_extension(image, version, fetch).await?;
            self.remember(EXTENSION, key, &cooked).await?;
            Ok(Arc::new(cooked))
        };
        self.forget_broken(&self.extensions, key).await?;
        self.extensions.try_get_with(key, Box::pin(cooked)).await
    }

    /// A tree as a layer. Not remembered: for trees so small that looking them up would cost as much.
    ///
    /// # Errors
    /// When the tree cannot be cooked.
    pub async fn layer(
        &self,
        manifest: ExtensionManifest,
        rootfs: &Tree,
        contents: &Arc<dyn BlobStore>,
        version: &TalosVersion,
    ) -> Result<CookedLayer, CookError> {
        let CookOptions { threads, work, .. } = &self.options;
        let options =
            squashfs::Options { codec: self.codec(version), threads: *threads, spool: Some(work.clone()) };
        let squashfs = squashfs::cook(rootfs, options, contents, &self.store).await?;
        let crc32 = self.checksums.crc32(&VirtualImage::from_blob(squashfs), &self.store).await?;
        Ok(CookedLayer { manifest, squashfs, crc32 })
    }

    fn codec(&self, version: &TalosVersion) -> Codec {
        if version.supports(Feature::Zstd) { Codec::Zstd { level: self.options.level } } else { Codec::Xz }
    }

    /// A key that already says all that the way of cooking decides.
    pub(crate) fn key(&self, what: &str, version: &TalosVersion) -> CanonicalWriter {
        let mut key = CanonicalWriter::new("factory cook 1");
        key.text(what).number(REVISION).text(&compress::revision());
        key.text(&format!("{:?}", self.codec(version)));
        key.number(u64::from(version.supports(Feature::UsrMerge)));
        key
    }

    /// What a record says; `None` when there is none, when it is not one of ours, or a blob it names is gone.
    pub(crate) async fn recall<T: DeserializeOwned + HasBlobs>(
        &self,
        kind: RecordKind,
        key: Digest,
    ) -> Result<Option<T>, CookError> {
        let Some(bytes) = self.records.get(kind, key).await? else { return Ok(None) };
        let Ok(known) = serde_json::from_slice::<T>(&bytes) else { return Ok(None) };
        Ok(self.is_whole(&known).await?.then_some(known))
    }

    async fn is_whole(&self, known: &impl HasBlobs) -> Result<bool, CookError> {
        for blob in known.blobs() {
            if self.store.size(blob.digest).await? != Some(blob.size) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes out of memory what can no longer be used, since what was cooked may be dropped from the store at any time.
    pub(crate) async fn forget_broken<T: HasBlobs + Send + Sync + 'static>(
        &self,
        cache: &Cache<Digest, Arc<T>>,
        key: Digest,
    ) -> Result<(), CookError> {
        if let Some(known) = cache.get(&key).await
            && !self.is_whole(&*known).await?
        {
            cache.invalidate(&key).await;
        }
        Ok(())
    }

    pub(crate) async fn remember<T: Serialize + Sync>(
        &self,
        kind: RecordKind,
        key: Digest,
        value: &T,
    ) -> Result<(), CookError> {
        let bytes = serde_json::to_vec(value).map_err(CookError::Encode)?;
        Ok(self.records.put(kind, key, Bytes::from(bytes)).await?)
    }

    /// A private directory and a store in it, both gone when the directory is dropped.
    pub(crate) async fn scratch(&self) -> Result<(TempDir, Arc<dyn BlobStore>), CookError> {
        let work = self.options.work.clone();
        let made = tokio::task::spawn_blocking(move || {
            fs_err::create_dir_all(&work)?;
            let dir = tempfile::Builder::new().prefix("cook-").tempdir_in(&work)?;
            let store: Arc<dyn BlobStore> = Arc::new(DirStore::open(dir.path().join("blobs"))?);
            io::Result::Ok((dir, store))
        });
        made.await.map_err(io::Error::other).and_then(|made| made).map_err(CookError::Scratch)
    }
}

/// Something that is good only while its blobs are in the store.
pub(crate) trait HasBlobs: Sync {
    /// The blobs.
    fn blobs(&self) -> Vec<Blob>;
}

impl HasBlobs for Blob {
    fn blobs(&self) -> Vec<Blob> {
        vec![*self]
    }
}

impl HasBlobs for CookedLayer {
    fn blobs(&self) -> Vec<Blob> {
        vec![self.squashfs]
    }
}

impl HasBlobs for CookedExtension {
    fn blobs(&self) -> Vec<Blob> {
        let member = match self.firmware {
            Some(Firmware::Member(blob)) => Some(blob),
            Some(Firmware::Bare(_)) | None => None,
        };
        let optional = [self.intel_microcode, self.amd_microcode, member];
        optional.into_iter().flatten().chain([self.layer.squashfs]).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
