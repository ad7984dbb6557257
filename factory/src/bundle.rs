//! Use case: a bundle of what certain versions and schematics need.

mod export;

use std::collections::BTreeSet;
use std::sync::Arc;

use builder::store::MemoryRecords;
use bytes::Bytes;
use extensions::bundle::{Bundle, Collector, Platforms};
use extensions::catalog::{self, UnknownExtension};
use extensions::reference::NameError;
use extensions::{ImageRef, ImageSource, PullError, Repository};
use schematics::{Arch, Blame, Blamed, ExtensionNameError, SchematicId, TalosVersion};

use crate::available::{Available, Unavailable};
use crate::register::{Register, RegisterError, Stored};
pub use export::{ExportError, export};

/// What a bundle is to be good for.
#[derive(Debug, Clone)]
pub struct Order {
    /// The versions.
    pub versions: BTreeSet<TalosVersion>,
    /// The texts of the schematics.
    pub schematics: Vec<Vec<u8>>,
    /// The architectures machines may have; `None` for images that are whole, whatever they run on.
    pub arches: Option<BTreeSet<Arch>>,
    /// Whether `talosctl` is taken along.
    pub talosctl: bool,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// A text is no schematic that can be kept.
    #[error("schematic {number} cannot be taken along")]
    Schematic {
        /// Which of them, from 1.
        number: usize,
        /// Why.
        #[source]
        source: RegisterError,
    },
    /// Something the source should have is not to be had.
    #[error("could not find what Talos {version} consists of")]
    Release {
        /// The version.
        version: TalosVersion,
        /// Why.
        #[source]
        source: Unavailable,
    },
    /// A schematic has an extension whose name is none.
    #[error("schematic {id} names its extensions wrongly")]
    Names {
        /// The schematic.
        id: SchematicId,
        /// Why.
        #[source]
        source: ExtensionNameError,
    },
    /// A schematic wants an extension that a version does not have.
    #[error("schematic {id} cannot be had for every version")]
    Extension {
        /// The schematic.
        id: SchematicId,
        /// Which.
        #[source]
        source: UnknownExtension,
    },
    /// A schematic wants an overlay that a version does not have.
    #[error("schematic {id} wants the overlay {name:?}, which Talos {version} does not have")]
    Overlay {
        /// The schematic.
        id: SchematicId,
        /// The overlay.
        name: String,
        /// The version.
        version: TalosVersion,
    },
    /// An image could not be read.
    #[error("could not find all of {image}")]
    Image {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The image around a schematic could not be written as JSON.
    #[error("could not write the image of a schematic")]
    Encode(#[source] serde_json::Error),
    /// A name of ours is none; a fault of ours.
    #[error("the repository of schematics has no proper name")]
    Repository(#[from] NameError),
}

impl Blamed for OrderError {
    fn blame(&self) -> Blame {
        match self {
            Self::Schematic { source, .. } => source.blame(),
            Self::Release { source, .. } => source.blame(),
            Self::Names { .. } | Self::Extension { .. } | Self::Overlay { .. } => Blame::Caller,
            Self::Image { source, .. } => source.blame(),
            Self::Encode(_) | Self::Repository(_) => Blame::Ours,
        }
    }
}

/// The repository that Image Factory keeps schematics in, and bundles have them in.
///
/// # Errors
/// Never in practice: the name is fixed and is one.
pub fn schematics() -> Result<Repository, NameError> {
    "siderolabs/image-factory/schematics".parse()
}

/// Finds everything an order needs at `source`, which `available` is read from. Only manifests and catalogues are read.
///
/// # Errors
/// When the source does not have all of it, or a schematic cannot be had for one of the versions.
async fn collect(
    available: &Available,
    source: &dyn ImageSource,
    order: &Order,
) -> Result<Bundle, OrderError> {
    let wanted = stored(&order.schematics).await?;
    let mut gathering = Gathering { available, order, collector: Collector::new(source) };
    for version in &order.versions {
        gathering.release(version).await?;
        for schematic in &wanted {
            gathering.additions(version, schematic).await?;
        }
    }
    let mut collector = gathering.collector;
    let repository = schematics()?;
    for schematic in &wanted {
        let text = Bytes::from(schematic.canonical.clone());
        collector.schematic(&repository, text).map_err(OrderError::Encode)?;
    }
    note(&mut collector, order);
    Ok(collector.finish())
}

/// The schematics as they are registered, each once.
async fn stored(texts: &[Vec<u8>]) -> Result<Vec<Arc<Stored>>, OrderError> {
    let register = Register::new(Arc::new(MemoryRecords::default()));
    let mut stored = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let created = register.create(text).await;
        stored.push(created.map_err(|source| OrderError::Schematic { number: index + 1, source })?);
    }
    stored.sort_by_key(|stored| stored.id);
    stored.dedup_by_key(|stored| stored.id);
    Ok(stored)
}

/// What the bundle says about itself.
fn note(collector: &mut Collector<'_>, order: &Order) {
    let versions: Vec<String> = order.versions.iter().map(TalosVersion::to_string).collect();
    collector.note("factory.bundle.versions", &versions.join(" "));
    let arches: Vec<String> = order.arches.iter().flatten().map(Arch::to_string).collect();
    let arches = if arches.is_empty() { "all".to_owned() } else { arches.join(" ") };
    collector.note("factory.bundle.architectures", &arches);
}

struct Gathering<'a> {
    available: &'a Available,
    order: &'a Order,
    collector: Collector<'a>,
}

impl Gathering<'_> {
    /// The images of a version.
    async fn release(&mut self, version: &TalosVersion) -> Result<(), OrderError> {
        let found = self.available.release_images(version, self.order.talosctl).await;
        let found = found.map_err(|source| OrderError::Release { version: version.clone(), source })?;
        let tag = version.to_string();
        let amd64 = self.platforms(|_| BTreeSet::from([Arch::Amd64]));
        for image in found.common.iter().chain(&found.talosctl) {
            self.add(image, Some(&tag), &amd64).await?;
        }
        self.add(&found.installer, Some(&tag), &self.platforms(BTreeSet::clone)).await
    }

    /// What a schematic adds to a version.
    async fn additions(&mut self, version: &TalosVersion, stored: &Stored) -> Result<(), OrderError> {
        let (id, schematic) = (stored.id, &stored.schematic);
        let unavailable = |source| OrderError::Release { version: version.clone(), source };
        let extensions = &schematic.customization.system_extensions;
        if !extensions.official_extensions.is_empty() {
            let entries = self.available.extensions(version).await.map_err(unavailable)?;
            for name in extensions.names().map_err(|source| OrderError::Names { id, source })? {
                let entry = catalog::find(&entries, &name, version);
                let entry = entry.map_err(|source| OrderError::Extension { id, source })?;
                let platforms = self.platforms(BTreeSet::clone);
                self.add(&entry.image(), entry.tag.as_deref(), &platforms).await?;
            }
        }
        if schematic.overlay.is_empty() {
            return Ok(());
        }
        let entries = self.available.overlays(version).await.map_err(unavailable)?;
        let entry = entries.iter().find(|entry| entry.name == schematic.overlay.name);
        let entry = entry.ok_or_else(|| OrderError::Overlay {
            id,
            name: schematic.overlay.name.clone(),
            version: version.clone(),
        })?;
        // Whole: the program in it runs on the factory, whose architecture is not known here.
        self.add(&entry.image_ref(), entry.tag.as_deref(), &Platforms::All).await
    }

    /// Everything, unless the order names architectures.
    fn platforms(&self, of: impl FnOnce(&BTreeSet<Arch>) -> BTreeSet<Arch>) -> Platforms {
        self.order.arches.as_ref().map_or(Platforms::All, |arches| Platforms::Only(of(arches)))
    }

    async fn add(
        &mut self,
        image: &ImageRef,
        tag: Option<&str>,
        platforms: &Platforms,
    ) -> Result<(), OrderError> {
        let added = self.collector.add(image, tag, platforms).await;
        added.map_err(|source| OrderError::Image { image: image.clone(), source })
    }
}
