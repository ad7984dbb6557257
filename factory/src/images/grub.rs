//! GRUB's core images: cooked once per process, as they depend on GRUB's files alone.

use std::sync::Arc;

use builder::format::grub::BiosImages;
use builder::plan::Kind;
use builder::recipe::iso::{GrubImages, IsoLayout};
use builder::{Blob, VirtualImage};
use schematics::{Arch, Digest};
use tokio::sync::OnceCell;

use super::Images;
use super::error::OpenError;
use super::request::Request;

/// What was cooked so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cores {
    bios: Arc<OnceCell<BiosImages>>,
    amd64: Arc<OnceCell<Blob>>,
    arm64: Arc<OnceCell<Blob>>,
}

/// Which of them a layout has on an architecture: for a BIOS, and for UEFI.
const fn parts(layout: IsoLayout, arch: Arch) -> (bool, bool) {
    let amd64 = matches!(arch, Arch::Amd64);
    match layout {
        IsoLayout::UefiOnly => (false, false),
        IsoLayout::Hybrid => (amd64, false),
        IsoLayout::Grub => (amd64, true),
    }
}

impl Images {
    /// The digests of the core images that a request's image contains.
    pub(super) async fn grub_digests(&self, request: &Request<'_>) -> Result<Vec<Digest>, OpenError> {
        let layout = match request.kind {
            Kind::HybridIso => IsoLayout::Hybrid,
            Kind::GrubIso => IsoLayout::Grub,
            Kind::Kernel
            | Kind::Initramfs
            | Kind::Cmdline
            | Kind::Uki
            | Kind::Addon
            | Kind::UefiIso
            | Kind::InstallerLayer
            | Kind::OverlayLayer
            | Kind::InstallerArchive => return Ok(Vec::new()),
        };
        let arch = request.target.arch;
        let (bios, efi) = parts(layout, arch);
        let mut digests = Vec::new();
        if bios {
            let images = self.bios().await?;
            digests.extend([images.core.digest, images.bootstrap.digest]);
        }
        if efi {
            digests.push(self.efi(arch).await?.digest);
        }
        Ok(digests)
    }

    /// The core images of a layout, ready to be laid out.
    pub(super) async fn grub_images(&self, arch: Arch, layout: IsoLayout) -> Result<GrubImages, OpenError> {
        let (bios, efi) = parts(layout, arch);
        let mut images = GrubImages::default();
        if bios {
            let cooked = self.bios().await?;
            if self.dropped(&[cooked.core, cooked.bootstrap]).await? {
                let again = self.settings.grub.cook_bios(self.store.as_ref()).await;
                again.map_err(|error| OpenError::input("GRUB", error))?;
            }
            let loaded = cooked.load(self.store.as_ref()).await;
            images.bios = Some(loaded.map_err(|error| OpenError::input("GRUB", error))?);
        }
        if efi {
            let cooked = self.efi(arch).await?;
            if self.dropped(&[cooked]).await? {
                let again = self.settings.grub.cook_efi(arch, self.store.as_ref()).await;
                again.map_err(|error| OpenError::input("GRUB", error))?;
            }
            images.efi = Some(VirtualImage::from_blob(cooked));
        }
        Ok(images)
    }

    /// Whether one of the blobs is no longer in the store as it was; cooked again, it has the same bytes.
    async fn dropped(&self, blobs: &[Blob]) -> Result<bool, OpenError> {
        for blob in blobs {
            let size = self.store.size(blob.digest).await;
            if size.map_err(|error| OpenError::input("GRUB", error))? != Some(blob.size) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn bios(&self) -> Result<BiosImages, OpenError> {
        let cook = || self.settings.grub.cook_bios(self.store.as_ref());
        let cooked = self.grub.bios.get_or_try_init(cook).await;
        cooked.copied().map_err(|error| OpenError::input("GRUB", error))
    }

    async fn efi(&self, arch: Arch) -> Result<Blob, OpenError> {
        let cell = match arch {
            Arch::Amd64 => &self.grub.amd64,
            Arch::Arm64 => &self.grub.arm64,
        };
        let cooked = cell.get_or_try_init(|| self.settings.grub.cook_efi(arch, self.store.as_ref())).await;
        cooked.copied().map_err(|error| OpenError::input("GRUB", error))
    }
}
