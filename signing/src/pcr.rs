//! Signed policies over a value of PCR 11, where systemd's stub measures what it starts.
//!
//! A secret that is sealed to "whatever this key signs for PCR 11" opens on every image whose expected value was signed,
//! so an update needs no new enrolment. What is signed is not the value but the TPM policy that asks for it (TPM 2.0
//! Library, part 3, `TPM2_PolicyPCR`). systemd reads the signatures from the section `.pcrsig` as JSON.

mod json;

use schematics::{Blame, Blamed};

use crate::hash::{HashAlgorithm, MessageDigest};
use crate::key::VerifyError;
use crate::rsa::RsaPublicKey;
use crate::signer::{self, SignError, Signer};

pub use json::{MAX_SIGNATURES, SignaturesError};

/// The register that kernels, their parameters and the phases of the boot are measured into.
pub const PCR: u32 = 11;
/// `TPM_CC_PolicyPCR`.
const POLICY_PCR: u32 = 0x0000_017f;
/// A selection of registers as three bytes, bit by bit: only 11.
const SELECTION: [u8; 4] = [3, 0x00, 0x08, 0x00];
/// Policy sessions use this hash function, whatever the bank.
const POLICY_HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// The policy that asks for this value of PCR 11, in the bank of the value's hash function. Always a SHA-256 digest.
#[must_use]
pub fn policy(value: &MessageDigest) -> MessageDigest {
    let mut hasher = POLICY_HASH.hasher();
    hasher.update(&[0; POLICY_HASH.digest_len()]);
    hasher.update(&POLICY_PCR.to_be_bytes());
    // One selection follows.
    hasher.update(&1_u32.to_be_bytes());
    hasher.update(&value.algorithm().tpm_id().to_be_bytes());
    hasher.update(&SELECTION);
    hasher.update(POLICY_HASH.hash(value.as_bytes()).as_bytes());
    hasher.finish()
}

/// How signatures name the key that made them: the SHA-256 of its PKCS#1 form. Not the [`KeyId`](crate::KeyId).
#[must_use]
pub fn fingerprint(key: &RsaPublicKey) -> MessageDigest {
    HashAlgorithm::Sha256.hash(key.to_pkcs1_der())
}

/// A signature of a policy over PCR 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrSignature {
    /// The bank the policy is about. Its hash function is the signature's too.
    pub bank: HashAlgorithm,
    /// The [`fingerprint`] of the key.
    pub fingerprint: MessageDigest,
    /// The [`policy`].
    pub policy: MessageDigest,
    /// RSASSA-PKCS1-v1_5.
    pub signature: Vec<u8>,
}

impl PcrSignature {
    /// Checks that `key` made it.
    ///
    /// # Errors
    /// When it did not, or the signature claims another key.
    pub fn verify(&self, key: &RsaPublicKey) -> Result<(), VerifyError> {
        if self.fingerprint != fingerprint(key) {
            return Err(VerifyError { key: key.id() });
        }
        key.verify(&self.bank.hash(self.policy.as_bytes()), &self.signature)
    }

    /// Whether it lets a machine in whose PCR 11 has this value.
    #[must_use]
    pub fn covers(&self, value: &MessageDigest) -> bool {
        self.bank == value.algorithm() && self.policy == policy(value)
    }
}

/// The signatures one boot entry carries: of one value or several, in one bank or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PcrSignatures(Vec<PcrSignature>);

impl PcrSignatures {
    /// Signs the policies of `values`, each in the bank of its hash function, in the order given.
    ///
    /// # Errors
    /// When one cannot be signed; there is never half a set.
    pub async fn sign(signer: &dyn Signer, values: &[MessageDigest]) -> Result<Self, SignError> {
        let fingerprint = fingerprint(signer.public_key());
        let mut signatures = Vec::with_capacity(values.len());
        for value in values {
            let (bank, policy) = (value.algorithm(), policy(value));
            let signature = signer::sign(signer, &bank.hash(policy.as_bytes())).await?;
            signatures.push(PcrSignature { bank, fingerprint, policy, signature });
        }
        Ok(Self(signatures))
    }

    /// The signatures: bank after bank when they were read, in the order of the values when they were made.
    #[must_use]
    pub fn as_slice(&self) -> &[PcrSignature] {
        &self.0
    }
}

impl Blamed for SignaturesError {
    /// What is read came with an image.
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

#[cfg(test)]
mod tests;
