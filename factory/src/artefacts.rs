//! Use case: images as OCI artefacts, for whoever pulls files from a registry as `oras pull` does.
//!
//! A tag is a version: an index with one artefact for each architecture, as clients choose by platform. The same tag with
//! `-amd64` or `-arm64` behind it is the artefact itself. A layer is a file as the download routes have it, so nothing is
//! stored for it but its digest, and what was told is composed again whenever it is asked for.

mod document;
mod entry;
mod error;
mod name;

use std::sync::Arc;

use builder::RecordStore;
use builder::store::Blob;
use extensions::oci::{INDEX, MANIFEST};
use futures::future::try_join_all;
use schematics::{Arch, AssetName, Digest, TalosVersion};

use crate::available::Available;
use crate::companions::Companions;
use crate::images::{Image, Images, Wanted};
use crate::keys::KeySet;
use crate::register::Stored;
use crate::repository::{BlobContent, Document, LATEST, Reference, TagError, had, version_of};
use document::Layer;
use entry::{Entries, Entry, Part};
pub use error::ArtefactsError;
pub use name::ArtefactName;

/// One repository.
#[derive(Debug, Clone, Copy)]
pub struct ArtefactRepository<'a> {
    /// What is in it.
    pub name: ArtefactName,
    /// Of which schematic.
    pub stored: &'a Stored,
    /// The keys that sign for whom the request came to, if there are any.
    pub keys: Option<&'a Arc<KeySet>>,
}

/// Serves images as artefacts. Clones share everything.
#[derive(Debug, Clone)]
pub struct Artefacts {
    images: Images,
    available: Available,
    companions: Companions,
    entries: Entries,
}

/// An artefact for one architecture.
struct Composed {
    arch: Arch,
    manifest: Document,
    /// Its files, with the digests of their bytes.
    files: Vec<(Digest, AssetName)>,
}

impl Artefacts {
    /// Artefacts made of these images; their digests are computed by `companions`, and what is told is remembered in
    /// `records`.
    #[must_use]
    pub fn new(
        images: Images,
        available: Available,
        companions: Companions,
        records: Arc<dyn RecordStore>,
    ) -> Self {
        Self { images, available, companions, entries: Entries::new(records) }
    }

    /// The tags of a repository, sorted: the versions its schematic can be had for, each also with the architectures, and
    /// `latest`.
    ///
    /// # Errors
    /// When the versions are not known, or there is nothing of the kind.
    pub async fn tags(&self, repository: ArtefactRepository<'_>) -> Result<Vec<String>, ArtefactsError> {
        let versions = self.available.versions().await.map_err(TagError::Versions)?;
        let mut tags = Vec::new();
        for version in versions.iter() {
            let mut arches = Vec::new();
            for arch in Arch::ALL {
                let files = repository.name.files(arch)?;
                let had = |file: &AssetName| self.images.could_have(repository.stored, version, file);
                arches.extend(files.iter().all(had).then_some(arch));
            }
            tags.extend(arches.iter().map(|arch| format!("{version}-{arch}")));
            if !arches.is_empty() {
                tags.push(version.to_string());
                let is_new = !version.is_prerelease() && !tags.iter().any(|tag| tag == LATEST);
                tags.extend(is_new.then(|| LATEST.to_owned()));
            }
        }
        tags.sort_unstable();
        Ok(tags)
    }

    /// The index or manifest a reference stands for. All that it refers to can be served when this is.
    ///
    /// # Errors
    /// When there is none, or it cannot be made.
    pub async fn document(
        &self,
        repository: ArtefactRepository<'_>,
        reference: &Reference,
    ) -> Result<Document, ArtefactsError> {
        match reference {
            Reference::Tag(tag) => {
                let (version, arch) = self.version(tag).await?;
                self.compose(repository, &version, arch).await
            }
            Reference::Digest(digest) => {
                let unknown = ArtefactsError::NoManifest { digest: *digest };
                let found = self.entries.get(repository, *digest).await?;
                let arch = match &found {
                    Some(Entry { part: Part::Index, .. }) => None,
                    Some(Entry { part: Part::Manifest(arch), .. }) => Some(*arch),
                    Some(Entry { part: Part::File(_), .. }) | None => return Err(unknown),
                };
                let version =
                    found.map(|entry| entry.version).ok_or(ArtefactsError::NoManifest { digest: *digest })?;
                let now = self.compose(repository, &version, arch).await?;
                // Other inputs or other keys made it what it was.
                if now.digest == *digest { Ok(now) } else { Err(unknown) }
            }
        }
    }

    /// A configuration or layer.
    ///
    /// # Errors
    /// When the repository has none by this digest, or it cannot be made again.
    pub async fn blob(
        &self,
        repository: ArtefactRepository<'_>,
        digest: Digest,
    ) -> Result<BlobContent, ArtefactsError> {
        let empty = document::empty();
        if digest == empty.0 {
            return Ok(BlobContent::of(digest, empty.1));
        }
        let unknown = || ArtefactsError::NoBlob { digest };
        let Entry { version, part } = self.entries.get(repository, digest).await?.ok_or_else(unknown)?;
        let Part::File(file) = part else { return Err(unknown()) };
        let (found, image) = self.file(repository, &version, file).await?;
        if found != digest {
            return Err(unknown());
        }
        Ok(BlobContent { digest, layout: image.layout, health: image.health })
    }

    /// The version, and the architecture where one is named, that a tag stands for.
    async fn version(&self, tag: &str) -> Result<(TalosVersion, Option<Arch>), ArtefactsError> {
        let named = tag.rsplit_once('-').and_then(|(version, arch)| {
            Some((version, Arch::ALL.into_iter().find(|known| known.name() == arch)?))
        });
        let (text, arch) = named.map_or((tag, None), |(version, arch)| (version, Some(arch)));
        Ok((version_of(text, &self.available).await?, arch))
    }

    /// The index of a version, or the manifest of one architecture. Remembered before anybody is told its digest.
    async fn compose(
        &self,
        repository: ArtefactRepository<'_>,
        version: &TalosVersion,
        arch: Option<Arch>,
    ) -> Result<Document, ArtefactsError> {
        if let Some(arch) = arch {
            return Ok(self.artefact(repository, version, arch).await?.manifest);
        }
        let [amd64, arm64] = Arch::ALL.map(|arch| self.artefact(repository, version, arch));
        let (amd64, arm64) = tokio::join!(amd64, arm64);
        let made = had([amd64, arm64])?;
        let entries: Vec<(Arch, Blob)> = made
            .iter()
            .map(|made| {
                let Document { digest, bytes, .. } = &made.manifest;
                (made.arch, Blob { digest: *digest, size: bytes.len() as u64 })
            })
            .collect();
        let index = document::index(repository.name.artifact_type(), &entries)?;
        let index = Document::new(INDEX, index);
        self.entries
            .put(repository, index.digest, &Entry { version: version.clone(), part: Part::Index })
            .await?;
        Ok(index)
    }

    async fn artefact(
        &self,
        repository: ArtefactRepository<'_>,
        version: &TalosVersion,
        arch: Arch,
    ) -> Result<Composed, ArtefactsError> {
        let wanted = repository.name.files(arch)?;
        let opened = try_join_all(wanted.iter().map(|file| self.file(repository, version, *file))).await?;
        let layers = wanted.iter().zip(&opened).map(|(file, (digest, image))| Layer {
            title: file.to_string(),
            blob: Blob { digest: *digest, size: image.layout.len() },
        });
        let layers: Vec<Layer> = layers.collect();
        let manifest = document::manifest(repository.name.artifact_type(), &layers, version)?;
        let manifest = Document::new(MANIFEST, manifest);
        let files: Vec<_> = opened.iter().map(|(digest, _)| *digest).zip(wanted).collect();
        let composed = Composed { arch, manifest, files };
        self.remember(repository, version, &composed).await?;
        Ok(composed)
    }

    /// A file, and the digest of its bytes.
    async fn file(
        &self,
        repository: ArtefactRepository<'_>,
        version: &TalosVersion,
        asset: AssetName,
    ) -> Result<(Digest, Image), ArtefactsError> {
        let ArtefactRepository { stored, keys, .. } = repository;
        let image = self.images.open(Wanted { stored, version, asset: &asset, keys }).await?;
        Ok((self.companions.sha256(&image).await?, image))
    }

    async fn remember(
        &self,
        repository: ArtefactRepository<'_>,
        version: &TalosVersion,
        composed: &Composed,
    ) -> Result<(), ArtefactsError> {
        let manifest = Entry { version: version.clone(), part: Part::Manifest(composed.arch) };
        self.entries.put(repository, composed.manifest.digest, &manifest).await?;
        for (digest, file) in &composed.files {
            let file = Entry { version: version.clone(), part: Part::File(*file) };
            self.entries.put(repository, *digest, &file).await?;
        }
        Ok(())
    }
}
