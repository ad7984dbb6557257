#![doc = include_str!("../README.md")]

pub mod cosign;
pub mod hash;
#[cfg(test)]
mod judge;
pub mod key;
pub mod pcr;
mod pem;
pub mod rsa;
pub mod signer;

pub use hash::{HashAlgorithm, Hasher, MessageDigest};
pub use key::{KeyError, KeyId, PublicKey, SigningKey, VerifyError};
pub use pcr::{PcrSignature, PcrSignatures};
pub use rsa::{RsaKey, RsaPublicKey};
pub use signer::{SignError, Signer};
