//! From a plan to an image: inputs are cooked, everything else is laid out.

use builder::plan::Kind;
use builder::recipe::iso::{self, Enroll, IsoInputs, IsoLayout};
use builder::recipe::uki::{self, UkiInputs};
use builder::tree::Tree;
use builder::{Blob, VirtualImage};
use bytes::Bytes;
use extensions::artifacts::Artifacts;
use extensions::layer_set::{LayerRequest, layer_set};
use futures::TryStreamExt as _;
use schematics::Schematic;

use super::error::OpenError;
use super::plan::Planned;
use super::{EPOCH, Images};

/// How much of a program's beginning is read: all headers are in it.
const HEAD: u64 = 64 * 1024;

impl Images {
    pub(super) async fn assemble(
        &self,
        planned: &Planned,
        schematic: &Schematic,
    ) -> Result<VirtualImage, OpenError> {
        let plan = &planned.plan;
        if plan.kind == Kind::Cmdline {
            return Ok(VirtualImage::from_bytes(plan.cmdline.clone()));
        }
        let artifacts = self.available.artifacts(&plan.version, plan.arch).await;
        let artifacts = artifacts.map_err(|error| OpenError::input("kernel", error))?;
        if plan.kind == Kind::Kernel {
            return Ok(VirtualImage::from_blob(artifacts.kernel));
        }
        let initramfs = self.initramfs(planned, schematic, artifacts).await?;
        match plan.kind {
            Kind::Kernel | Kind::Cmdline | Kind::Initramfs => Ok(initramfs),
            Kind::Uki => self.uki(planned, artifacts, &initramfs).await,
            Kind::UefiIso => self.iso(IsoLayout::UefiOnly, planned, artifacts, &initramfs).await,
            Kind::HybridIso => self.iso(IsoLayout::Hybrid, planned, artifacts, &initramfs).await,
            Kind::GrubIso => self.iso(IsoLayout::Grub, planned, artifacts, &initramfs).await,
        }
    }

    async fn initramfs(
        &self,
        planned: &Planned,
        schematic: &Schematic,
        artifacts: Artifacts,
    ) -> Result<VirtualImage, OpenError> {
        let request = LayerRequest {
            version: &planned.plan.version,
            arch: planned.plan.arch,
            extensions: &planned.extensions,
            schematic,
            external_url: &self.settings.external_url,
            initramfs: artifacts.initramfs,
        };
        let available = &self.available;
        let layers = layer_set(available.kitchen(), available.source(), available.limits(), &request).await;
        let layers = layers.map_err(|error| OpenError::input("system extensions", error))?;
        layers.initramfs(&VirtualImage::from_blob(artifacts.initramfs)).map_err(OpenError::layout)
    }

    async fn uki(
        &self,
        planned: &Planned,
        artifacts: Artifacts,
        initramfs: &VirtualImage,
    ) -> Result<VirtualImage, OpenError> {
        let stub = needed(artifacts.systemd_stub, "systemd-stub.efi")?;
        let inputs = UkiInputs {
            version: &planned.plan.version,
            cmdline: &planned.plan.cmdline,
            profiles: &planned.plan.profiles,
            stub: &VirtualImage::from_blob(stub),
            stub_head: &self.head(stub).await?,
            kernel: &VirtualImage::from_blob(artifacts.kernel),
            kernel_head: &self.head(artifacts.kernel).await?,
            initramfs,
            timestamp: EPOCH,
        };
        uki::lay_out(&inputs).map_err(OpenError::layout)
    }

    async fn iso(
        &self,
        layout: IsoLayout,
        planned: &Planned,
        artifacts: Artifacts,
        initramfs: &VirtualImage,
    ) -> Result<VirtualImage, OpenError> {
        let plan = &planned.plan;
        let uki = match layout {
            IsoLayout::UefiOnly | IsoLayout::Hybrid => Some(self.uki(planned, artifacts, initramfs).await?),
            IsoLayout::Grub => None,
        };
        let grub = match layout {
            IsoLayout::Hybrid | IsoLayout::Grub => Some(self.grub_images(plan.arch, layout).await?),
            IsoLayout::UefiOnly => None,
        };
        let sd_boot = artifacts.systemd_boot.map(VirtualImage::from_blob);
        let inputs = IsoInputs {
            version: &plan.version,
            arch: plan.arch,
            cmdline: &plan.cmdline,
            kernel: &VirtualImage::from_blob(artifacts.kernel),
            initramfs,
            uki: uki.as_ref(),
            sd_boot: sd_boot.as_ref(),
            grub: grub.as_ref(),
            epoch: EPOCH,
            enroll: Enroll::Off,
            extra_esp: &Tree::default(),
        };
        iso::lay_out(layout, &inputs).map_err(OpenError::layout)
    }

    /// The beginning of a blob.
    async fn head(&self, blob: Blob) -> Result<Bytes, OpenError> {
        let failed = |error| OpenError::input("the beginning of a program", error);
        let pieces = self.store.read(blob.digest, 0..blob.size.min(HEAD)).await.map_err(failed)?;
        let pieces: Vec<Bytes> = pieces.try_collect().await.map_err(failed)?;
        Ok(pieces.concat().into())
    }
}

fn needed(blob: Option<Blob>, name: &'static str) -> Result<Blob, OpenError> {
    blob.ok_or_else(|| OpenError::Schematic(format!("the release has no {name}")))
}
