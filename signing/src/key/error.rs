//! What can be wrong with keys and their signatures.

use schematics::{Blame, Blamed};

use super::KeyId;

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
    /// The key is written in a form that would give the same key two ids, or is one that fits every signature.
    #[error(
        "the public key is not in the usual form: expected an uncompressed point on the named curve P-256, or a whole \
         Ed25519 point"
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
