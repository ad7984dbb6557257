//! The index of all kernel modules: those of the release and those of the extensions together.
//!
//! The kernel's tools find modules by index files in the directory of the modules. Extensions add modules in layers of
//! their own, so the index has to be made again over everything, by the tool whose format it is: `depmod`.

mod depmod;
mod error;
mod gather;

use std::sync::Arc;

use builder::image::{BlockingReader, VirtualImage};
use builder::store::{Blob, BlobStore, BlobStoreExt as _, RecordKind};
use builder::tree::Tree;
use bytes::Bytes;
use schematics::{Digest, TalosVersion};
use tokio::runtime::Handle;

use crate::cook::{CookError, CookedExtension, CookedLayer, Kitchen};
use crate::initramfs::find_file;
use crate::manifest::ExtensionManifest;
use crate::parts::Places;

pub use depmod::find as find_depmod;
pub use error::ModulesError;
use gather::Gathered;

const COMBINED: RecordKind = RecordKind("modules");
const ROOTFS: RecordKind = RecordKind("rootfs");
/// The root file system inside the initramfs of a release.
const ROOTFS_NAME: &str = "rootfs.sqsh";
/// How much of it is stored at a time.
const PIECE: usize = 256 * 1024;

impl Kitchen {
    /// What `depmod` says about its version; part of what decides the bytes of an index.
    ///
    /// # Errors
    /// When it is missing or does not answer.
    pub async fn depmod_version(&self) -> Result<&str, ModulesError> {
        self.depmod.get_or_try_init(depmod::version).await.map(String::as_str)
    }
}

/// The extension with the index, if any of `extensions` has modules. `initramfs` is the release's own.
///
/// # Errors
/// When an extension has modules for other kernels alone, or `depmod` fails or is missing.
pub async fn modules_dep(
    kitchen: &Kitchen,
    initramfs: Blob,
    extensions: &[Arc<CookedExtension>],
    version: &TalosVersion,
) -> Result<Option<Arc<CookedLayer>>, Arc<ModulesError>> {
    let with_modules: Vec<&CookedExtension> =
        extensions.iter().map(AsRef::as_ref).filter(|extension| extension.kernels.is_some()).collect();
    if with_modules.is_empty() {
        return Ok(None);
    }
    let depmod = kitchen.depmod_version().await.map_err(Arc::new)?;
    let mut key = kitchen.key("modules", version);
    key.text(depmod).digests(&[initramfs.digest]);
    key.digests(&with_modules.iter().map(|extension| extension.layer.squashfs.digest).collect::<Vec<_>>());
    let key = Digest::of(&key.finish());
    let cooked = async {
        if let Some(known) = kitchen.recall(COMBINED, key).await? {
            return Ok(Arc::new(known));
        }
        let cooked = combine(kitchen, initramfs, &with_modules, version).await?;
        kitchen.remember(COMBINED, key, &cooked).await?;
        Ok(Arc::new(cooked))
    };
    kitchen.forget_broken(&kitchen.combined, key).await.map_err(|error| Arc::new(error.into()))?;
    kitchen.combined.try_get_with(key, Box::pin(cooked)).await.map(Some)
}

async fn combine(
    kitchen: &Kitchen,
    initramfs: Blob,
    extensions: &[&CookedExtension],
    version: &TalosVersion,
) -> Result<CookedLayer, ModulesError> {
    let _place = kitchen.places.acquire().await.map_err(|_| CookError::Closed)?;
    let rootfs = rootfs(kitchen, initramfs).await?;
    let (dir, scratch) = kitchen.scratch().await?;
    let places = Places::of(version);
    let gathered = Gathered::new(dir.path().join("tree"), places.modules);
    let kernel = gathered.base(rootfs, &kitchen.store).await?;
    for extension in extensions {
        gathered.extension(extension, &kernel, &kitchen.store).await?;
    }
    depmod::run(gathered.root(), &dir.path().join("depmod.conf"), &kernel).await?;
    let mut index = Tree::default();
    for (name, content) in gathered.index(&kernel).await? {
        let content = VirtualImage::from_blob(scratch.put(content).await.map_err(CookError::Store)?);
        let path = format!("{}/{kernel}/{name}", places.modules);
        index.insert_file(&path, 0o644, content).map_err(ModulesError::Name)?;
    }
    let layer = kitchen.layer(manifest(&kernel), &index, &scratch, version).await?;
    Ok(layer)
}

fn manifest(kernel: &str) -> ExtensionManifest {
    ExtensionManifest {
        name: "modules.dep".to_owned(),
        version: kernel.to_owned(),
        author: "Talos Machinery".to_owned(),
        description: "Combined modules.dep for all extensions".to_owned(),
        ..ExtensionManifest::default()
    }
}

/// The root file system of a release as a blob of its own.
pub(crate) async fn rootfs(kitchen: &Kitchen, initramfs: Blob) -> Result<Blob, ModulesError> {
    if let Some(known) = kitchen.recall(ROOTFS, initramfs.digest).await? {
        return Ok(known);
    }
    let (store, runtime) = (Arc::clone(&kitchen.store), Handle::current());
    let image = VirtualImage::from_blob(initramfs);
    let extract = move || {
        let reader = BlockingReader::new(&image, Arc::clone(&store), runtime.clone());
        find_file(reader, ROOTFS_NAME, |content| keep(content, &store, &runtime))
    };
    let found = tokio::task::spawn_blocking(extract).await.map_err(|_| ModulesError::Stopped)?;
    let rootfs = found.map_err(ModulesError::Initramfs)?;
    kitchen.remember(ROOTFS, initramfs.digest, &rootfs).await?;
    Ok(rootfs)
}

fn keep(
    content: &mut dyn std::io::Read,
    store: &Arc<dyn BlobStore>,
    runtime: &Handle,
) -> std::io::Result<Blob> {
    let mut writer = runtime.block_on(store.create()).map_err(std::io::Error::other)?;
    let mut piece = vec![0; PIECE];
    loop {
        let size = content.read(&mut piece)?;
        let Some(read) = piece.get(..size).filter(|read| !read.is_empty()) else { break };
        runtime.block_on(writer.write(Bytes::copy_from_slice(read))).map_err(std::io::Error::other)?;
    }
    runtime.block_on(writer.commit()).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests;
