//! What is signed of an installer, found by tag, by digest, and as referrers.

use std::sync::Arc;

use extensions::oci::Index;
use schematics::Digest;
use signing::in_toto::Subject;

use super::entry::What;
use super::evidence::{Evidence, EvidenceTag, signed};
use super::{
    BlobContent, Document, InstallerRepository, Installers, InstallersError, Reference, repository_name,
};

impl Installers {
    /// What refers to an index or manifest: our signed statements about it. `None` when the repository has no such
    /// document, which is no error where referrers are asked for.
    ///
    /// # Errors
    /// When the document cannot be made.
    pub async fn referrers(
        &self,
        repository: InstallerRepository<'_>,
        subject: Digest,
    ) -> Result<Option<Index>, InstallersError> {
        match self.evidence(repository, subject).await {
            Ok(evidence) => Ok(Some(evidence.referrers().clone())),
            Err(InstallersError::NoManifest { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The document of a tag that is made of a digest.
    pub(super) async fn evidence_document(
        &self,
        repository: InstallerRepository<'_>,
        tag: EvidenceTag,
    ) -> Result<Document, InstallersError> {
        Ok(self.evidence(repository, tag.subject()).await?.tagged(tag))
    }

    /// A manifest or index among what is said about `subject`.
    pub(super) async fn evidence_manifest(
        &self,
        repository: InstallerRepository<'_>,
        subject: Digest,
        digest: Digest,
    ) -> Result<Document, InstallersError> {
        let evidence = self.evidence(repository, subject).await?;
        evidence.document(digest).ok_or(InstallersError::NoManifest { digest })
    }

    /// A blob among what is said about `subject`.
    pub(super) async fn evidence_blob(
        &self,
        repository: InstallerRepository<'_>,
        subject: Digest,
        digest: Digest,
    ) -> Result<BlobContent, InstallersError> {
        let bytes = self.evidence(repository, subject).await?.blob(digest);
        Ok(BlobContent::of(digest, bytes.ok_or(InstallersError::NoBlob { digest })?))
    }

    /// All that is said about an index or manifest that the repository has, and that can be served.
    ///
    /// Each statement becomes a signed bundle that refers to it: that it is signed, and of what is known how it was made,
    /// that too. It is composed when it is first asked for, and every digest in it is remembered before anybody is told one.
    async fn evidence(
        &self,
        repository: InstallerRepository<'_>,
        subject: Digest,
    ) -> Result<Arc<Evidence>, InstallersError> {
        let unknown = || InstallersError::NoManifest { digest: subject };
        let entry = self.entries.get(repository, subject).await?.ok_or_else(unknown)?;
        // Nothing is said about what is said about something: there would be no end to it.
        let What::Document(_) = entry.what else { return Err(unknown()) };
        // What cannot be served any more has no evidence either.
        let document = Box::pin(self.document(repository, &Reference::Digest(subject))).await?;
        let reference = self.reference(repository);
        // Only of what is published now is known of what it was made.
        let published = self.published(repository, &entry.version).await.ok();
        let published = published.filter(|published| published.document(subject).is_some());
        let key = (reference.clone(), subject, published.is_some());
        let compose = async {
            let about = Subject { name: reference.clone(), digest: subject };
            let mut statements = vec![signed(about.clone())];
            if let Some(published) = published {
                let published = (&entry.version, &*published);
                statements.extend(self.attestations(repository, published, &about).await?);
            }
            let evidence = Evidence::compose(&self.signer.seal, &document, &reference, &statements)?;
            self.entries.put_evidence(repository, (&entry.version, subject), evidence.digests()).await?;
            Ok::<_, InstallersError>(Arc::new(evidence))
        };
        let evidence = self.evidence.try_get_with(key, Box::pin(compose)).await;
        evidence.map_err(|error| InstallersError::clone(&error))
    }

    /// The name of a repository with the host.
    fn reference(&self, repository: InstallerRepository<'_>) -> String {
        let InstallerRepository { name, stored, .. } = repository;
        format!("{}/{}/{}", self.signer.host, repository_name(name.platform, name.boot), stored.id)
    }
}
