//! The hash functions of SecureBoot and of TPMs.

use std::fmt;

use aws_lc_rs::digest;

/// A hash function of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// All of them, in the order in which PCR banks are listed.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name systemd and TPM tools use: `sha256`, `sha384`, `sha512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Its `TPM_ALG_ID` (TCG Algorithm Registry).
    #[must_use]
    pub const fn tpm_id(self) -> u16 {
        match self {
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
            Self::Sha512 => 0x000d,
        }
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> MessageDigest {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Begins a digest over bytes that come in pieces.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher { algorithm: self, context: digest::Context::new(self.implementation()) }
    }

    pub(crate) fn implementation(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest over bytes that come in pieces. A clone goes on from where the original is.
#[derive(Clone)]
pub struct Hasher {
    algorithm: HashAlgorithm,
    context: digest::Context,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Hasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all bytes added.
    #[must_use]
    pub fn finish(self) -> MessageDigest {
        MessageDigest { algorithm: self.algorithm, value: self.context.finish() }
    }
}

/// The digest of a message, with the function that made it.
#[derive(Clone, Copy)]
pub struct MessageDigest {
    algorithm: HashAlgorithm,
    value: digest::Digest,
}

impl MessageDigest {
    /// A digest that was computed elsewhere; `None` when it has not the length of the function's digests.
    #[must_use]
    pub fn from_bytes(algorithm: HashAlgorithm, bytes: &[u8]) -> Option<Self> {
        let value = digest::Digest::import_less_safe(bytes, algorithm.implementation()).ok()?;
        Some(Self { algorithm, value })
    }

    /// Zeros as long as the function's digests, which is what a register of a TPM holds at first.
    #[must_use]
    #[expect(clippy::expect_used, reason = "zeros of the function's own length are taken as they are")]
    pub fn zeros(algorithm: HashAlgorithm) -> Self {
        Self::from_bytes(algorithm, &vec![0; algorithm.digest_len()]).expect("as many bytes as a digest has")
    }

    /// A digest in hexadecimal digits of either case; `None` when it is none of this function.
    #[must_use]
    pub fn from_hex(algorithm: HashAlgorithm, text: &str) -> Option<Self> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        });
        Self::from_bytes(algorithm, &pairs.collect::<Option<Vec<u8>>>()?)
    }

    /// Its bytes in lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The function that made it.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.value.as_ref()
    }

    pub(crate) const fn value(&self) -> &digest::Digest {
        &self.value
    }
}

impl PartialEq for MessageDigest {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for MessageDigest {}

/// `<function>:<lower-case hexadecimal>`.
impl fmt::Display for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4, the message "abc".
        let known = [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ];
        for (algorithm, text) in HashAlgorithm::ALL.into_iter().zip(known) {
            let digest = algorithm.hash(b"abc");
            assert_eq!(digest.to_string(), text);
            assert_eq!(digest.as_bytes().len(), algorithm.digest_len());
            assert_eq!(MessageDigest::from_bytes(algorithm, digest.as_bytes()), Some(digest));
            assert_eq!(MessageDigest::from_bytes(algorithm, b"abc"), None);
            assert_eq!(MessageDigest::from_hex(algorithm, &digest.hex().to_uppercase()), Some(digest));
            assert_eq!(MessageDigest::zeros(algorithm).hex(), "00".repeat(algorithm.digest_len()));
            for wrong in [&digest.hex()[1..], &digest.hex()[2..], &digest.hex().replace('a', "+"), ""] {
                assert_eq!(MessageDigest::from_hex(algorithm, wrong), None);
            }
            let mut pieces = algorithm.hasher();
            pieces.update(b"a");
            let mut other = pieces.clone();
            pieces.update(b"bc");
            other.update(b"x");
            assert_eq!(pieces.finish(), digest);
            assert_ne!(other.finish(), digest);
        }
    }
}
