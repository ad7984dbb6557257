//! What signs: a private key, wherever it is.

use async_trait::async_trait;
use schematics::{Blame, Blamed};

use crate::hash::MessageDigest;
use crate::key::KeyId;
use crate::rsa::RsaPublicKey;

/// A private RSA key that signs digests: in a file, in a token, or with a service that never hands it out.
///
/// Signatures are RSASSA-PKCS1-v1_5 (RFC 8017), which has no randomness: the same digest has the same signature for ever,
/// whoever holds the key. There is no signer that does not sign; an image without signatures is another kind of image.
///
/// Adding one means implementing this and nothing else: callers go through [`sign`], which checks what comes back.
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// The public half, known since the signer was opened. It decides the bytes of what is signed, so it is part of plans.
    fn public_key(&self) -> &RsaPublicKey;

    /// Signs a digest.
    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, SignError>;
}

/// Signs a digest, and checks the signature with the public key: what another key signed is never used.
///
/// # Errors
/// When the signer fails, or its signature does not fit its public key.
pub async fn sign(signer: &dyn Signer, digest: &MessageDigest) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(digest).await?;
    let key = signer.public_key();
    key.verify(digest, &signature).map_err(|_| SignError::WrongKey { expected: key.id() })?;
    Ok(signature)
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The signer cannot be reached, or did not answer in time; trying again later may help.
    #[error("the signer {signer} did not answer")]
    Unavailable {
        /// Where the key is, without credentials.
        signer: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The signer asks to come back later: it is throttled or overloaded.
    #[error("the signer {signer} takes no more requests at the moment")]
    Throttled {
        /// Where the key is, without credentials.
        signer: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The signer answered and refused: no such key, no permission, or nothing it can sign.
    #[error("the signer {signer} refused to sign")]
    Refused {
        /// Where the key is, without credentials.
        signer: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The signature does not fit the public key the signer was opened with.
    #[error(
        "the signature was not made with key {expected}: the signer's key was changed, or its answer was"
    )]
    WrongKey {
        /// The key that should have signed.
        expected: KeyId,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library could not sign")]
    Library,
}

impl Blamed for SignError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unavailable { .. } | Self::Refused { .. } | Self::WrongKey { .. } => Blame::Upstream,
            Self::Throttled { .. } => Blame::Busy,
            Self::Library => Blame::Ours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashAlgorithm;
    use crate::rsa::RsaKey;
    use crate::rsa::tests::{block_on, key};

    /// Signs with another key than the one it claims.
    struct Impostor(RsaKey, RsaKey);

    #[async_trait]
    impl Signer for Impostor {
        fn public_key(&self) -> &RsaPublicKey {
            self.0.public_key()
        }

        async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, SignError> {
            self.1.sign(digest).await
        }
    }

    #[test]
    fn what_another_key_signed_is_not_used() {
        let digest = HashAlgorithm::Sha256.hash(b"x");
        let error = block_on(sign(&Impostor(key(0), key(1)), &digest)).unwrap_err();
        assert!(matches!(error, SignError::WrongKey { expected } if expected == key(0).id()), "{error}");
        assert!(block_on(sign(&Impostor(key(0), key(0)), &digest)).is_ok());
    }
}
