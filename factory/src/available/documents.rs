//! What releases and extensions say about themselves.

use std::sync::Arc;

use extensions::cook::CookedExtension;
use extensions::layer_set::{LayerRequest, cooked};
use extensions::sbom::{SbomFile, extension_documents, release_documents};

use super::{Available, Unavailable};

/// What an extension is and says.
#[derive(Debug, Clone)]
pub struct ToldExtension {
    /// The extension, as it was cooked.
    pub cooked: Arc<CookedExtension>,
    /// The documents it has.
    pub documents: Vec<SbomFile>,
}

impl Available {
    /// The documents of a release about what is inside it, from its initramfs.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn release_documents(&self, initramfs: builder::Blob) -> Result<Vec<SbomFile>, Unavailable> {
        release_documents(self.kitchen(), initramfs).await.map_err(Unavailable::new)
    }

    /// A schematic's extensions with the documents they have, in its order.
    ///
    /// # Errors
    /// When an extension cannot be had, or its documents cannot be read.
    pub async fn told_extensions(
        &self,
        request: &LayerRequest<'_>,
    ) -> Result<Vec<ToldExtension>, Unavailable> {
        let found = cooked(self.kitchen(), self.source(), self.limits(), request).await;
        let mut told = Vec::new();
        for cooked in found.map_err(Unavailable::new)? {
            let documents = extension_documents(self.kitchen(), &cooked).await.map_err(Unavailable::new)?;
            told.push(ToldExtension { cooked, documents });
        }
        Ok(told)
    }
}
