//! From a plan to an image: inputs are cooked, everything else is laid out.

use builder::plan::{Enrolment, Kind, Plan};
use builder::recipe::addon::{self, AddonInputs};
use builder::recipe::iso::{self, Enroll, IsoInputs, IsoLayout};
use builder::recipe::uki::{self, UkiInputs};
use builder::tree::Tree;
use builder::{Blob, VirtualImage};
use bytes::Bytes;
use extensions::artifacts::Artifacts;
use extensions::layer_set::{LayerRequest, LayerSet, layer_set};
use futures::TryStreamExt as _;
use schematics::Schematic;

use super::error::OpenError;
use super::plan::Planned;
use super::{EPOCH, Images};

/// How much of a program's beginning is read: all headers are in it.
const HEAD: u64 = 64 * 1024;

/// What an image of a release and a schematic is made of.
pub(super) struct Parts {
    artifacts: Artifacts,
    pub(super) kernel: VirtualImage,
    layers: LayerSet,
    pub(super) initramfs: VirtualImage,
}

/// What a unified kernel image is made of besides [`Parts`].
pub(super) struct UkiParts {
    stub: VirtualImage,
    stub_head: Bytes,
    kernel_head: Bytes,
}

impl UkiParts {
    /// The inputs of the recipe.
    pub(super) fn inputs<'a>(&'a self, plan: &'a Plan, parts: &'a Parts) -> UkiInputs<'a> {
        UkiInputs {
            version: &plan.version,
            cmdline: &plan.cmdline,
            profiles: &plan.profiles,
            stub: &self.stub,
            stub_head: &self.stub_head,
            kernel: &parts.kernel,
            kernel_head: &self.kernel_head,
            initramfs: &parts.initramfs,
            timestamp: EPOCH,
        }
    }
}

impl Images {
    pub(super) async fn assemble(
        &self,
        planned: &Planned,
        schematic: &Schematic,
    ) -> Result<VirtualImage, OpenError> {
        let plan = &planned.plan;
        if let Some(report) = &plan.report {
            return self.measurements(planned, schematic, report).await;
        }
        if plan.kind == Kind::Cmdline {
            return Ok(VirtualImage::from_bytes(plan.cmdline.clone()));
        }
        if plan.kind == Kind::Kernel {
            return Ok(VirtualImage::from_blob(self.artifacts(plan).await?.kernel));
        }
        if let Some(installer) = &planned.installer {
            return self.installer_archive(planned, installer).await;
        }
        if plan.kind == Kind::OverlayLayer {
            return self.overlay_layer(planned, schematic).await;
        }
        let parts = self.parts(planned, schematic).await?;
        match plan.kind {
            Kind::Kernel | Kind::Cmdline | Kind::OverlayLayer | Kind::Initramfs => Ok(parts.initramfs),
            Kind::InstallerLayer | Kind::InstallerArchive => self.installer_layer(planned, &parts).await,
            Kind::Uki => self.uki(planned, &parts).await,
            Kind::Addon => self.addon(planned, &parts).await,
            Kind::UefiIso => self.iso(IsoLayout::UefiOnly, planned, &parts).await,
            Kind::HybridIso => self.iso(IsoLayout::Hybrid, planned, &parts).await,
            Kind::GrubIso => self.iso(IsoLayout::Grub, planned, &parts).await,
        }
    }

    pub(super) async fn artifacts(&self, plan: &Plan) -> Result<Artifacts, OpenError> {
        let artifacts = self.available.artifacts(&plan.version, plan.arch).await;
        artifacts.map_err(|error| OpenError::input("kernel", error))
    }

    /// Fetches what the release brings, and cooks what the schematic adds.
    pub(super) async fn parts(&self, planned: &Planned, schematic: &Schematic) -> Result<Parts, OpenError> {
        let plan = &planned.plan;
        let artifacts = self.artifacts(plan).await?;
        let request = LayerRequest {
            version: &plan.version,
            arch: plan.arch,
            extensions: &planned.extensions,
            schematic,
            external_url: &self.settings.external_url,
            initramfs: artifacts.initramfs,
        };
        let available = &self.available;
        let layers = layer_set(available.kitchen(), available.source(), available.limits(), &request).await;
        let layers = layers.map_err(|error| OpenError::input("system extensions", error))?;
        let initramfs = layers.initramfs(&VirtualImage::from_blob(artifacts.initramfs));
        Ok(Parts {
            kernel: VirtualImage::from_blob(artifacts.kernel),
            initramfs: initramfs.map_err(OpenError::layout)?,
            artifacts,
            layers,
        })
    }

    /// The release's stub, and what has to be read of it and of the kernel.
    pub(super) async fn uki_parts(&self, parts: &Parts) -> Result<UkiParts, OpenError> {
        let stub = needed(parts.artifacts.systemd_stub, "systemd-stub.efi")?;
        Ok(UkiParts {
            stub: VirtualImage::from_blob(stub),
            stub_head: self.head(stub).await?,
            kernel_head: self.head(parts.artifacts.kernel).await?,
        })
    }

    /// The unified kernel image, signed where the plan says so.
    pub(super) async fn uki(&self, planned: &Planned, parts: &Parts) -> Result<VirtualImage, OpenError> {
        let own = self.uki_parts(parts).await?;
        let inputs = own.inputs(&planned.plan, parts);
        match &planned.keys {
            Some(keys) => self.signed_uki(&inputs, keys).await,
            None => uki::lay_out(&inputs).map_err(OpenError::layout),
        }
    }

    /// The release's systemd-boot, signed where the plan says so.
    pub(super) async fn boot_loader(
        &self,
        planned: &Planned,
        parts: &Parts,
    ) -> Result<VirtualImage, OpenError> {
        let blob = needed(parts.artifacts.systemd_boot, "systemd-boot.efi")?;
        match &planned.keys {
            Some(keys) => self.signed_boot_loader(blob, keys).await,
            None => Ok(VirtualImage::from_blob(blob)),
        }
    }

    /// The add-on, signed where the plan says so.
    pub(super) async fn addon(&self, planned: &Planned, parts: &Parts) -> Result<VirtualImage, OpenError> {
        let microcode = parts.microcode()?;
        let addon = addon::lay_out(&addon_inputs(&planned.plan, microcode.as_ref()));
        let addon = addon.map_err(OpenError::layout)?;
        match &planned.keys {
            Some(keys) => self.sign(&addon, keys).await,
            None => Ok(addon),
        }
    }

    async fn iso(
        &self,
        layout: IsoLayout,
        planned: &Planned,
        parts: &Parts,
    ) -> Result<VirtualImage, OpenError> {
        let plan = &planned.plan;
        let (uki, sd_boot) = match layout {
            IsoLayout::UefiOnly | IsoLayout::Hybrid => {
                (Some(self.uki(planned, parts).await?), Some(self.boot_loader(planned, parts).await?))
            }
            IsoLayout::Grub => (None, None),
        };
        let grub = match layout {
            IsoLayout::Hybrid | IsoLayout::Grub => Some(self.grub_images(plan.arch, layout).await?),
            IsoLayout::UefiOnly => None,
        };
        let (enroll, extra_esp) = match (&planned.keys, plan.chain.enrolment()) {
            (Some(keys), Some(Enrolment { mode, well_known })) => {
                (mode, self.key_files(keys, well_known).await?)
            }
            (_, None) | (None, _) => (Enroll::Off, Tree::default()),
        };
        let inputs = IsoInputs {
            version: &plan.version,
            arch: plan.arch,
            cmdline: &plan.cmdline,
            kernel: &parts.kernel,
            initramfs: &parts.initramfs,
            uki: uki.as_ref(),
            sd_boot: sd_boot.as_ref(),
            grub: grub.as_ref(),
            epoch: EPOCH,
            enroll,
            extra_esp: &extra_esp,
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

impl Parts {
    /// The archive of the schematic's microcode, if it has any.
    pub(super) fn microcode(&self) -> Result<Option<VirtualImage>, OpenError> {
        self.layers.microcode_archive().map_err(OpenError::layout)
    }
}

/// What an add-on is made of. It fits every kernel: it has no part of one.
pub(super) fn addon_inputs<'a>(plan: &'a Plan, microcode: Option<&'a VirtualImage>) -> AddonInputs<'a> {
    let (arch, cmdline) = (plan.arch, plan.cmdline.as_str());
    AddonInputs { arch, cmdline, microcode, kernel_release: None, timestamp: EPOCH }
}

fn needed(blob: Option<Blob>, name: &'static str) -> Result<Blob, OpenError> {
    blob.ok_or_else(|| OpenError::Schematic(format!("the release has no {name}")))
}
