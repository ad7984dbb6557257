//! Pushing to a registry.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::{Blob, BlobStore};
use bytes::Bytes;
use futures::StreamExt as _;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::header::HeaderValue;
use schematics::Digest;

use super::{Publication, PublishError, Publisher};
use crate::reference::{Repository, is_tag};
use crate::source::{BlobStream, RegistryOptions};

/// A registry to push to.
pub struct RegistryPusher {
    client: Client,
    host: String,
    namespace: Option<Repository>,
    auth: RegistryAuth,
}

impl std::fmt::Debug for RegistryPusher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryPusher").field("host", &self.host).finish_non_exhaustive()
    }
}

impl RegistryPusher {
    /// A registry at `host`, over TLS or not, with what is published put below `namespace`.
    #[must_use]
    pub fn new(tls: bool, host: &str, namespace: Option<Repository>, options: &RegistryOptions) -> Self {
        let client = Client::new(ClientConfig {
            protocol: if tls { ClientProtocol::Https } else { ClientProtocol::Http },
            use_monolithic_push: true,
            read_timeout: Some(options.stall),
            connect_timeout: Some(options.connect),
            extra_root_certificates: options.authorities.for_push(),
            ..ClientConfig::default()
        });
        let auth = options.credentials.for_push(host);
        Self { client, host: host.to_owned(), namespace, auth }
    }

    /// Puts a blob in, which must be one of an image of this repository.
    ///
    /// # Errors
    /// When the bytes are not what they should be, or the registry does not take them.
    pub async fn put_blob(
        &self,
        repository: &Repository,
        blob: Blob,
        bytes: BlobStream,
    ) -> Result<(), PublishError> {
        let digest = blob.digest.to_string();
        let reference = self.authorised(repository, &digest).await?;
        let bytes =
            bytes.map(|piece| piece.map_err(|error| OciDistributionError::IoError(io::Error::other(error))));
        let pushed = self.client.push_blob_stream(&reference, bytes, &digest, Some(blob.size)).await;
        pushed.map(drop).map_err(|source| push_error(&reference, source))
    }

    /// Puts a manifest or index in, under a tag or its digest.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        reference: &str,
        media_type: &str,
        document: Bytes,
    ) -> Result<(), PublishError> {
        let reference = self.authorised(repository, reference).await?;
        self.put_document(&reference, media_type, document).await
    }

    /// A tag or digest of a repository of ours that may be written to.
    async fn authorised(&self, repository: &Repository, name: &str) -> Result<Reference, PublishError> {
        let repository = repository.below(self.namespace.as_ref()).to_string();
        let reference = if name.contains(':') {
            Reference::with_digest(self.host.clone(), repository, name.to_owned())
        } else {
            Reference::with_tag(self.host.clone(), repository, name.to_owned())
        };
        let authorised = self.client.auth(&reference, &self.auth, RegistryOperation::Push).await;
        authorised.map_err(|source| push_error(&reference, source))?;
        Ok(reference)
    }

    async fn put_document(
        &self,
        reference: &Reference,
        media_type: &str,
        document: Bytes,
    ) -> Result<(), PublishError> {
        let failed = |source| push_error(reference, source);
        let media_type = HeaderValue::from_str(media_type)
            .map_err(|error| failed(OciDistributionError::GenericError(Some(error.to_string()))))?;
        self.client.push_manifest_raw(reference, document, media_type).await.map(drop).map_err(failed)
    }

    async fn push(
        &self,
        reference: &Reference,
        image: &Publication,
        store: &Arc<dyn BlobStore>,
    ) -> Result<(), PublishError> {
        let failed = |source| push_error(reference, source);
        for (blob, content) in &image.blobs {
            let digest = blob.digest.to_string();
            if self.client.blob_exists(reference, &digest).await.map_err(failed)? {
                continue;
            }
            let bytes = content.read(Arc::clone(store), 0..content.len());
            let bytes = bytes
                .map(|piece| piece.map_err(|error| OciDistributionError::IoError(io::Error::other(error))));
            let pushed = self.client.push_blob_stream(reference, bytes, &digest, Some(blob.size)).await;
            pushed.map_err(failed)?;
        }
        self.put_document(reference, &image.media_type, image.document.clone()).await
    }
}

#[async_trait]
impl Publisher for RegistryPusher {
    async fn publish(
        &self,
        repository: &Repository,
        tag: &str,
        image: &Publication,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Digest, PublishError> {
        if !is_tag(tag) {
            return Err(PublishError::Tag(tag.to_owned()));
        }
        let tagged = self.authorised(repository, tag).await?;
        for child in &image.children {
            let reference = Reference::with_digest(
                self.host.clone(),
                tagged.repository().to_owned(),
                child.digest.to_string(),
            );
            self.push(&reference, child, store).await?;
        }
        self.push(&tagged, image, store).await?;
        Ok(image.digest)
    }
}

fn push_error(reference: &Reference, source: OciDistributionError) -> PublishError {
    PublishError::Push { what: reference.to_string(), source: Box::new(source) }
}
