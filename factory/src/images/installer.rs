//! Installer images: the base of the release, and our layers on top of it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use builder::plan::{Installer as InstallerInputs, Kind};
use builder::recipe::installer::{
    Archive, InstallerError, Payload, archive, artifacts_layer, is_unified, overlay_layer,
};
use builder::tree::Node;
use builder::{Blob, PlanId, VirtualImage};
use extensions::ImageRef;
use extensions::installer::{BaseLayer, InstallerBase, InstallerDocuments, blob_of};
use extensions::overlay_files::program_path;
use schematics::{Arch, AssetName, Boot, Digest, Platform, Schematic, TalosVersion};

use super::assemble::Parts;
use super::error::OpenError;
use super::index::Image;
use super::plan::Planned;
use super::request::Request;
use super::{EPOCH, Images, Wanted};
use crate::keys::KeySet;
use crate::metrics;
use crate::register::Stored;

/// An installer image for one architecture.
#[derive(Debug, Clone)]
pub struct Installer {
    /// The architecture.
    pub arch: Arch,
    /// Its configuration and manifest.
    pub documents: InstallerDocuments,
    /// The base installer it stands on.
    pub base: ImageRef,
    /// Its layers, the lowest first.
    pub layers: Vec<(Blob, LayerContent)>,
}

/// Where the bytes of a layer are.
#[derive(Debug, Clone)]
pub enum LayerContent {
    /// A layer of the base, in the store.
    Base(BaseLayer),
    /// A layer of ours.
    Own {
        /// The plan it was laid out for.
        plan: PlanId,
        /// The layer.
        image: Image,
    },
}

impl Installer {
    /// Its manifest, as a blob.
    #[must_use]
    pub fn manifest(&self) -> Blob {
        blob_of(&self.documents.manifest)
    }
}

/// The repository of a target's installer images, without the schematic: `[<platform>-]installer[-secureboot]`.
#[must_use]
pub(crate) fn repository_name(platform: Platform, boot: Boot) -> String {
    let prefix = if platform == Platform::metal() { String::new() } else { format!("{platform}-") };
    let suffix = if boot == Boot::Secure { "-secureboot" } else { "" };
    format!("{prefix}installer{suffix}")
}

impl Images {
    /// The installer image of a target, all of which can be served. The asset wanted is its archive.
    ///
    /// # Errors
    /// When it cannot be had, with the reason and whose fault it is.
    pub async fn installer(&self, wanted: Wanted<'_>) -> Result<Installer, OpenError> {
        let Wanted { stored, version, asset, keys } = wanted;
        let request = Request::new(asset, version, &stored.schematic)?;
        let arch = request.target.arch;
        let own = self.own_layers(request, stored, keys);
        let ((image, base), own) = tokio::try_join!(self.base(version, arch), own)?;
        let blobs: Vec<Blob> = own.iter().map(|(blob, _)| *blob).collect();
        let created = UNIX_EPOCH + Duration::from_secs(EPOCH.into());
        let created = humantime::format_rfc3339_seconds(created).to_string();
        let documents = InstallerDocuments::compose(&base, arch, &blobs, &created);
        let documents = documents.map_err(OpenError::document)?;
        let below = base.layers.into_iter().map(|layer| (layer.blob, LayerContent::Base(layer)));
        Ok(Installer { arch, documents, base: image, layers: below.chain(own).collect() })
    }

    /// The image as an archive to load. All layers in it are uncompressed: readers look at the first to know about all.
    pub(super) async fn installer_archive(
        &self,
        planned: &Planned,
        installer: &Installer,
    ) -> Result<VirtualImage, OpenError> {
        let mut layers = Vec::new();
        for (blob, content) in &installer.layers {
            layers.push(match content {
                LayerContent::Own { image, .. } => (blob.digest, VirtualImage::clone(&image.layout)),
                LayerContent::Base(layer) => {
                    let plain = self.available.inflated(layer).await;
                    let plain = plain.map_err(|error| OpenError::input("the base installer", error))?;
                    (plain.digest, VirtualImage::from_blob(plain))
                }
            });
        }
        let inputs = planned.plan.inputs.installer.as_ref();
        let name = inputs.map(|inputs| inputs.name.as_str()).unwrap_or_default();
        let image = Archive { name, config: &installer.documents.config, layers: &layers };
        archive(&image).map_err(OpenError::layout)
    }

    async fn base(&self, version: &TalosVersion, arch: Arch) -> Result<(ImageRef, InstallerBase), OpenError> {
        let failed = |error| OpenError::input("the base installer", error);
        let image = self.available.installer(version).await.map_err(failed)?;
        let base = self.available.installer_base(&image, arch).await.map_err(failed)?;
        Ok((image, base))
    }

    async fn own_layers(
        &self,
        request: Request<'_>,
        stored: &Stored,
        keys: Option<&Arc<KeySet>>,
    ) -> Result<Vec<(Blob, LayerContent)>, OpenError> {
        let artifacts = Request { kind: Kind::InstallerLayer, ..request };
        let mut layers = vec![self.own_layer(&artifacts, stored, keys).await?];
        if request.has_overlay() {
            let overlay = Request { kind: Kind::OverlayLayer, ..request };
            layers.push(self.own_layer(&overlay, stored, keys).await?);
        }
        Ok(layers)
    }

    /// A layer of ours with the digest of its bytes.
    async fn own_layer(
        &self,
        request: &Request<'_>,
        stored: &Stored,
        keys: Option<&Arc<KeySet>>,
    ) -> Result<(Blob, LayerContent), OpenError> {
        let planned = self.plan(request, stored, keys).await?;
        let plan = planned.id();
        let (version, asset) = (request.version.clone(), request.image);
        let image = match self.recall(plan).await {
            Some(image) => {
                metrics::delivered(&version, &asset, image.layout.len());
                image
            }
            None => {
                let built = move |bytes, times| metrics::built(&version, &asset, bytes, times);
                self.make(planned, stored.clone(), built).await?
            }
        };
        let digest = image.content.ok_or(OpenError::Abandoned)?;
        Ok((Blob { digest, size: image.layout.len() }, LayerContent::Own { plan, image }))
    }

    /// Whether an asset may be had: nothing the version lacks is asked for. What is in catalogues is not looked at.
    #[must_use]
    pub fn could_have(&self, stored: &Stored, version: &TalosVersion, asset: &AssetName) -> bool {
        Request::new(asset, version, &stored.schematic).is_ok()
    }

    /// The digest of an image's bytes, for the kinds that state it: one pass over all of them.
    pub(super) async fn content(
        &self,
        kind: Kind,
        layout: &VirtualImage,
    ) -> Result<Option<Digest>, OpenError> {
        if !matches!(kind, Kind::InstallerLayer | Kind::OverlayLayer) {
            return Ok(None);
        }
        let digest = layout.content_digest(&self.store).await;
        digest.map(Some).map_err(|error| OpenError::input("the bytes of a layer", error))
    }

    /// What the plan of an archive names besides its layers; nothing for other plans.
    pub(super) async fn installer_inputs(
        &self,
        request: &Request<'_>,
        stored: &Stored,
    ) -> Result<Option<InstallerInputs>, OpenError> {
        if request.kind != Kind::InstallerArchive {
            return Ok(None);
        }
        let base = self.available.installer(request.version).await;
        let base = base.map_err(|error| OpenError::input("the base installer", error))?.digest;
        let repository = repository_name(request.target.platform, request.target.boot);
        Ok(Some(InstallerInputs { base, name: format!("{repository}/{}:{}", stored.id, request.version) }))
    }

    pub(super) async fn installer_layer(
        &self,
        planned: &Planned,
        parts: &Parts,
    ) -> Result<VirtualImage, OpenError> {
        let plan = &planned.plan;
        let boot = if planned.keys.is_some() { Boot::Secure } else { Boot::Plain };
        if !is_unified(&plan.version, boot) {
            let payload = Payload::Split { kernel: &parts.kernel, initramfs: &parts.initramfs };
            return artifacts_layer(&plan.version, plan.arch, payload).map_err(OpenError::layout);
        }
        let uki = self.uki(planned, parts).await?;
        let sd_boot = self.boot_loader(planned, parts).await?;
        let payload = Payload::Unified { uki: &uki, sd_boot: &sd_boot };
        artifacts_layer(&plan.version, plan.arch, payload).map_err(OpenError::layout)
    }

    pub(super) async fn overlay_layer(
        &self,
        planned: &Planned,
        schematic: &Schematic,
    ) -> Result<VirtualImage, OpenError> {
        let overlay = &schematic.overlay;
        let missing =
            |what: &str| OpenError::Schematic(format!("the overlay {:?} has no {what}", overlay.name));
        let image = planned.overlay.as_ref().ok_or_else(|| missing("image"))?;
        let files = self.available.overlay_files(image, planned.plan.arch).await;
        let files = files.map_err(|error| OpenError::input("the overlay", error))?;
        let tree = files.tree().map_err(|error| OpenError::layout(InstallerError::from(error)))?;
        let path = program_path(&overlay.name);
        let Some(Node::File(program)) = tree.get(&path) else { return Err(missing(&path)) };
        overlay_layer(&tree, &program.content, &overlay.options_yaml()).map_err(OpenError::layout)
    }

    /// The kernel arguments a schematic's overlay asks for, where there is a command line that takes them.
    pub(super) async fn board_arguments(
        &self,
        request: &Request<'_>,
        overlay: Option<&ImageRef>,
    ) -> Result<Vec<String>, OpenError> {
        let Some(image) = overlay.filter(|_| request.medium().is_some()) else { return Ok(Vec::new()) };
        let told = self.available.overlay_options(image, &request.schematic.overlay).await;
        Ok(told.map_err(|error| OpenError::input("the overlay's options", error))?.kernel_args)
    }

    /// Finds the schematic's overlay in the version's catalogue.
    pub(super) async fn overlay(&self, request: &Request<'_>) -> Result<ImageRef, OpenError> {
        let wanted = &request.schematic.overlay;
        let entries = self.available.overlays(request.version).await;
        let entries = entries.map_err(|error| OpenError::input("the overlay catalogue", error))?;
        let entry = entries.iter().find(|entry| entry.name == wanted.name);
        let entry = entry.ok_or_else(|| {
            let version = request.version;
            let text =
                format!("official overlay {:?} is not available for Talos version {version}", wanted.name);
            OpenError::Schematic(text)
        })?;
        metrics::extension_used(&entry.name);
        let image = entry.image_ref();
        let admitted = self.available.admit(&image).await;
        admitted.map_err(|error| OpenError::input("the overlay", error))?;
        Ok(image)
    }
}
