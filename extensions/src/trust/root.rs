//! Certificates, and the authorities and logs that are believed.

use std::fmt;

use schematics::Digest;
use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::Bundle;
use sigstore_verify::{Error, VerificationPolicy, VerificationResult, Verifier};

use super::policy::{Keyless, TrustedSigner};
use super::refusal::Finding;

/// The authorities that certify identities, and the logs that prove when something was signed: Sigstore's
/// `trusted_root.json`.
pub struct TrustRoot {
    verifier: Verifier,
    id: Digest,
    /// Whether certificates must be in a transparency log of their own.
    logged: bool,
}

/// What a certificate proves.
struct Proven {
    identity: String,
    issuer: String,
}

/// A text is no trusted root.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It is not of the form.
    #[error("it is not a trusted root of Sigstore")]
    Form(#[source] Box<sigstore_trust_root::Error>),
    /// What is in it cannot be used.
    #[error("the trusted root cannot be used")]
    Content(#[source] Box<Error>),
    /// It says nothing that a certificate could be checked with.
    #[error("the trusted root names no {0}")]
    Without(&'static str),
}

impl TrustRoot {
    /// That of Sigstore's public instance, as it was when this program was made. Needs no network, and does not learn of
    /// new authorities by itself.
    ///
    /// # Errors
    /// Never in practice: it is part of this program.
    pub fn public_good() -> Result<Self, RootError> {
        Self::from_json(SIGSTORE_PRODUCTION_TRUSTED_ROOT)
    }

    /// Reads a `trusted_root.json`. Certificates must be in a certificate log when it names one.
    ///
    /// # Errors
    /// When it is none, or names no authority or no log.
    pub fn from_json(text: &str) -> Result<Self, RootError> {
        let root = TrustedRoot::from_json(text).map_err(|source| RootError::Form(Box::new(source)))?;
        if root.certificate_authorities.is_empty() {
            return Err(RootError::Without("certificate authority"));
        }
        if root.tlogs.is_empty() {
            return Err(RootError::Without("transparency log"));
        }
        let verifier = Verifier::new(&root).map_err(|source| RootError::Content(Box::new(source)))?;
        Ok(Self { verifier, id: Digest::of(text.as_bytes()), logged: !root.ctlogs.is_empty() })
    }

    /// The digest of its text.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Checks a bundle with a certificate: the chain, at every time that is proven; the log; the signature over
    /// `artefact` or, for a statement, over something about it.
    fn verify(&self, bundle: &Bundle, artefact: &[u8]) -> Result<VerificationResult, Error> {
        let policy = VerificationPolicy::any_identity();
        let policy = if self.logged { policy } else { policy.skip_sct() };
        self.verifier.verify(artefact, bundle, &policy)
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustRoot").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whose identity the certificate of a bundle proves, if it is one of the wanted.
pub(super) fn judge(signers: &[TrustedSigner], bundle: &Bundle, artefact: &[u8]) -> Result<String, Finding> {
    let mut found = Finding::Certificate;
    let mut roots: Vec<(Digest, Result<Proven, Finding>)> = Vec::new();
    for signer in signers {
        let TrustedSigner::Keyless(Keyless { identity, issuer, root }) = signer else { continue };
        if roots.iter().all(|(id, _)| *id != root.id) {
            roots.push((root.id, identified(root.verify(bundle, artefact))));
        }
        match roots.iter().find(|(id, _)| *id == root.id).map(|(_, proven)| proven) {
            Some(Ok(who)) if identity.accepts(&who.identity) && issuer.accepts(&who.issuer) => {
                return Ok(format!("by identity {} of issuer {}", who.identity, who.issuer));
            }
            Some(Ok(Proven { identity, issuer })) => {
                found = Finding::OtherIdentity { identity: identity.clone(), issuer: issuer.clone() };
            }
            Some(Err(why)) if found == Finding::Certificate => found = why.clone(),
            Some(Err(_)) | None => {}
        }
    }
    Err(found)
}

/// The identity and the issuer that are proven. Without both nothing is.
fn identified(verified: Result<VerificationResult, Error>) -> Result<Proven, Finding> {
    match verified {
        Ok(proven) if proven.certificate_verified() && proven.tlog_verified() => {
            match (proven.identity(), proven.issuer()) {
                (Some(identity), Some(issuer)) => {
                    Ok(Proven { identity: identity.as_str().to_owned(), issuer: issuer.to_owned() })
                }
                _ => Err(Finding::Unusable("the certificate has no identity and issuer".to_owned())),
            }
        }
        Ok(_) => Err(Finding::Unusable("the certificate is not proven".to_owned())),
        Err(Error::ArtifactMismatch(_)) => Err(Finding::OtherImage("another".to_owned())),
        Err(error) => Err(Finding::Unusable(error.to_string())),
    }
}
