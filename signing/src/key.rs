//! ECDSA keys on the curve P-256.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use schematics::{Blame, Blamed, Digest};
use zeroize::Zeroizing;

use crate::pem;

const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const SPKI: &str = "PUBLIC KEY";
/// How keys are called in errors.
const KIND: &str = "a key on the curve P-256";
/// What stands in front of the 65 bytes of an uncompressed point in a SubjectPublicKeyInfo (RFC 5480) of this curve.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const UNCOMPRESSED: u8 = 4;
const SPKI_LEN: usize = SPKI_PREFIX.len() + 65;

/// Why a key cannot be used. Says nothing about its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no block of the kind that is needed.
    #[error("expected a PEM block `{expected}`, but there is none that can be read")]
    Pem {
        /// The label, or labels, looked for.
        expected: &'static str,
    },
    /// The block holds another kind of key, or a damaged one.
    #[error("the PEM block `{label}` does not hold {expected}")]
    Kind {
        /// The label of the block.
        label: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// Keys of this size are not made.
    #[error("expected a key of 2048, 3072, 4096 or 8192 bits, but {bits} were asked for")]
    Size {
        /// The size that was asked for.
        bits: u16,
    },
    /// The key's curve point is written in a form that would give the same key two ids.
    #[error(
        "the public key is not in the usual form: expected an uncompressed point on the named curve P-256"
    )]
    Form,
    /// The cryptographic library failed.
    #[error("the cryptographic library could not {0}")]
    Library(&'static str),
}

impl Blamed for KeyError {
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

/// A signature does not fit: another key, other bytes, or no signature at all. There is nothing more to say safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature was not made with key {key} over these bytes")]
pub struct VerifyError {
    /// The key it was checked with.
    pub key: KeyId,
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
    spki: [u8; SPKI_LEN],
    parsed: ParsedPublicKey,
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
    /// When there is none, or it holds anything but an uncompressed point on P-256.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, der) = pem::find(text, &[SPKI]).ok_or(KeyError::Pem { expected: SPKI })?;
        Self::from_der(&der)
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// As [`PublicKey::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der)
            .map_err(|_| KeyError::Kind { label: SPKI, expected: KIND })?;
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::Form)?;
        let spki = der.try_into().map_err(|_| KeyError::Form)?;
        if point.first() != Some(&UNCOMPRESSED) {
            return Err(KeyError::Form);
        }
        Ok(Self { spki, parsed })
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

    /// Checks that `signature`, ECDSA over SHA-256 in ASN.1 DER, was made over `message` with this key.
    ///
    /// # Errors
    /// When it was not, whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.parsed.verify_sig(message, signature).map_err(|_| VerifyError { key: self.id() })
    }
}

/// A private key.
///
/// It cannot be printed. The library wipes its memory when it is dropped, and texts it is read from or written to by this
/// module are wiped too; what the caller read from a file is the caller's.
#[expect(missing_debug_implementations, reason = "a log line must not be able to leak a key")]
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| KeyError::Library("generate a key"))?;
        Self::new(pair)
    }

    /// Reads the first `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC1) block of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it does not hold a key on P-256.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let expected = "PRIVATE KEY` or `EC PRIVATE KEY";
        let (label, der) = pem::find(text, &[PKCS8, SEC1]).ok_or(KeyError::Pem { expected })?;
        let (algorithm, refused) =
            (&ECDSA_P256_SHA256_ASN1_SIGNING, KeyError::Kind { label, expected: KIND });
        let pair = if label == PKCS8 {
            EcdsaKeyPair::from_pkcs8(algorithm, &der)
        } else {
            EcdsaKeyPair::from_private_key_der(algorithm, &der)
        };
        Self::new(pair.map_err(|_| refused)?)
    }

    fn new(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let spki = [&SPKI_PREFIX, pair.public_key().as_ref()].concat();
        Ok(Self { public: PublicKey::from_der(&spki)?, pair })
    }

    /// A `PRIVATE KEY` block (PKCS#8) to keep in a file; wiped when dropped.
    ///
    /// # Errors
    /// When the library cannot encode the key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::Library("encode the key"))?;
        Ok(pem::write(PKCS8, der.as_ref()))
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

    /// Signs `message`: ECDSA over its SHA-256, in ASN.1 DER. Another signature each time.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature =
            self.pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Library("sign"))?;
        Ok(signature.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests;
