//! RSA keys, which UEFI firmware and TPMs know.

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
    RsaParameters,
};
use x509_cert::der::Decode as _;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use crate::hash::{HashAlgorithm, MessageDigest};
use crate::key::{KeyError, KeyId, VerifyError};
use crate::pem;
use crate::signer::{SignError, Signer};

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SPKI: &str = "PUBLIC KEY";
/// How keys are called in errors.
const KIND: &str = "an RSA key of 2048 to 8192 bits";

/// A public RSA key of 2048 to 8192 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublicKey {
    spki: Vec<u8>,
    pkcs1: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280) in DER.
    ///
    /// # Errors
    /// When it is none, or of another kind of key.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let refused = || KeyError::Kind { label: SPKI, expected: KIND };
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| refused())?;
        // Encoded again, so that a key has one encoding, and one id.
        let spki: PublicKeyX509Der<'_> = parsed.as_der().map_err(|_| refused())?;
        let spki = spki.as_ref().to_vec();
        let info = SubjectPublicKeyInfoRef::from_der(&spki).map_err(|_| refused())?;
        let pkcs1 = info.subject_public_key.as_bytes().ok_or_else(refused)?.to_vec();
        Ok(Self { spki, pkcs1 })
    }

    /// A key from its modulus and its public exponent, both as big-endian numbers; zeros in front do not matter.
    ///
    /// # Errors
    /// When they make no key of a size that is used.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let components = PublicKeyComponents { n: trimmed(modulus), e: trimmed(exponent) };
        let refused = |_| KeyError::Kind { label: SPKI, expected: KIND };
        let spki: PublicKeyX509Der<'_> = components.as_der().map_err(refused)?;
        Self::from_der(spki.as_ref())
    }

    /// Reads the first `PUBLIC KEY` block of a PEM text.
    ///
    /// # Errors
    /// As [`RsaPublicKey::from_der`], and when there is none.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, der) = pem::find(text, &[SPKI]).ok_or(KeyError::Pem { expected: SPKI })?;
        Self::from_der(&der)
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.spki
    }

    /// The RSAPublicKey of PKCS#1 (RFC 8017) in DER.
    #[must_use]
    pub fn to_pkcs1_der(&self) -> &[u8] {
        &self.pkcs1
    }

    /// A `PUBLIC KEY` block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write(SPKI, &self.spki).to_string()
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.spki)
    }

    /// Checks that `signature` was made over `digest` with this key (RSASSA-PKCS1-v1_5).
    ///
    /// # Errors
    /// When it was not, whatever the reason.
    pub fn verify(&self, digest: &MessageDigest, signature: &[u8]) -> Result<(), VerifyError> {
        let refused = VerifyError { key: self.id() };
        let key = ParsedPublicKey::new(verification(digest.algorithm()), &self.spki).map_err(|_| refused)?;
        key.verify_digest_sig(digest.value(), signature).map_err(|_| refused)
    }
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn verification(algorithm: HashAlgorithm) -> &'static RsaParameters {
    match algorithm {
        HashAlgorithm::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        HashAlgorithm::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        HashAlgorithm::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}

fn encoding(algorithm: HashAlgorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        HashAlgorithm::Sha256 => &RSA_PKCS1_SHA256,
        HashAlgorithm::Sha384 => &RSA_PKCS1_SHA384,
        HashAlgorithm::Sha512 => &RSA_PKCS1_SHA512,
    }
}

/// A private RSA key in memory.
///
/// It cannot be printed. The library wipes its memory when it is dropped, and texts it is read from or written to by this
/// module are wiped too; what the caller read from a file is the caller's.
#[expect(missing_debug_implementations, reason = "a log line must not be able to leak a key")]
pub struct RsaKey {
    pair: KeyPair,
    public: RsaPublicKey,
}

impl RsaKey {
    /// A new key of `bits`, one of 2048, 3072, 4096 and 8192.
    ///
    /// # Errors
    /// For another number of bits, or when the system has no randomness to give.
    pub fn generate(bits: u16) -> Result<Self, KeyError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            8192 => KeySize::Rsa8192,
            _ => return Err(KeyError::Size { bits }),
        };
        Self::new(KeyPair::generate(size).map_err(|_| KeyError::Library("generate a key"))?)
    }

    /// Reads the first `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1) block of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it does not hold an RSA key of at least 2048 bits.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let expected = "PRIVATE KEY` or `RSA PRIVATE KEY";
        let (label, der) = pem::find(text, &[PKCS8, PKCS1]).ok_or(KeyError::Pem { expected })?;
        let pair = if label == PKCS8 { KeyPair::from_pkcs8(&der) } else { KeyPair::from_der(&der) };
        Self::new(pair.map_err(|_| KeyError::Kind { label, expected: KIND })?)
    }

    fn new(pair: KeyPair) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(|_| KeyError::Library("encode the public key"))?;
        Ok(Self { public: RsaPublicKey::from_der(spki.as_ref())?, pair })
    }

    /// A `PRIVATE KEY` block (PKCS#8) to keep in a file; wiped when dropped.
    ///
    /// # Errors
    /// When the library cannot encode the key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| KeyError::Library("encode the key"))?;
        Ok(pem::write(PKCS8, der.as_ref()))
    }

    /// Its name, which is that of the public key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.public.id()
    }
}

#[async_trait]
impl Signer for RsaKey {
    fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign_digest(encoding(digest.algorithm()), digest.value(), &mut signature)
            .map_err(|_| SignError::Library)?;
        Ok(signature)
    }
}

#[cfg(test)]
pub(crate) mod tests;
