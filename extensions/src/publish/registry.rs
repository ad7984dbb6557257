//! Pushing to a registry.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::BlobStore;
use futures::StreamExt as _;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::header::HeaderValue;
use schematics::Digest;

use super::{Publication, PublishError, Publisher};
use crate::reference::{Repository, is_tag};
use crate::source::RegistryOptions;

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
            ..ClientConfig::default()
        });
        let auth = options.credentials.for_push(host);
        Self { client, host: host.to_owned(), namespace, auth }
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
        let media_type = HeaderValue::from_str(&image.media_type)
            .map_err(|error| failed(OciDistributionError::GenericError(Some(error.to_string()))))?;
        let document = image.document.clone();
        self.client.push_manifest_raw(reference, document, media_type).await.map_err(failed)?;
        Ok(())
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
        let name = repository.below(self.namespace.as_ref()).to_string();
        let tagged = Reference::with_tag(self.host.clone(), name.clone(), tag.to_owned());
        let authorised = self.client.auth(&tagged, &self.auth, RegistryOperation::Push).await;
        authorised.map_err(|source| push_error(&tagged, source))?;
        for child in &image.children {
            let reference = Reference::with_digest(self.host.clone(), name.clone(), child.digest.to_string());
            self.push(&reference, child, store).await?;
        }
        self.push(&tagged, image, store).await?;
        Ok(image.digest)
    }
}

fn push_error(reference: &Reference, source: OciDistributionError) -> PublishError {
    PublishError::Push { what: reference.to_string(), source: Box::new(source) }
}
