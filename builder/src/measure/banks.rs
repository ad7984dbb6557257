//! Digests in all banks of a TPM at once.

use signing::{HashAlgorithm, Hasher, MessageDigest};

/// A digest, or a value of a register, in each of the banks SHA-256, SHA-384 and SHA-512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankDigests([MessageDigest; 3]);

impl BankDigests {
    /// The digests of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(HashAlgorithm::ALL.map(|bank| bank.hash(bytes)))
    }

    /// These digests; `None` when they are not one of each bank in the order of [`HashAlgorithm::ALL`].
    #[must_use]
    pub fn from_array(digests: [MessageDigest; 3]) -> Option<Self> {
        (digests.map(|digest| digest.algorithm()) == HashAlgorithm::ALL).then_some(Self(digests))
    }

    /// The value of a register nothing was measured into: zeros.
    #[must_use]
    pub fn reset() -> Self {
        Self(HashAlgorithm::ALL.map(MessageDigest::zeros))
    }

    /// In the order of [`HashAlgorithm::ALL`].
    #[must_use]
    pub const fn as_array(&self) -> &[MessageDigest; 3] {
        &self.0
    }

    /// In one bank.
    #[must_use]
    pub const fn get(&self, bank: HashAlgorithm) -> &MessageDigest {
        let [sha256, sha384, sha512] = &self.0;
        match bank {
            HashAlgorithm::Sha256 => sha256,
            HashAlgorithm::Sha384 => sha384,
            HashAlgorithm::Sha512 => sha512,
        }
    }

    /// The value after something with `digests` was measured (`TPM2_PCR_Extend`).
    #[must_use]
    pub fn extended(&self, digests: &Self) -> Self {
        Self(HashAlgorithm::ALL.map(|bank| {
            let mut hasher = bank.hasher();
            hasher.update(self.get(bank).as_bytes());
            hasher.update(digests.get(bank).as_bytes());
            hasher.finish()
        }))
    }
}

/// Digests in all banks over bytes that come in pieces. A clone goes on from where the original is.
#[derive(Debug, Clone)]
pub struct BankHashers([Hasher; 3]);

impl Default for BankHashers {
    fn default() -> Self {
        Self(HashAlgorithm::ALL.map(HashAlgorithm::hasher))
    }
}

impl BankHashers {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    /// The digests of all bytes added.
    #[must_use]
    pub fn finish(self) -> BankDigests {
        BankDigests(self.0.map(Hasher::finish))
    }
}
