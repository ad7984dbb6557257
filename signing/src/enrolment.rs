//! What a machine needs to believe in our images: PK, KEK and db.

use schematics::{Blame, Blamed};
use uuid::{Builder, Uuid, Variant, Version};

use crate::auth::{self, AuthError, Update, Variable};
use crate::certificate::Certificate;
use crate::esl::{SignatureDatabase, X509};
use crate::hash::HashAlgorithm;
use crate::key::VerifyError;
use crate::pkcs7::Pkcs7Error;
use crate::signer::Signer;
use crate::well_known::{self, WellKnown};

/// Files that are enrolled as they are, as their owner made them.
#[derive(Debug, Clone, Default)]
pub struct OwnFiles {
    /// `PK.auth`.
    pub pk: Option<Vec<u8>>,
    /// `KEK.auth`.
    pub kek: Option<Vec<u8>>,
    /// `db.auth`.
    pub db: Option<Vec<u8>>,
}

/// Why files cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Some of the three, but not all.
    #[error("{missing}.auth is missing: PK, KEK and db are enrolled together, as all three files or as none")]
    Incomplete {
        /// The first that is missing.
        missing: Variable,
    },
    /// A file is no update.
    #[error("{variable}.auth is not a signed update of a UEFI variable")]
    File {
        /// Of which variable it should be.
        variable: Variable,
        /// Why it is not.
        #[source]
        source: AuthError,
    },
    /// Firmware would refuse it.
    #[error(
        "{variable}.auth is not signed as an update of {variable}: it was changed, or is about another variable"
    )]
    Signature {
        /// Of which variable it should be.
        variable: Variable,
        /// With which key it was checked.
        #[source]
        source: VerifyError,
    },
    /// It would leave the machine with nothing to believe in.
    #[error("{variable}.auth holds no certificate")]
    Empty {
        /// Of which variable it is.
        variable: Variable,
    },
}

impl Blamed for EnrolmentError {
    /// The files are the operator's.
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

/// The three updates that make a machine in setup mode believe in a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pk: Vec<u8>,
    kek: Vec<u8>,
    db: Vec<u8>,
}

impl Enrolment {
    /// Makes the updates with one key for everything: its certificate is the PK, and stands first in KEK and db, in front
    /// of those of `others` that belong there.
    ///
    /// # Errors
    /// When the certificate is not about the signer's key, or the key does not sign.
    pub async fn sign(
        signer: &dyn Signer,
        certificate: &Certificate,
        others: &[WellKnown],
    ) -> Result<Self, Pkcs7Error> {
        let update = async |variable| {
            auth::sign_update(signer, certificate, variable, &database(certificate, others, variable)).await
        };
        let (pk, kek) = (update(Variable::Pk).await?, update(Variable::Kek).await?);
        Ok(Self { pk, kek, db: update(Variable::Db).await? })
    }

    /// Takes files as they are, all three or none.
    ///
    /// # Errors
    /// When some are missing, or one is nothing firmware would take as that variable.
    pub fn from_files(files: OwnFiles) -> Result<Option<Self>, EnrolmentError> {
        let (pk, kek, db) = match files {
            OwnFiles { pk: None, kek: None, db: None } => return Ok(None),
            OwnFiles { pk: Some(pk), kek: Some(kek), db: Some(db) } => (pk, kek, db),
            OwnFiles { pk, kek, .. } => {
                let behind = if kek.is_none() { Variable::Kek } else { Variable::Db };
                return Err(EnrolmentError::Incomplete {
                    missing: if pk.is_none() { Variable::Pk } else { behind },
                });
            }
        };
        let enrolment = Self { pk, kek, db };
        for variable in Variable::ALL {
            check(variable, enrolment.auth(variable))?;
        }
        Ok(Some(enrolment))
    }

    /// The content of `<variable>.auth`.
    #[must_use]
    pub fn auth(&self, variable: Variable) -> &[u8] {
        match variable {
            Variable::Pk => &self.pk,
            Variable::Kek => &self.kek,
            Variable::Db => &self.db,
        }
    }
}

/// What `variable` holds on a machine that believes in `certificate` and `others`.
#[must_use]
pub fn database(certificate: &Certificate, others: &[WellKnown], variable: Variable) -> SignatureDatabase {
    let mut database = SignatureDatabase::default();
    database.add(X509, owner(certificate), certificate.to_der());
    for other in others.iter().filter(|other| other.variable == variable) {
        database.add(X509, well_known::OWNER, other.der);
    }
    database
}

/// Whom firmware notes as the owner of a certificate: a UUID made of its PEM text, as Talos' imager makes it.
#[must_use]
pub fn owner(certificate: &Certificate) -> Uuid {
    let text = certificate.to_pem();
    let digest = HashAlgorithm::Sha256.hash(&[Uuid::NAMESPACE_X500.as_bytes(), text.as_bytes()].concat());
    let bytes = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    // Version 4 says "random", which it is not; but it is the one in use.
    Builder::from_bytes(bytes).with_version(Version::Random).with_variant(Variant::RFC4122).into_uuid()
}

fn check(variable: Variable, file: &[u8]) -> Result<(), EnrolmentError> {
    let update = Update::from_bytes(file).map_err(|source| EnrolmentError::File { variable, source })?;
    update.verify(variable).map_err(|source| EnrolmentError::Signature { variable, source })?;
    if update.content().entries(X509).next().is_none() {
        return Err(EnrolmentError::Empty { variable });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
