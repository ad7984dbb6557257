//! What is inside an asset.

use std::sync::Arc;

use builder::plan::Kind;
use builder::recipe::installer::is_unified;
use extensions::artifacts::Artifacts;
use extensions::layer_set::LayerRequest;
use extensions::sbom::SbomFile;
use schematics::{Arch, AssetName, Boot, Digest, Platform, TalosVersion, Target};

use super::error::OpenError;
use super::plan::Planned;
use super::request::Request;
use super::{EPOCH, Images, Wanted};
use crate::documents::inventory::{
    ContentFile, ExtensionContents, Inventory, ReleaseContents, SourceDocument, Subject,
};
use crate::documents::lock::{LockedImage, Role};
use crate::register::Stored;

impl Images {
    /// What is inside the images of a schematic, a version and a processor, whatever their form.
    ///
    /// # Errors
    /// When an input cannot be had, or what it says about itself cannot be read.
    pub async fn contents(
        &self,
        stored: &Stored,
        version: &TalosVersion,
        arch: Arch,
    ) -> Result<Inventory, OpenError> {
        let target = Target { platform: Platform::metal(), arch, boot: Boot::Plain };
        let asset = AssetName::Uki(target);
        let request = Request::new(&asset, version, &stored.schematic)?;
        self.inventory(&request, (stored, None), None, Share::ALL).await
    }

    /// What is inside an asset, or the image that an asset is the archive of, by its name and digest.
    ///
    /// # Errors
    /// When an input cannot be had, or what it says about itself cannot be read.
    pub async fn contents_of(
        &self,
        wanted: Wanted<'_>,
        (name, digest): (&str, Digest),
    ) -> Result<Inventory, OpenError> {
        let Wanted { stored, version, asset, keys } = wanted;
        let request = Request::new(asset, version, &stored.schematic)?;
        if request.measurements.is_some() {
            let text = "there is no list of what is inside measurements; ask for that of the image";
            return Err(OpenError::Schematic(text.to_owned()));
        }
        let share = Share::of(&request);
        self.inventory(&request, (stored, keys), Some((name.to_owned(), digest)), share).await
    }

    async fn inventory(
        &self,
        request: &Request<'_>,
        whose: (&Stored, Option<&Arc<crate::keys::KeySet>>),
        asset: Option<(String, Digest)>,
        share: Share,
    ) -> Result<Inventory, OpenError> {
        let (stored, keys) = whose;
        let planned = self.plan(request, stored, keys).await?;
        let (release, others): (Vec<_>, Vec<_>) = self
            .sources(request, &planned)
            .await?
            .into_iter()
            .filter(|image| matches!(image.role, Role::Release | Role::InstallerBase | Role::Overlay))
            .partition(|image| image.role == Role::Release);
        let release = release.into_iter().next().ok_or(OpenError::Abandoned)?;
        let artifacts = self.artifacts(&planned.plan).await?;
        let (arch, version) = (request.target.arch, request.version.clone());
        Ok(Inventory {
            subject: Subject { schematic: stored.id, version, arch, asset },
            external_url: self.settings.external_url.clone(),
            registry: self.settings.registry.clone(),
            epoch: EPOCH,
            release: self.release_contents(release, &artifacts, (&planned, share)).await?,
            extensions: self.extension_contents(request, &planned, &artifacts).await?,
            others,
        })
    }

    async fn release_contents(
        &self,
        image: LockedImage,
        artifacts: &Artifacts,
        (planned, share): (&Planned, Share),
    ) -> Result<ReleaseContents, OpenError> {
        let Artifacts { kernel, initramfs, systemd_stub, systemd_boot } = *artifacts;
        let wanted = [
            ("vmlinuz", share.kernel.then_some(kernel), "the Linux kernel"),
            ("initramfs.xz", share.initramfs.then_some(initramfs), "the initramfs of the release"),
            ("systemd-stub.efi", systemd_stub.filter(|_| share.stub), "the stub of unified kernel images"),
            ("systemd-boot.efi", systemd_boot.filter(|_| share.boot_loader), "the boot loader"),
        ];
        let file = |(name, blob, description): (&str, Option<builder::Blob>, _)| {
            blob.map(|blob| ContentFile { name: name.to_owned(), digest: blob.digest, description })
        };
        let grub = planned.plan.inputs.grub.iter().enumerate().map(|(number, digest)| ContentFile {
            name: format!("grub-core-{number}"),
            digest: *digest,
            description: "a part of GRUB, the boot loader",
        });
        let files = wanted.into_iter().filter_map(file).chain(grub).collect();
        let documents = if share.initramfs {
            let told = self.available.release_documents(initramfs).await;
            read(told.map_err(|error| OpenError::input("what the release says is inside", error))?)
        } else {
            Vec::new()
        };
        Ok(ReleaseContents { image, files, documents })
    }

    async fn extension_contents(
        &self,
        request: &Request<'_>,
        planned: &Planned,
        artifacts: &Artifacts,
    ) -> Result<Vec<ExtensionContents>, OpenError> {
        if planned.extensions.is_empty() {
            return Ok(Vec::new());
        }
        let layers = LayerRequest {
            version: request.version,
            arch: request.target.arch,
            extensions: &planned.extensions,
            schematic: request.schematic,
            external_url: &self.settings.external_url,
            initramfs: artifacts.initramfs,
        };
        let told = self.available.told_extensions(&layers).await;
        let told = told.map_err(|error| OpenError::input("system extensions", error))?;
        let images = self.extension_images(planned, request.version).await?;
        let contents = told.into_iter().zip(images).map(|(told, image)| ExtensionContents {
            manifest: told.cooked.layer.manifest.clone(),
            image,
            layer: told.cooked.layer.squashfs.digest,
            documents: read(told.documents),
        });
        Ok(contents.collect())
    }
}

/// Which files of a release are in an asset.
#[derive(Debug, Clone, Copy)]
struct Share {
    kernel: bool,
    initramfs: bool,
    stub: bool,
    boot_loader: bool,
}

impl Share {
    const ALL: Self = Self { kernel: true, initramfs: true, stub: true, boot_loader: true };
    const NONE: Self = Self { kernel: false, initramfs: false, stub: false, boot_loader: false };

    fn of(request: &Request<'_>) -> Self {
        match request.kind {
            Kind::Kernel => Self { kernel: true, ..Self::NONE },
            Kind::Initramfs => Self { initramfs: true, ..Self::NONE },
            Kind::Cmdline | Kind::OverlayLayer | Kind::Addon => Self::NONE,
            Kind::Uki => Self { boot_loader: false, ..Self::ALL },
            Kind::UefiIso | Kind::HybridIso => Self::ALL,
            Kind::GrubIso => Self { kernel: true, initramfs: true, ..Self::NONE },
            Kind::InstallerLayer | Kind::InstallerArchive => {
                let unified = is_unified(request.version, request.target.boot);
                Self { stub: unified, boot_loader: unified, ..Self::ALL }
            }
        }
    }
}

/// The documents as JSON. What is none is no document of any version either, which is told when they are merged.
fn read(files: Vec<SbomFile>) -> Vec<SourceDocument> {
    let read = |file: SbomFile| SourceDocument {
        name: file.name,
        content: serde_json::from_slice(&file.content).unwrap_or_default(),
    };
    files.into_iter().map(read).collect()
}
