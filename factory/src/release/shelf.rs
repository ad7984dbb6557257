//! Where a release is put.

use std::sync::Arc;

use builder::store::BlobStore;
use extensions::reference::{ImageName, Repository};
use extensions::source::RegistryOptions;
use extensions::{LayoutWriter, Publication, Publisher, RegistryPusher, SourceSpec};
use schematics::Digest;
use signing::{SigningKey, cosign};

use super::ReleaseError;
use super::catalog::REGISTRY;

/// A place for images, and how to reach it.
#[derive(Debug, Clone)]
pub struct Target {
    /// A layout directory, made where there is none, or a registry.
    pub place: SourceSpec,
    /// For a registry.
    pub options: RegistryOptions,
}

/// A place that takes images, signs them where there is a key, and remembers their names.
pub(super) struct Shelf {
    place: Box<dyn Publisher>,
    key: Option<SigningKey>,
    store: Arc<dyn BlobStore>,
    done: Vec<ImageName>,
}

impl Shelf {
    pub(super) fn open(
        target: Target,
        key: Option<SigningKey>,
        store: Arc<dyn BlobStore>,
    ) -> Result<Self, ReleaseError> {
        let what = target.place.to_string();
        let place: Box<dyn Publisher> = match target.place {
            SourceSpec::Layout(dir) => {
                let opened = LayoutWriter::open(dir);
                Box::new(opened.map_err(|source| ReleaseError::Publish { what, source })?)
            }
            SourceSpec::Registry { tls, host, namespace } => {
                Box::new(RegistryPusher::new(tls, &host, namespace, &target.options))
            }
        };
        Ok(Self { place, key, store, done: Vec::new() })
    }

    /// Publishes an image, its signature first.
    pub(super) async fn put(
        &mut self,
        repository: &Repository,
        tag: &str,
        image: &Publication,
    ) -> Result<(), ReleaseError> {
        let name = ImageName {
            registry: None,
            repository: repository.clone(),
            tag: Some(tag.to_owned()),
            digest: Some(image.digest),
        };
        let failed = |source| ReleaseError::Publish { what: name.to_string(), source };
        if let Some(key) = &self.key {
            let signature = sign(key, image.digest, repository)?;
            let signature = Publication::signature(signature, &self.store).await.map_err(failed)?;
            let tag = cosign::tag(&image.digest);
            self.place.publish(repository, &tag, &signature, &self.store).await.map_err(failed)?;
        }
        self.place.publish(repository, tag, image, &self.store).await.map_err(failed)?;
        self.done.push(name);
        Ok(())
    }

    /// The names of what was published.
    pub(super) fn finish(self) -> Vec<ImageName> {
        self.done
    }
}

fn sign(
    key: &SigningKey,
    digest: Digest,
    repository: &Repository,
) -> Result<cosign::ImageSignature, ReleaseError> {
    let reference = format!("{REGISTRY}/{repository}");
    cosign::sign(key, &digest, &reference)
        .map_err(|source| ReleaseError::Sign { what: format!("{repository}@{digest}"), source })
}
