//! Everything a schematic adds to the initramfs of a release.

use std::sync::Arc;

use builder::image::{ImageLayout, VirtualImage};
use builder::recipe::initramfs::{self as recipe, Codec, InitramfsError, InitramfsInputs};
use builder::store::{Blob, BlobStore, StoreError};
use builder::tree::{Dir, Meta, Node, Tree, TreeError};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::schematic::Schematic;
use schematics::{Arch, Blame, Blamed, Feature, TalosVersion};

use crate::cook::{CookError, CookedExtension, CookedLayer, ExtensionImage, Firmware, Kitchen};
use crate::manifest::{CompatibilityError, extensions_yaml};
use crate::modules_dep::{ModulesError, modules_dep};
use crate::parts::{AMD_MICROCODE, INTEL_MICROCODE};
use crate::pull::{Limits, pull_tree};
use crate::reference::ImageRef;
use crate::source::ImageSource;
use crate::virtual_extension::{self, VirtualExtension};

/// The time of everything we add, in seconds since 1970.
const MTIME: u32 = 0;
/// The layer with the index of modules; always the topmost.
const MODULES_DEP: &str = "modules.dep.sqsh";

/// An extension whose image is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedExtension {
    /// The name the schematic has for it.
    pub name: String,
    /// Its image, or the index of it for several processors.
    pub image: ImageRef,
}

/// What an initramfs is to be made of, all names resolved.
#[derive(Debug, Clone, Copy)]
pub struct LayerRequest<'a> {
    /// The version of Talos.
    pub version: &'a TalosVersion,
    /// The processor.
    pub arch: Arch,
    /// The schematic's extensions, in its order.
    pub extensions: &'a [ResolvedExtension],
    /// The schematic: its id, its text and its embedded configuration become extensions too.
    pub schematic: &'a Schematic,
    /// Where the factory can be reached; machines learn it from the schematic's extension.
    pub external_url: &'a str,
    /// The release's own initramfs.
    pub initramfs: Blob,
}

/// What is added to the initramfs of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSet {
    /// The squashfs images, `extensions.yaml`, and directories of firmware without any file.
    pub layers: Tree,
    /// Firmware: compressed archives in the order they must be unpacked.
    pub firmware: Vec<VirtualImage>,
    /// Processor microcode, if there is any.
    pub microcode: Option<Tree>,
    /// How the layers are wrapped.
    pub codec: Codec,
}

/// Why there are no layers.
#[derive(Debug, thiserror::Error)]
pub enum LayersError {
    /// An extension does not work with the version.
    #[error(transparent)]
    Compatibility(#[from] CompatibilityError),
    /// The version cannot have a configuration inside.
    #[error("embedding configuration is not supported for Talos version {version}")]
    EmbeddedConfiguration {
        /// The version.
        version: TalosVersion,
    },
    /// An extension could not be cooked.
    #[error(transparent)]
    Cook(#[from] Arc<CookError>),
    /// The modules could not be indexed.
    #[error(transparent)]
    Modules(#[from] Arc<ModulesError>),
    /// A path cannot be part of the initramfs.
    #[error("could not put the layers together")]
    Tree(#[from] TreeError),
    /// The layers do not fit an initramfs.
    #[error("could not put the layers into an archive")]
    Archive(#[from] InitramfsError),
    /// The layers could not be read.
    #[error("could not read the layers")]
    Store(#[from] StoreError),
}

impl Blamed for LayersError {
    fn blame(&self) -> Blame {
        match self {
            Self::Compatibility(error) => error.blame(),
            Self::EmbeddedConfiguration { .. } => Blame::Caller,
            Self::Cook(error) => error.blame(),
            Self::Modules(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Tree(_) | Self::Archive(_) => Blame::Ours,
        }
    }
}

/// One layer and what it is called.
struct Named {
    file: String,
    layer: CookedLayer,
    extension: Option<Arc<CookedExtension>>,
}

/// Makes everything a schematic adds; what was made before is only looked up.
///
/// Layers are numbered in the order of the schematic, its own extension and the embedded configuration behind the
/// others, and stacked in the order of their numbers *as text* (0, 1, 10, 2), as Talos' own imager does. The index of
/// modules comes on top.
///
/// # Errors
/// When an extension cannot be had, does not fit the version or the kernel, or cannot be cooked.
pub async fn layer_set(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    request: &LayerRequest<'_>,
) -> Result<LayerSet, LayersError> {
    let configuration = &request.schematic.customization.embedded_machine_configuration;
    if !configuration.is_empty() && !request.version.supports(Feature::EmbeddedConfig) {
        return Err(LayersError::EmbeddedConfiguration { version: request.version.clone() });
    }
    let mut stack = official(kitchen, source, limits, request).await?;
    for own in own_extensions(request)? {
        let VirtualExtension { manifest, rootfs } = own;
        let layer = kitchen.layer(manifest, &rootfs, &kitchen.store, request.version);
        let layer = layer.await.map_err(Arc::new)?;
        stack.push(Named { file: String::new(), layer, extension: None });
    }
    for (number, named) in stack.iter_mut().enumerate() {
        named.file = format!("{number}.sqsh");
    }
    stack.sort_by_cached_key(|named| named.file.trim_end_matches(".sqsh").to_owned());
    let extensions: Vec<Arc<CookedExtension>> =
        stack.iter().filter_map(|named| named.extension.clone()).collect();
    if let Some(layer) = modules_dep(kitchen, request.initramfs, &extensions, request.version).await? {
        let layer = CookedLayer::clone(&layer);
        stack.push(Named { file: MODULES_DEP.to_owned(), layer, extension: None });
    }
    put_together(kitchen, &stack, &extensions, request.version).await
}

/// The schematic's extensions as they were cooked, in its order.
///
/// # Errors
/// As [`layer_set`].
pub async fn cooked(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    request: &LayerRequest<'_>,
) -> Result<Vec<Arc<CookedExtension>>, LayersError> {
    let named = official(kitchen, source, limits, request).await?;
    Ok(named.into_iter().filter_map(|named| named.extension).collect())
}

/// The schematic's extensions, cooked side by side, in its order.
async fn official(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    request: &LayerRequest<'_>,
) -> Result<Vec<Named>, LayersError> {
    // Owned first: over references this would be a future that cannot be sent to another thread.
    let extensions = request.extensions.iter().cloned();
    let cooked = extensions.map(|ResolvedExtension { name, image }| async move {
        let (image, digest) = (&image, image.digest);
        let wanted = ExtensionImage { name, digest, arch: request.arch };
        let fetch = |scratch: Arc<dyn BlobStore>| async move {
            let pulled = pull_tree(source, image, request.arch, &scratch, limits).await?;
            Ok::<_, crate::source::PullError>(pulled.tree)
        };
        let cooked = kitchen.extension(&wanted, request.version, fetch).await?;
        cooked.layer.manifest.check_compatible(request.version)?;
        Ok(Named { file: String::new(), layer: cooked.layer.clone(), extension: Some(cooked) })
    });
    stream::iter(cooked).buffered(kitchen.options.parallel.get()).try_collect().await
}

/// The extensions that no registry has.
fn own_extensions(request: &LayerRequest<'_>) -> Result<Vec<VirtualExtension>, LayersError> {
    let LayerRequest { schematic, external_url, version, .. } = request;
    let mut own =
        vec![virtual_extension::schematic(schematic.id(), &schematic.canonical(), external_url, version)?];
    let configuration = &schematic.customization.embedded_machine_configuration;
    if !configuration.is_empty() {
        own.push(virtual_extension::embedded_configuration(configuration)?);
    }
    Ok(own)
}

async fn put_together(
    kitchen: &Kitchen,
    stack: &[Named],
    extensions: &[Arc<CookedExtension>],
    version: &TalosVersion,
) -> Result<LayerSet, LayersError> {
    let mut layers = Tree::default();
    let mut firmware = Vec::new();
    for extension in extensions {
        match &extension.firmware {
            Some(Firmware::Member(blob)) => firmware.push(VirtualImage::from_blob(*blob)),
            Some(Firmware::Bare(directories)) => layers.merge(bare(directories)?),
            None => {}
        }
    }
    for Named { file, layer, .. } in stack {
        kitchen.checksums.know(layer.squashfs, layer.crc32);
        layers.insert_file(file, 0o644, VirtualImage::from_blob(layer.squashfs))?;
    }
    let list = extensions_yaml(stack.iter().map(|named| (named.file.as_str(), &named.layer.manifest)));
    layers.insert_file("extensions.yaml", 0o644, VirtualImage::from_bytes(list.into_bytes()))?;
    let codec = if version.supports(Feature::Zstd) {
        Codec::Zstd
    } else {
        let archive = recipe::layers_archive(&layers, MTIME)?;
        Codec::Xz { crc32: kitchen.checksums.crc32(&archive, &kitchen.store).await? }
    };
    Ok(LayerSet { layers, firmware, microcode: microcode(extensions)?, codec })
}

fn bare(directories: &[(String, u16)]) -> Result<Tree, TreeError> {
    let mut tree = Tree::default();
    for (path, mode) in directories {
        let meta = Meta::with_mode(*mode);
        tree.insert(path, Node::Dir(Dir { meta, ..Dir::default() }))?;
    }
    Ok(tree)
}

/// The microcode of all extensions, one behind the other.
fn microcode(extensions: &[Arc<CookedExtension>]) -> Result<Option<Tree>, TreeError> {
    let mut tree = Tree::default();
    let intel = extensions.iter().filter_map(|extension| extension.intel_microcode).collect::<Vec<_>>();
    let amd = extensions.iter().filter_map(|extension| extension.amd_microcode).collect::<Vec<_>>();
    for (path, blobs) in [(INTEL_MICROCODE, intel), (AMD_MICROCODE, amd)] {
        let mut joined = ImageLayout::default();
        blobs.into_iter().for_each(|blob| {
            joined.blob(blob);
        });
        let joined = joined.finish();
        if !joined.is_empty() {
            tree.insert_file(path, 0o644, joined)?;
        }
    }
    Ok((!tree.root.children.is_empty()).then_some(tree))
}

impl LayerSet {
    /// The whole initramfs on top of the release's own.
    ///
    /// # Errors
    /// When something does not fit the archive format.
    pub fn initramfs(&self, base: &VirtualImage) -> Result<VirtualImage, InitramfsError> {
        recipe::lay_out(&InitramfsInputs {
            base,
            microcode: self.microcode.as_ref(),
            firmware: &self.firmware,
            layers: &self.layers,
            codec: self.codec,
            mtime: MTIME,
        })
    }

    /// The microcode alone, as the archive it is in the initramfs; `None` when there is none.
    ///
    /// # Errors
    /// When something does not fit the archive format.
    pub fn microcode_archive(&self) -> Result<Option<VirtualImage>, InitramfsError> {
        self.microcode.as_ref().map(|tree| recipe::microcode_archive(tree, MTIME)).transpose()
    }
}

#[cfg(test)]
mod tests;
