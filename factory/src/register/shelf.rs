//! Places where schematics are kept besides the records: a repository that factories share, and a bundle.

use std::sync::Arc;

use builder::store::Blob;
use bytes::Bytes;
use extensions::schematic_image::{MAX_SCHEMATIC, SchematicImage};
use extensions::source::{RegistryOptions, RegistrySource, within};
use extensions::{ImageSource, LayoutSource, PublishError, PullError, RegistryPusher, Repository};
use futures::StreamExt as _;
use futures::stream;
use schematics::{Blame, Blamed, Digest, SchematicId};

use crate::config::RepositorySpec;

/// A place where schematics are kept as Image Factory keeps them in a registry: each is a blob whose digest is its id, in
/// an image whose tag is its id.
#[derive(Debug, Clone)]
pub struct Shelf {
    source: Arc<dyn ImageSource>,
    repository: Repository,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A layout. Its blobs belong to no repository, so only what has a tag in this one is a schematic.
    Layout,
    /// A registry, and who writes to it.
    Registry(Option<Arc<RegistryPusher>>),
}

/// Why a place for schematics was of no use.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// It does not answer.
    #[error("could not read {repository}")]
    Read {
        /// The repository.
        repository: Repository,
        /// Why.
        #[source]
        source: PullError,
    },
    /// It does not take the schematic.
    #[error("could not write to {repository}")]
    Write {
        /// The repository.
        repository: Repository,
        /// Why.
        #[source]
        source: PublishError,
    },
    /// The image around it could not be written as JSON.
    #[error("could not write the image of a schematic")]
    Encode(#[source] serde_json::Error),
}

impl Blamed for ShelfError {
    fn blame(&self) -> Blame {
        match self {
            // Nothing a client asks for is missing when the place itself is.
            Self::Read { .. } => Blame::Upstream,
            Self::Write { source, .. } => source.blame(),
            Self::Encode(_) => Blame::Ours,
        }
    }
}

impl Shelf {
    /// Schematics in a repository of a registry. Connects to nothing yet.
    ///
    /// # Errors
    /// When the host is none, or the system's TLS roots cannot be read.
    pub fn registry(
        spec: &RepositorySpec,
        options: &RegistryOptions,
        read_only: bool,
    ) -> Result<Self, PullError> {
        let source = RegistrySource::new(spec.tls, &spec.host, None, options.clone())?;
        let pusher = (!read_only).then(|| Arc::new(RegistryPusher::new(spec.tls, &spec.host, None, options)));
        Ok(Self { source: Arc::new(source), repository: spec.name.clone(), kind: Kind::Registry(pusher) })
    }

    /// Schematics in a repository of a layout.
    #[must_use]
    pub fn layout(source: LayoutSource, repository: Repository) -> Self {
        Self { source: Arc::new(source), repository, kind: Kind::Layout }
    }

    /// The text of a schematic, if it is here.
    pub(super) async fn get(&self, id: SchematicId) -> Result<Option<Bytes>, ShelfError> {
        let found = self.find(id).await;
        found.map_err(|source| ShelfError::Read { repository: self.repository.clone(), source })
    }

    async fn find(&self, id: SchematicId) -> Result<Option<Bytes>, PullError> {
        if matches!(self.kind, Kind::Layout) {
            match self.source.resolve(&self.repository, &id.to_string()).await {
                Err(PullError::NoTag { .. }) => return Ok(None),
                other => other?,
            };
        }
        let Some(blob) = self.blob(id.digest()).await? else { return Ok(None) };
        let bytes = self.source.blob(&self.repository, blob).await?;
        within(bytes, MAX_SCHEMATIC, &format!("schematic {id}")).await.map(Some)
    }

    async fn blob(&self, digest: Digest) -> Result<Option<Blob>, PullError> {
        match self.source.blob_size(&self.repository, digest).await {
            Ok(size) => Ok(Some(Blob { digest, size })),
            Err(PullError::NoContent { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a schematic here, unless it is here already or nothing may be put here.
    pub(super) async fn put(&self, id: SchematicId, text: &Bytes) -> Result<(), ShelfError> {
        let Kind::Registry(Some(pusher)) = &self.kind else { return Ok(()) };
        let unread = |source| ShelfError::Read { repository: self.repository.clone(), source };
        let tag = id.to_string();
        match self.source.resolve(&self.repository, &tag).await {
            Ok(_) => return Ok(()),
            Err(PullError::NoTag { .. }) => {}
            Err(source) => return Err(unread(source)),
        }
        let image = SchematicImage::of(text).map_err(ShelfError::Encode)?;
        let written = |source| ShelfError::Write { repository: self.repository.clone(), source };
        for bytes in [text, &image.config] {
            let blob = Blob { digest: Digest::of(bytes), size: bytes.len() as u64 };
            if self.blob(blob.digest).await.map_err(unread)?.is_none() {
                let stream = stream::iter([Ok(bytes.clone())]).boxed();
                pusher.put_blob(&self.repository, blob, stream).await.map_err(written)?;
            }
        }
        // The tag last: what it names is there.
        let put = pusher.put_manifest(&self.repository, &tag, image.media_type, image.manifest);
        put.await.map_err(written)
    }
}
