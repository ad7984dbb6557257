//! ECDSA on the curve P-256.
//!
//! Signatures are made by the crate `p256`, which follows RFC 6979; aws-lc has no deterministic ones. They are checked by
//! aws-lc.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use zeroize::Zeroizing;

use super::{KIND, KeyError, SPKI};

/// What stands in front of the 65 bytes of an uncompressed point in a SubjectPublicKeyInfo (RFC 5480) of this curve.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const UNCOMPRESSED: u8 = 4;
const POINT_LEN: usize = 65;

#[derive(Debug, Clone)]
pub(super) struct Public(ParsedPublicKey);

impl Public {
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der)
            .map_err(|_| KeyError::Kind { label: SPKI, expected: KIND })?;
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::Form)?;
        if point.first() != Some(&UNCOMPRESSED) || point.len() != POINT_LEN {
            return Err(KeyError::Form);
        }
        Ok(Self(parsed))
    }

    /// Whether the signature fits the SHA-256 of the message.
    pub(super) fn fits(&self, sha256: &digest::Digest, signature: &[u8]) -> bool {
        self.0.verify_digest_sig(sha256, signature).is_ok()
    }
}

pub(super) struct Secret(SigningKey);

impl Secret {
    pub(super) fn generate() -> Result<Self, KeyError> {
        let failed = KeyError::Library("generate a key");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| failed.clone())?;
        let der = pair.to_pkcs8v1().map_err(|_| failed.clone())?;
        Self::from_pkcs8(der.as_ref()).ok_or(failed)
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        Some(Self(p256::SecretKey::from_pkcs8_der(der).ok()?.into()))
    }

    pub(super) fn from_sec1(der: &[u8]) -> Option<Self> {
        Some(Self(p256::SecretKey::from_sec1_der(der).ok()?.into()))
    }

    pub(super) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let der = p256::SecretKey::from(&self.0).to_pkcs8_der().ok()?;
        Some(der.to_bytes())
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX, self.0.verifying_key().to_sec1_point(false).as_bytes()].concat()
    }

    /// Signs the message with this SHA-256.
    pub(super) fn sign(&self, sha256: &[u8; 32]) -> Option<Vec<u8>> {
        let signature: DerSignature = self.0.sign_prehash(sha256).ok()?;
        Some(signature.as_bytes().to_vec())
    }
}
