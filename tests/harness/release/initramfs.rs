//! The initramfs of a release: `init` and the squashfs of the root file system.

use std::sync::Arc;

use builder::format::squashfs::{self, Codec, Options};
use builder::format::{compress, cpio};
use builder::store::Blob;
use builder::tree::Tree;
use builder::{BlobStore, BlobStoreExt as _, VirtualImage};
use schematics::Arch;

use super::{Era, elf, sbom};
use crate::server::Anything;

/// The release of the kernel, the name of its module directory.
pub const KERNEL_RELEASE: &str = "6.12.0-tiny";
/// More than any file here.
const LIMIT: u64 = 1 << 20;

/// The bytes of `initramfs.xz`.
pub(super) async fn make(era: Era, arch: Arch, store: &Arc<dyn BlobStore>) -> Result<Vec<u8>, Anything> {
    let rootfs = rootfs(era, arch, store).await?;
    let mut tree = Tree::default();
    tree.insert_file("init", 0o755, VirtualImage::from_bytes(format!("the init for {arch}\n")))?;
    tree.insert_file("rootfs.sqsh", 0o644, VirtualImage::from_blob(rootfs))?;
    let archive = cpio::lay_out(&tree, 0)?;
    let compressed = if era.zstd {
        compress::cook_zstd(&archive, 3, store, store).await?
    } else {
        compress::cook_xz(&archive, store, store).await?
    };
    Ok(store.read_all(compressed.digest, LIMIT).await?.to_vec())
}

async fn rootfs(era: Era, arch: Arch, store: &Arc<dyn BlobStore>) -> Result<Blob, Anything> {
    let modules = format!("{}/modules/{KERNEL_RELEASE}", era.lib());
    let mut tree = Tree::default();
    let mut add =
        |path: &str, content: Vec<u8>| tree.insert_file(path, 0o644, VirtualImage::from_bytes(content));
    add("sbin/init", format!("the machine's init for {arch}").into_bytes())?;
    add(&format!("{modules}/kernel/base.ko"), elf::module(&["license=GPL", "alias=base"]))?;
    add(&format!("{modules}/modules.order"), b"kernel/base.ko\n".to_vec())?;
    add(&format!("{modules}/modules.builtin"), Vec::new())?;
    add(&format!("{modules}/modules.builtin.modinfo"), Vec::new())?;
    if era.sbom {
        add("usr/share/spdx/talos.spdx.json", sbom::document("talos", &["containerd", "linux"]))?;
        add("usr/share/spdx/README", b"not a document".to_vec())?;
    }
    let codec = if era.zstd { Codec::Zstd { level: 3 } } else { Codec::Xz };
    Ok(squashfs::cook(&tree, Options { codec, ..Options::default() }, store, store).await?)
}
