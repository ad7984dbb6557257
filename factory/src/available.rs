//! Use case: what there is to build from. Versions, their extensions, overlays, files and programs.

mod admission;
mod component;
mod documents;
mod error;
mod release;
pub mod vex;

use std::sync::Arc;

use builder::Blob;
use extensions::artifacts::{Artifacts, artifacts};
use extensions::catalog::{self, ExtensionEntry};
use extensions::contents::Contents;
use extensions::cook::Kitchen;
use extensions::installer::{BaseLayer, InstallerBase, inflated, installer_base};
use extensions::overlay_files::{OverlayFiles, overlay_files};
use extensions::overlay_options::{OverlayOptions, native, overlay_options};
use extensions::overlays::{self, OverlayEntry};
use extensions::releases::{Releases, VersionRules};
use extensions::talosctl::{Talosctl, talosctl};
use extensions::{ImageRef, ImageSource, Limits, Repository};
use moka::future::Cache;
use schematics::schematic::Overlay;
use schematics::{Arch, Digest, Feature, TalosVersion};

pub use component::Component;
pub use error::Unavailable;
use error::Unresolved;
pub use release::ReleaseImages;

/// How many versions' catalogues and files are remembered in memory.
const REMEMBERED: u64 = 256;

/// The repositories of the images a Talos release consists of.
#[derive(Debug, Clone)]
pub struct Components {
    /// Kernel, initramfs and EFI programs; its tags are the versions.
    pub imager: Repository,
    /// The catalogue of extensions.
    pub extensions: Repository,
    /// The catalogue of overlays.
    pub overlays: Repository,
    /// `talosctl` for every operating system.
    pub talosctl: Repository,
    /// The base of installers, from 1.10.
    pub installer_base: Repository,
    /// The base of installers before that.
    pub installer: Repository,
}

impl Components {
    /// The names Sidero publishes under.
    ///
    /// # Errors
    /// Never in practice: the names are fixed and are repository names.
    pub fn official() -> Result<Self, extensions::reference::NameError> {
        Ok(Self {
            imager: "siderolabs/imager".parse()?,
            extensions: "siderolabs/extensions".parse()?,
            overlays: "siderolabs/overlays".parse()?,
            talosctl: "siderolabs/talosctl-all".parse()?,
            installer_base: "siderolabs/installer-base".parse()?,
            installer: "siderolabs/installer".parse()?,
        })
    }
}

type Remembered<T> = Cache<TalosVersion, Arc<T>>;

/// Everything that comes from the source. Clones share it.
///
/// What was read of a version is remembered for the life of the process, as a version never changes. Files are blobs,
/// which may be dropped at any time; what is known about them is looked up in the records each time.
#[derive(Debug, Clone)]
pub struct Available {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Arc<dyn ImageSource>,
    kitchen: Kitchen,
    limits: Limits,
    components: Components,
    releases: Releases,
    images: Cache<(TalosVersion, Repository), Digest>,
    extensions: Remembered<Vec<ExtensionEntry>>,
    overlays: Remembered<Vec<OverlayEntry>>,
}

impl Available {
    /// What `source` offers under `rules`.
    #[must_use]
    pub fn new(
        source: Arc<dyn ImageSource>,
        kitchen: Kitchen,
        limits: Limits,
        components: Components,
        rules: VersionRules,
    ) -> Self {
        let releases = Releases::new(Arc::clone(&source), components.imager.clone(), rules);
        let shared = Shared {
            source,
            kitchen,
            limits,
            components,
            releases,
            images: Cache::new(REMEMBERED),
            extensions: Cache::new(REMEMBERED),
            overlays: Cache::new(REMEMBERED),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where images come from.
    #[must_use]
    pub fn source(&self) -> &dyn ImageSource {
        self.shared.source.as_ref()
    }

    /// Where inputs are cooked.
    #[must_use]
    pub fn kitchen(&self) -> &Kitchen {
        &self.shared.kitchen
    }

    /// What a pull may cost.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The list of versions.
    #[must_use]
    pub fn releases(&self) -> &Releases {
        &self.shared.releases
    }

    /// All versions offered, ascending.
    ///
    /// # Errors
    /// When the source never answered.
    pub async fn versions(&self) -> Result<Arc<[TalosVersion]>, Unavailable> {
        self.shared.releases.versions().await.map_err(Unavailable::new)
    }

    /// The extensions of a version, in the order of its catalogue.
    ///
    /// # Errors
    /// When the version is not offered, or its catalogue cannot be read.
    pub async fn extensions(&self, version: &TalosVersion) -> Result<Arc<Vec<ExtensionEntry>>, Unavailable> {
        self.require(version).await?;
        let read = async {
            let contents = self.contents(&self.shared.components.extensions, version).await;
            let failed = |source| catalog::CatalogError::Contents { version: version.clone(), source };
            let contents = contents.map_err(failed).map_err(Unavailable::new)?;
            let digests =
                contents.required(catalog::DIGESTS_FILE).await.map_err(failed).map_err(Unavailable::new)?;
            let told =
                contents.file(catalog::DESCRIPTIONS_FILE).await.map_err(failed).map_err(Unavailable::new)?;
            catalog::read(&digests, told.as_ref()).map(Arc::new).map_err(Unavailable::new)
        };
        shared(self.shared.extensions.try_get_with(version.clone(), Box::pin(read)).await)
    }

    /// The overlays of a version, in the order of its catalogue; none before 1.7.
    ///
    /// # Errors
    /// When the version is not offered, or its catalogue cannot be read.
    pub async fn overlays(&self, version: &TalosVersion) -> Result<Arc<Vec<OverlayEntry>>, Unavailable> {
        self.require(version).await?;
        if !version.supports(Feature::Overlays) {
            return Ok(Arc::default());
        }
        let read = async {
            let contents = self.contents(&self.shared.components.overlays, version).await;
            let failed = |source| overlays::OverlaysError::Contents { version: version.clone(), source };
            let contents = contents.map_err(failed).map_err(Unavailable::new)?;
            let file =
                contents.required(overlays::OVERLAYS_FILE).await.map_err(failed).map_err(Unavailable::new)?;
            overlays::read(&file).map(Arc::new).map_err(Unavailable::new)
        };
        shared(self.shared.overlays.try_get_with(version.clone(), Box::pin(read)).await)
    }

    /// The `talosctl` programs of a version, sorted by name; none before 1.11.
    ///
    /// # Errors
    /// When the version is not offered, or the programs cannot be had.
    pub async fn talosctl(&self, version: &TalosVersion) -> Result<Vec<Talosctl>, Unavailable> {
        self.require(version).await?;
        if !version.supports(Feature::Talosctl) {
            return Ok(Vec::new());
        }
        let image = self.image(&self.shared.components.talosctl, version).await?;
        let Shared { kitchen, source, limits, .. } = &*self.shared;
        talosctl(kitchen, source.as_ref(), limits, &image).await.map_err(Unavailable::new)
    }

    /// The release image of a version, by digest.
    ///
    /// # Errors
    /// When the version is not offered, or the source does not answer.
    pub async fn release(&self, version: &TalosVersion) -> Result<ImageRef, Unavailable> {
        self.component(Component::Imager, version).await
    }

    /// Kernel, initramfs and EFI programs of a version, as blobs of the store.
    ///
    /// # Errors
    /// When the version is not offered, or its image cannot be had.
    pub async fn artifacts(&self, version: &TalosVersion, arch: Arch) -> Result<Artifacts, Unavailable> {
        let image = self.release(version).await?;
        let Shared { kitchen, source, limits, .. } = &*self.shared;
        let read = artifacts(kitchen, source.as_ref(), limits, &image, (version, arch)).await;
        read.map_err(Unavailable::new)
    }

    /// The base installer image of a version.
    ///
    /// # Errors
    /// When the version is not offered, or the source does not answer.
    pub async fn installer(&self, version: &TalosVersion) -> Result<ImageRef, Unavailable> {
        self.component(Component::installer(version), version).await
    }

    /// The base installer of a version, its layers as blobs of the store.
    ///
    /// # Errors
    /// When the image cannot be had, or is none for the architecture.
    pub async fn installer_base(&self, image: &ImageRef, arch: Arch) -> Result<InstallerBase, Unavailable> {
        let Shared { kitchen, source, limits, .. } = &*self.shared;
        installer_base(kitchen, source.as_ref(), limits, image, arch).await.map_err(Unavailable::new)
    }

    /// The uncompressed bytes of a layer of a base installer, as a blob of the store.
    ///
    /// # Errors
    /// When the layer is not what its image says it is.
    pub async fn inflated(&self, layer: &BaseLayer) -> Result<Blob, Unavailable> {
        inflated(&self.shared.kitchen, &self.shared.limits, layer).await.map_err(Unavailable::new)
    }

    /// The files of an overlay, as blobs of the store.
    ///
    /// # Errors
    /// When the image cannot be had, or is none for the architecture.
    pub async fn overlay_files(&self, image: &ImageRef, arch: Arch) -> Result<OverlayFiles, Unavailable> {
        let Shared { kitchen, source, limits, .. } = &*self.shared;
        overlay_files(kitchen, source.as_ref(), limits, image, arch).await.map_err(Unavailable::new)
    }

    /// What an overlay's own program asks for with these options.
    ///
    /// # Errors
    /// When the image cannot be had, or its program does not answer.
    pub async fn overlay_options(
        &self,
        image: &ImageRef,
        overlay: &Overlay,
    ) -> Result<OverlayOptions, Unavailable> {
        let files = self.overlay_files(image, native().map_err(Unavailable::new)?).await?;
        let told =
            overlay_options(&self.shared.kitchen, &files, &overlay.name, &overlay.options_yaml()).await;
        told.map_err(Unavailable::new)
    }

    async fn require(&self, version: &TalosVersion) -> Result<(), Unavailable> {
        self.shared.releases.require(version).await.map_err(Unavailable::new)
    }

    async fn contents(
        &self,
        repository: &Repository,
        version: &TalosVersion,
    ) -> Result<Contents, extensions::contents::ContentsError> {
        Contents::pull(self.source(), repository, &version.to_string(), &self.shared.limits).await
    }

    /// The image of a version in a repository, by digest.
    async fn image(&self, repository: &Repository, version: &TalosVersion) -> Result<ImageRef, Unavailable> {
        let resolve = async {
            let resolved = self.source().resolve(repository, &version.to_string()).await;
            resolved.map_err(|source| {
                Unavailable::new(Unresolved {
                    repository: repository.clone(),
                    version: version.clone(),
                    source,
                })
            })
        };
        let key = (version.clone(), repository.clone());
        let digest = shared(self.shared.images.try_get_with(key, Box::pin(resolve)).await)?;
        Ok(ImageRef { repository: repository.clone(), digest })
    }
}

/// Takes the error out of the cell in which those who waited share it.
fn shared<T>(result: Result<T, Arc<Unavailable>>) -> Result<T, Unavailable> {
    result.map_err(|error| Unavailable::clone(&error))
}
