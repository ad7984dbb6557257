//! Keys that sign what the factory serves: ECDSA on the curve P-256, and Ed25519.

mod ed25519;
mod error;
mod p256;
mod pieces;

use std::fmt;

use schematics::Digest;
use zeroize::Zeroizing;

use crate::pem;
pub use error::{KeyError, VerifyError};
pub use pieces::Verification;

const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const SPKI: &str = "PUBLIC KEY";
/// How keys are called in errors.
const KIND: &str = "an ECDSA P-256 or Ed25519 key";

/// An algorithm of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on the curve P-256 over SHA-256, deterministic as RFC 6979 has it; signatures in ASN.1 DER.
    EcdsaP256,
    /// Ed25519 (RFC 8032), over the message itself; signatures of 64 bytes.
    Ed25519,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::Ed25519 => "Ed25519",
        })
    }
}

/// The name of a key: the SHA-256 of its public part as SubjectPublicKeyInfo in DER. A key has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

impl KeyId {
    /// The name of the key with this SubjectPublicKeyInfo.
    pub(crate) fn of(spki: &[u8]) -> Self {
        Self(Digest::of(spki))
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    parsed: Public,
}

#[derive(Debug, Clone)]
enum Public {
    P256(p256::Public),
    Ed25519(ed25519::Public),
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Reads the first `PUBLIC KEY` block of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it holds anything but an uncompressed point on P-256 or an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, der) = pem::find(text, &[SPKI]).ok_or(KeyError::Pem { expected: SPKI })?;
        Self::from_der(&der)
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// As [`PublicKey::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = match ed25519::Public::from_der(der) {
            Some(key) => Public::Ed25519(key?),
            None => Public::P256(p256::Public::from_der(der)?),
        };
        Ok(Self { spki: der.to_vec(), parsed })
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.spki
    }

    /// A `PUBLIC KEY` block, as `cosign verify --key` and `openssl -verify` take it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write(SPKI, &self.spki).to_string()
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.spki)
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        match self.parsed {
            Public::P256(_) => KeyAlgorithm::EcdsaP256,
            Public::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// Checks that `signature` was made over `message` with this key.
    ///
    /// # Errors
    /// When it was not, whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let mut pieces = self.verification(signature);
        pieces.update(message);
        pieces.finish()
    }

    /// Begins to check `signature` over a message that comes in pieces.
    #[must_use]
    pub fn verification(&self, signature: &[u8]) -> Verification {
        Verification::new(self, signature)
    }
}

/// A private key.
///
/// It cannot be printed. Its memory is wiped when it is dropped, and so are texts it is read from or written to by this
/// module; what the caller read from a file is the caller's.
///
/// The same message has the same signature, on any machine and day: Ed25519 is made so, and ECDSA is done as RFC 6979 has
/// it. So what is signed can be made again instead of being kept.
#[expect(missing_debug_implementations, reason = "a log line must not be able to leak a key")]
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    P256(Box<p256::Secret>),
    Ed25519(Box<ed25519::Secret>),
}

impl SigningKey {
    /// A new ECDSA P-256 key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(KeyAlgorithm::EcdsaP256)
    }

    /// A new key for this algorithm.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        match algorithm {
            KeyAlgorithm::EcdsaP256 => Self::with(Secret::P256(Box::new(p256::Secret::generate()?))),
            KeyAlgorithm::Ed25519 => Self::with(Secret::Ed25519(Box::new(ed25519::Secret::generate()?))),
        }
    }

    /// Reads the first `PRIVATE KEY` (PKCS#8) or, for P-256, `EC PRIVATE KEY` (SEC1) block of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it does not hold a key on P-256 or an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let expected = "PRIVATE KEY` or `EC PRIVATE KEY";
        let (label, der) = pem::find(text, &[PKCS8, SEC1]).ok_or(KeyError::Pem { expected })?;
        let secret = if label == SEC1 {
            p256::Secret::from_sec1(&der).map(|key| Secret::P256(Box::new(key)))
        } else {
            let p256 = p256::Secret::from_pkcs8(&der).map(|key| Secret::P256(Box::new(key)));
            p256.or_else(|| ed25519::Secret::from_pkcs8(&der).map(|key| Secret::Ed25519(Box::new(key))))
        };
        Self::with(secret.ok_or(KeyError::Kind { label, expected: KIND })?)
    }

    fn with(secret: Secret) -> Result<Self, KeyError> {
        let spki = match &secret {
            Secret::P256(key) => key.spki(),
            Secret::Ed25519(key) => key.spki(),
        };
        Ok(Self { public: PublicKey::from_der(&spki)?, secret })
    }

    /// A `PRIVATE KEY` block (PKCS#8) to keep in a file; wiped when dropped.
    ///
    /// # Errors
    /// When the library cannot encode the key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der = match &self.secret {
            Secret::P256(key) => key.to_pkcs8(),
            Secret::Ed25519(key) => key.to_pkcs8(),
        };
        let der = der.ok_or(KeyError::Library("encode the key"))?;
        Ok(pem::write(PKCS8, &der))
    }

    /// The public key that belongs to it.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Its name, which is that of the public key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm()
    }

    /// Signs `message`. The same signature each time.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.sign_digest(&Digest::of(message)) {
            Some(signature) => signature,
            None => self.sign_pieces(|take| {
                take(message);
                Ok::<_, KeyError>(())
            })?,
        }
    }

    /// Signs the message with this SHA-256, which is all that ECDSA needs of it; `None` for Ed25519, which needs all of it.
    /// The signature is that of [`SigningKey::sign`].
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn sign_digest(&self, digest: &Digest) -> Option<Result<Vec<u8>, KeyError>> {
        match &self.secret {
            Secret::P256(key) => Some(key.sign(digest.as_bytes()).ok_or(KeyError::Library("sign"))),
            Secret::Ed25519(_) => None,
        }
    }

    /// Signs a message that is not in memory. `read` gives all of it in pieces, and is asked once for ECDSA and twice for
    /// Ed25519. The signature is that of [`SigningKey::sign`].
    ///
    /// # Errors
    /// The error of `read`; inside, when the library cannot sign.
    pub fn sign_pieces<E>(
        &self,
        read: impl FnMut(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<Result<Vec<u8>, KeyError>, E> {
        let signature = match &self.secret {
            Secret::P256(key) => key.sign(&pieces::digest(read)?),
            Secret::Ed25519(key) => key.sign_pieces(read)?,
        };
        Ok(signature.ok_or(KeyError::Library("sign")))
    }
}

#[cfg(test)]
mod tests;
