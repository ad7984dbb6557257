//! Making a Talos release from files, and publishing it the way Talos' own are.
//!
//! For people with a kernel of their own: what comes out is read by this factory, and by every other, as one of Talos'
//! releases. The same files give the same images, byte for byte; only signatures differ, since ECDSA is random.

mod catalog;
mod image;
mod inputs;
mod pack;
mod shelf;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use builder::store::{BlobStore, DirStore, StoreError};
use extensions::manifest::ManifestError;
use extensions::reference::{ImageName, NameError, Repository};
use extensions::{Publication, PublishError};
use schematics::{Arch, TalosVersion};
use signing::{KeyError, SigningKey};

pub use shelf::Target;

use shelf::Shelf;

use catalog::{Described, Overlay};
use image::Recipes;
use inputs::Checked;

/// The files a release is made of.
#[derive(Debug, Clone)]
pub struct Files {
    /// The version; also the tag of its images.
    pub version: TalosVersion,
    /// By architecture, a directory with `vmlinuz`, `initramfs.xz`, `systemd-stub.efi` and `systemd-boot.efi`. Everything
    /// else must be there for each of these architectures.
    pub artifacts: BTreeMap<Arch, PathBuf>,
    /// By architecture, the root of the base installer image; may be empty.
    pub installer_base: BTreeMap<Arch, PathBuf>,
    /// Extensions: `DIR/<arch>/manifest.yaml` and `DIR/<arch>/rootfs/`. Their tag is the version in the manifest.
    pub extensions: Vec<(Repository, PathBuf)>,
    /// Overlays by name: `DIR/<arch>/installers/<name>` and what it needs. Their repository is `siderolabs/<name>`.
    pub overlays: Vec<(String, PathBuf)>,
    /// A directory of `talosctl-<os>-<arch>[.exe]`.
    pub talosctl: Option<PathBuf>,
}

/// Why a release was not made.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No architecture at all.
    #[error("a release needs `--artifacts` of at least one architecture")]
    NoArtifacts,
    /// A file or directory is not there, or cannot be read.
    #[error("could not read {path}")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is not what it should be.
    #[error("{path} is not {expected}")]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What was expected.
        expected: String,
    },
    /// An extension's manifest cannot be used.
    #[error("could not use {path}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A version of an extension that cannot be a tag.
    #[error("{path} says version `{version}`, which cannot be the tag of an image")]
    Version {
        /// The manifest.
        path: PathBuf,
        /// The version.
        version: String,
    },
    /// Something is given for an architecture the release does not have, or twice.
    #[error("{what}")]
    Arguments {
        /// What is wrong.
        what: String,
    },
    /// A name that cannot be a repository.
    #[error("`{name}` cannot be the name of an image")]
    Name {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A directory could not be packed.
    #[error("could not pack {what}")]
    Pack {
        /// The image.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Packed layers could not be kept.
    #[error("could not keep a packed layer")]
    Store(#[source] StoreError),
    /// There is no room to work in.
    #[error("could not make a directory for the work")]
    Work(#[source] io::Error),
    /// Signing failed.
    #[error("could not sign {what}")]
    Sign {
        /// The image.
        what: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The target did not take it.
    #[error("could not publish {what}")]
    Publish {
        /// The image.
        what: String,
        /// Why.
        #[source]
        source: PublishError,
    },
}

/// Makes the release and publishes it; returns the name and digest of every image, in the order they were published.
///
/// All files are checked before anything is published. The image that makes the version visible, `siderolabs/imager`,
/// goes last, and each signature goes before its image: a reader never sees half a release.
///
/// # Errors
/// When a file is not what it should be, or the target does not take an image.
pub async fn make(
    files: &Files,
    target: Target,
    key: Option<SigningKey>,
) -> Result<Vec<ImageName>, ReleaseError> {
    let checked = inputs::check(files)?;
    let work = tempfile::tempdir().map_err(ReleaseError::Work)?;
    let store: Arc<dyn BlobStore> = Arc::new(DirStore::open(work.path()).map_err(ReleaseError::Work)?);
    let mut shelf = Shelf::open(target, key, Arc::clone(&store))?;
    let recipes = Recipes { version: &files.version, arches: &checked.arches, store: &store };
    publish_extensions(&checked, &recipes, &mut shelf).await?;
    publish_overlays(&checked, &recipes, &mut shelf).await?;
    let tag = files.version.to_string();
    if let Some(dir) = &files.talosctl {
        let image = recipes.talosctl(dir).await?;
        shelf.put(&fixed("siderolabs/talosctl-all")?, &tag, &image).await?;
    }
    if !files.installer_base.is_empty() {
        let image = recipes.installer_base(&files.installer_base).await?;
        shelf.put(&fixed(inputs::installer_repository(&files.version))?, &tag, &image).await?;
    }
    let image = recipes.imager(&checked.artifacts).await?;
    shelf.put(&fixed("siderolabs/imager")?, &tag, &image).await?;
    Ok(shelf.finish())
}

async fn publish_extensions(
    checked: &Checked,
    recipes: &Recipes<'_>,
    shelf: &mut Shelf,
) -> Result<(), ReleaseError> {
    let mut described = Vec::new();
    for extension in &checked.extensions {
        let image = recipes.directories(&extension.roots, extension.name.as_str()).await?;
        shelf.put(&extension.name, &extension.manifest.version, &image).await?;
        described.push(Described {
            line: catalog::line(&extension.name, &extension.manifest.version, &image),
            manifest: &extension.manifest,
        });
    }
    let image = catalog_image(recipes, catalog::extensions(&described), "siderolabs/extensions").await?;
    shelf.put(&fixed("siderolabs/extensions")?, &recipes.version.to_string(), &image).await
}

async fn publish_overlays(
    checked: &Checked,
    recipes: &Recipes<'_>,
    shelf: &mut Shelf,
) -> Result<(), ReleaseError> {
    let tag = recipes.version.to_string();
    let mut published = Vec::new();
    for overlay in &checked.overlays {
        let image = recipes.directories(&overlay.roots, &overlay.name).await?;
        shelf.put(&overlay.repository, &tag, &image).await?;
        published.push(Overlay {
            name: &overlay.name,
            image: format!("{}:{tag}", overlay.repository),
            digest: image.digest,
        });
    }
    let image = catalog_image(recipes, catalog::overlays(&published), "siderolabs/overlays").await?;
    shelf.put(&fixed("siderolabs/overlays")?, &tag, &image).await
}

async fn catalog_image(
    recipes: &Recipes<'_>,
    files: Vec<(&'static str, String)>,
    what: &str,
) -> Result<Publication, ReleaseError> {
    let items = files.into_iter().map(|(to, text)| pack::Item::text(to, text)).collect();
    recipes.single(items, what).await
}

/// One of the repositories every release has.
fn fixed(name: &str) -> Result<Repository, ReleaseError> {
    name.parse().map_err(|source| ReleaseError::Name { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests;
