//! The images that have a tag per version.

use extensions::{ImageRef, Repository};
use schematics::{Feature, TalosVersion};

use super::{Available, Components, Unavailable};

/// What a release consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// Kernel, initramfs and EFI programs.
    Imager,
    /// The catalogue of extensions.
    Extensions,
    /// The catalogue of overlays.
    Overlays,
    /// The base of installers, from 1.10.
    InstallerBase,
    /// The base of installers before that.
    Installer,
}

impl Component {
    /// What is the base of installers of a version.
    #[must_use]
    pub fn installer(version: &TalosVersion) -> Self {
        if version.supports(Feature::UnifiedInstaller) { Self::InstallerBase } else { Self::Installer }
    }

    pub(super) const fn repository(self, components: &Components) -> &Repository {
        match self {
            Self::Imager => &components.imager,
            Self::Extensions => &components.extensions,
            Self::Overlays => &components.overlays,
            Self::InstallerBase => &components.installer_base,
            Self::Installer => &components.installer,
        }
    }
}

impl Available {
    /// An image of a version, by digest.
    ///
    /// # Errors
    /// When the version is not offered, or the source does not answer.
    pub async fn component(
        &self,
        component: Component,
        version: &TalosVersion,
    ) -> Result<ImageRef, Unavailable> {
        self.require(version).await?;
        self.image(component.repository(&self.shared.components), version).await
    }
}
