//! What is said of installers beyond that they are signed: of what they are made, how, and what is inside.

use schematics::TalosVersion;
use serde_json::Value;
use signing::in_toto::{Statement, Subject};

use super::published::Published;
use super::{InstallerRepository, Installers, InstallersError, repository_name};
use crate::documents::{lock, provenance};
use crate::evidence::{EvidenceError, Form};
use crate::images::{Installer, Wanted};

impl Installers {
    /// The statements about the index or one of the images of what is published: for an image what is inside, in both forms;
    /// for the index how it was made, and the lock of each image's archive.
    pub(super) async fn attestations(
        &self,
        repository: InstallerRepository<'_>,
        (version, published): (&TalosVersion, &Published),
        subject: &Subject,
    ) -> Result<Vec<Statement>, InstallersError> {
        let claims = match published.images.iter().find(|image| image.manifest().digest == subject.digest) {
            Some(image) => self.insides(repository, version, image).await?,
            None => self.origins(repository, (version, published)).await?,
        };
        let statement = |(predicate_type, predicate): (&str, Value)| Statement {
            subjects: vec![subject.clone()],
            predicate_type: predicate_type.to_owned(),
            predicate,
        };
        Ok(claims.into_iter().map(statement).collect())
    }

    /// What is inside an image. What a part says about itself and nobody can read is left out, and stays so: there is no
    /// reason not to say the rest.
    async fn insides(
        &self,
        repository: InstallerRepository<'_>,
        version: &TalosVersion,
        image: &Installer,
    ) -> Result<Vec<(&'static str, Value)>, InstallersError> {
        let InstallerRepository { name, stored, keys } = repository;
        let asset = schematics::AssetName::Installer(name.target(image.arch));
        let wanted = Wanted { stored, version, asset: &asset, keys };
        let called = format!("{}-{}", repository_name(name.platform, name.boot), image.arch);
        let mut claims = Vec::new();
        for form in [Form::Spdx, Form::CycloneDx] {
            let subject = (called.as_str(), image.manifest().digest);
            match self.about.contents_of(wanted, subject, form).await {
                Ok(text) => {
                    let document = serde_json::from_slice(&text).map_err(InstallersError::document)?;
                    claims.push((form.predicate_type(), document));
                }
                Err(EvidenceError::Document(error)) => {
                    tracing::warn!(error = crate::log::chain(&*error), "an installer is not told of");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(claims)
    }

    /// Of what the images of an index are made, and how.
    async fn origins(
        &self,
        repository: InstallerRepository<'_>,
        (version, published): (&TalosVersion, &Published),
    ) -> Result<Vec<(&'static str, Value)>, InstallersError> {
        let InstallerRepository { name, stored, keys } = repository;
        let mut locks = Vec::new();
        for image in &published.images {
            let asset = schematics::AssetName::Installer(name.target(image.arch));
            locks.push(self.about.lock(Wanted { stored, version, asset: &asset, keys }).await?);
        }
        let Some((first, others)) = locks.split_first() else { return Ok(Vec::new()) };
        let called = repository_name(name.platform, name.boot);
        let mut claims = vec![(provenance::PREDICATE_TYPE, self.about.provenance(&called, first, others)?)];
        for lock in &locks {
            claims
                .push((lock::PREDICATE_TYPE, serde_json::to_value(lock).map_err(InstallersError::document)?));
        }
        Ok(claims)
    }
}
