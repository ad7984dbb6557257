//! Finding everything that belongs to an image.

use std::collections::BTreeSet;

use builder::store::Blob;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::Digest;

use super::{Bundle, Content, Platforms};
use crate::oci::{Descriptor, Document, INDEX, Index, MANIFEST};
use crate::reference::{ImageName, ImageRef, Repository};
use crate::schematic_image::SchematicImage;
use crate::source::{ImageSource, PullError};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 3;
/// What cosign adds to the digest of an image to name what it says about it; nothing, where an index of referrers has that
/// name (OCI distribution specification 1.1, "Referrers Tag Schema").
const ATTACHED: [&str; 4] = ["", ".att", ".sbom", ".sig"];
/// How many questions are put to the source at a time.
const QUESTIONS: usize = 8;

/// Gathers images of a source for a bundle. Nothing but manifests and indexes is read.
#[derive(Debug)]
pub struct Collector<'a> {
    source: &'a dyn ImageSource,
    bundle: Bundle,
    seen: BTreeSet<(Repository, Digest)>,
}

impl<'a> Collector<'a> {
    /// Gathers images of this source.
    #[must_use]
    pub fn new(source: &'a dyn ImageSource) -> Self {
        Self { source, bundle: Bundle::default(), seen: BTreeSet::new() }
    }

    /// The bundle of all that was gathered.
    #[must_use]
    pub fn finish(self) -> Bundle {
        self.bundle
    }

    /// Adds an image with what is said about it: signatures, attestations and further referrers, of an index as well as of
    /// each image in it. It is named by the tag where that stands for it at the source, and by its digest otherwise.
    ///
    /// # Errors
    /// When the source does not deliver it, or it has none of the platforms.
    pub async fn add(
        &mut self,
        image: &ImageRef,
        tag: Option<&str>,
        platforms: &Platforms,
    ) -> Result<(), PullError> {
        let ImageRef { repository, digest } = image;
        let tag = match tag {
            Some(tag) => self.resolve(repository, tag).await?.filter(|found| found == digest).map(|_| tag),
            None => None,
        };
        let mut documents = Vec::new();
        let described = self.walk(image, platforms, MAX_DEPTH, &mut documents).await?;
        self.name(image, tag, described);
        for document in documents {
            if self.seen.insert((repository.clone(), document)) {
                self.attached(repository, document).await?;
            }
        }
        Ok(())
    }

    /// Adds a schematic, as Image Factory keeps schematics in a registry.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn schematic(&mut self, repository: &Repository, text: Bytes) -> Result<(), serde_json::Error> {
        let image = SchematicImage::of(&text)?;
        let id = self.bundle.keep(text);
        self.bundle.keep(image.config);
        let described = Descriptor::new(image.media_type, blob_of(&image.manifest));
        let digest = self.bundle.keep(image.manifest);
        self.name(
            &ImageRef { repository: repository.clone(), digest },
            Some(&id.hex().to_string()),
            described,
        );
        Ok(())
    }

    /// Says something about the bundle.
    pub fn note(&mut self, name: &str, text: &str) {
        self.bundle.note(name, text);
    }

    fn name(&mut self, image: &ImageRef, tag: Option<&str>, described: Descriptor) {
        let name = ImageName {
            registry: None,
            repository: image.repository.clone(),
            tag: tag.map(str::to_owned),
            digest: tag.is_none().then_some(image.digest),
        };
        self.bundle.name(&name, described);
    }

    /// What a tag stands for, if there is such a tag.
    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Option<Digest>, PullError> {
        match self.source.resolve(repository, tag).await {
            Ok(digest) => Ok(Some(digest)),
            Err(PullError::NoTag { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds what is said about a document.
    async fn attached(&mut self, repository: &Repository, document: Digest) -> Result<(), PullError> {
        let tags = ATTACHED.map(|suffix| format!("sha256-{}{suffix}", document.hex()));
        let found: Vec<(String, Option<Digest>)> = {
            let asked = tags.into_iter().map(|tag| async {
                let digest = match self.resolve(repository, &tag).await {
                    Err(error @ PullError::Untrusted(_)) => {
                        tracing::warn!(%error, "left out: it lies where signatures do, and is none");
                        None
                    }
                    resolved => resolved?,
                };
                Ok::<_, PullError>((tag, digest))
            });
            // Gathered first: a lazy iterator of references would make this future one that cannot be sent to a thread.
            let asked: Vec<_> = asked.collect();
            stream::iter(asked).buffered(QUESTIONS).try_collect().await?
        };
        for (tag, digest) in found {
            let Some(digest) = digest else { continue };
            let image = ImageRef { repository: repository.clone(), digest };
            let described = self.walk(&image, &Platforms::All, MAX_DEPTH, &mut Vec::new()).await?;
            self.name(&image, Some(&tag), described);
        }
        for referrer in self.source.referrers(repository, document).await? {
            // What the tag of referrers lists came with it.
            if self.bundle.blobs.contains_key(&referrer.digest) {
                continue;
            }
            let image = ImageRef { repository: repository.clone(), digest: referrer.digest };
            let described = self.walk(&image, &Platforms::All, MAX_DEPTH, &mut Vec::new()).await?;
            self.name(&image, None, described);
        }
        Ok(())
    }

    /// Adds a document with all that it refers to; tells what it is, and the digests of all documents below it and its own.
    async fn walk(
        &mut self,
        image: &ImageRef,
        platforms: &Platforms,
        depth: usize,
        documents: &mut Vec<Digest>,
    ) -> Result<Descriptor, PullError> {
        let ImageRef { repository, digest } = image;
        let bytes = self.source.manifest(repository, *digest).await?;
        let document = Document::decode(&bytes, *digest)?;
        documents.push(*digest);
        let blob = blob_of(&bytes);
        self.bundle.keep(bytes);
        match document {
            Document::Image(manifest) => {
                for part in manifest.layers.iter().chain([&manifest.config]) {
                    let there = Content::There { repository: repository.clone(), size: part.size };
                    self.bundle.blobs.entry(part.digest).or_insert(there);
                }
                Ok(Descriptor::new(manifest.media_type.as_deref().unwrap_or(MANIFEST), blob))
            }
            Document::Index(index) => {
                if depth == 0 {
                    let what = format!("indexes inside each other in {image}");
                    return Err(PullError::TooMany { what, limit: MAX_DEPTH });
                }
                for entry in wanted(&index, image, platforms)? {
                    let inner = ImageRef { repository: repository.clone(), digest: entry.digest };
                    Box::pin(self.walk(&inner, platforms, depth - 1, documents)).await?;
                }
                Ok(Descriptor::new(index.media_type.as_deref().unwrap_or(INDEX), blob))
            }
        }
    }
}

/// The entries of an index that are wanted.
fn wanted<'i>(
    index: &'i Index,
    image: &ImageRef,
    platforms: &Platforms,
) -> Result<Vec<&'i Descriptor>, PullError> {
    let Platforms::Only(arches) = platforms else { return Ok(index.manifests.iter().collect()) };
    let fits = |entry: &&Descriptor| {
        let nested = entry.is_index() && entry.platform.is_none();
        nested || arches.iter().any(|arch| entry.runs_on(*arch))
    };
    let entries: Vec<&Descriptor> = index.manifests.iter().filter(fits).collect();
    match arches.first() {
        Some(arch) if entries.is_empty() => Err(PullError::NoPlatform {
            repository: image.repository.clone(),
            digest: image.digest,
            arch: *arch,
        }),
        Some(_) | None => Ok(entries),
    }
}

fn blob_of(bytes: &Bytes) -> Blob {
    Blob { digest: Digest::of(bytes), size: bytes.len() as u64 }
}
