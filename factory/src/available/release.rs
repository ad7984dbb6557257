//! The images a version consists of.

use extensions::ImageRef;
use schematics::{Feature, TalosVersion};

use super::{Available, Unavailable};

/// The images a version consists of, each tagged with the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseImages {
    /// Those that are read whatever the architecture: the release and the catalogues, always in their amd64 form.
    pub common: Vec<ImageRef>,
    /// The base of installers.
    pub installer: ImageRef,
    /// `talosctl`, where the version has it; likewise always amd64.
    pub talosctl: Option<ImageRef>,
}

impl Available {
    /// The images of a version; `talosctl` only when it is wanted.
    ///
    /// # Errors
    /// When the version is not offered, or the source does not have one of them.
    pub async fn release_images(
        &self,
        version: &TalosVersion,
        talosctl: bool,
    ) -> Result<ReleaseImages, Unavailable> {
        let components = &self.shared.components;
        let mut common = vec![self.release(version).await?];
        common.push(self.image(&components.extensions, version).await?);
        if version.supports(Feature::Overlays) {
            common.push(self.image(&components.overlays, version).await?);
        }
        let talosctl = if talosctl && version.supports(Feature::Talosctl) {
            Some(self.image(&components.talosctl, version).await?)
        } else {
            None
        };
        Ok(ReleaseImages { common, installer: self.installer(version).await?, talosctl })
    }
}
