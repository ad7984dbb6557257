//! The lock of an asset: what a plan says by digests, with the names it was found by.

use builder::plan::Chain;
use schematics::TalosVersion;

use super::error::OpenError;
use super::plan::Planned;
use super::request::Request;
use super::{EPOCH, Images, Wanted};
use crate::available::Component;
use crate::documents::lock::{
    Lock, LockedImage, LockedSchematic, LockedSettings, LockedSigner, Program, Recipe, Role, SCHEMA,
};
use crate::keys::KeySet;

impl Images {
    /// Everything an asset is made of. Nothing is made for it but what its plan names: GRUB's core images.
    ///
    /// # Errors
    /// When the asset cannot be had, with the reason and whose fault it is.
    pub async fn lock(&self, wanted: Wanted<'_>) -> Result<Lock, OpenError> {
        let Wanted { stored, version, asset, keys } = wanted;
        let request = Request::new(asset, version, &stored.schematic)?;
        let planned = self.plan(&request, stored, keys).await?;
        Ok(Lock {
            schema: SCHEMA,
            asset: asset.to_string(),
            version: version.to_string(),
            arch: request.target.arch.to_string(),
            schematic: LockedSchematic { id: stored.id, text: stored.canonical.clone() },
            plan: planned.id().0,
            recipe: Recipe {
                kind: planned.plan.kind.name().to_owned(),
                revision: planned.plan.kind.revision(),
                cmdline: planned.plan.cmdline.clone(),
            },
            sources: self.sources(&request, &planned).await?,
            settings: self.locked_settings(&planned).await,
            signer: match planned.plan.chain {
                Chain::Plain => None,
                Chain::Secure(_) => planned.keys.as_deref().map(signer),
            },
            factory: Program::this(),
        })
    }

    /// The images of the source that an asset is made of. The release is always one: without it there is no version.
    pub(super) async fn sources(
        &self,
        request: &Request<'_>,
        planned: &Planned,
    ) -> Result<Vec<LockedImage>, OpenError> {
        let version = request.version;
        let mut sources = vec![self.component(Role::Release, Component::Imager, version).await?];
        if request.is_installer() {
            let base = Component::installer(version);
            sources.push(self.component(Role::InstallerBase, base, version).await?);
        }
        if !planned.extensions.is_empty() {
            let catalogue = Component::Extensions;
            sources.push(self.component(Role::ExtensionCatalogue, catalogue, version).await?);
            sources.extend(self.extension_images(planned, version).await?);
        }
        if let Some(overlay) = &planned.overlay {
            sources.push(self.component(Role::OverlayCatalogue, Component::Overlays, version).await?);
            let entries = self.available.overlays(version).await;
            let entries = entries.map_err(|error| OpenError::input("the overlay catalogue", error))?;
            let entry = entries.iter().find(|entry| entry.image_ref() == *overlay);
            sources.push(LockedImage {
                role: Role::Overlay,
                repository: overlay.repository.to_string(),
                tag: entry.and_then(|entry| entry.tag.clone()),
                digest: overlay.digest,
            });
        }
        Ok(sources)
    }

    /// An image that has a tag per version.
    async fn component(
        &self,
        role: Role,
        component: Component,
        version: &TalosVersion,
    ) -> Result<LockedImage, OpenError> {
        let image = self.available.component(component, version).await;
        let image = image.map_err(|error| OpenError::input("an image of the release", error))?;
        let (repository, tag) = (image.repository.to_string(), Some(version.to_string()));
        Ok(LockedImage { role, repository, tag, digest: image.digest })
    }

    pub(super) async fn extension_images(
        &self,
        planned: &Planned,
        version: &TalosVersion,
    ) -> Result<Vec<LockedImage>, OpenError> {
        let entries = self.available.extensions(version).await;
        let entries = entries.map_err(|error| OpenError::input("the extension catalogue", error))?;
        let locked = planned.extensions.iter().map(|extension| {
            let entry = entries.iter().find(|entry| entry.image() == extension.image);
            LockedImage {
                role: Role::Extension,
                repository: extension.image.repository.to_string(),
                tag: entry.and_then(|entry| entry.tag.clone()),
                digest: extension.image.digest,
            }
        });
        Ok(locked.collect())
    }

    async fn locked_settings(&self, planned: &Planned) -> LockedSettings {
        // Without depmod an asset that takes it is not made, and there is nothing to tell.
        let depmod = match planned.extensions.as_slice() {
            [] => None,
            [..] => self.available.kitchen().depmod_version().await.ok().map(str::to_owned),
        };
        LockedSettings {
            external_url: self.settings.external_url.clone(),
            epoch: EPOCH,
            compression_level: self.settings.level,
            compressors: builder::format::compress::revision(),
            depmod,
            grub: planned.plan.inputs.grub.clone(),
            lockdown: self.settings.lockdown,
        }
    }
}

fn signer(keys: &KeySet) -> LockedSigner {
    LockedSigner {
        identity: keys.identity(),
        certificate: keys.certificate().digest(),
        pcr_key: keys.pcr().public_key().id().digest(),
    }
}
