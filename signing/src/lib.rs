#![doc = include_str!("../README.md")]

pub mod auth;
pub mod authenticode;
pub mod bundle;
pub mod certificate;
pub mod cosign;
pub mod dsse;
pub mod enrolment;
pub mod esl;
pub mod hash;
mod identifiers;
pub mod in_toto;
#[cfg(test)]
mod judge;
pub mod key;
pub mod pcr;
mod pem;
pub mod pkcs7;
pub mod rsa;
pub mod signer;
pub mod well_known;

pub use certificate::{Certificate, CertificateError};
pub use enrolment::Enrolment;
pub use hash::{HashAlgorithm, Hasher, MessageDigest};
pub use key::{KeyAlgorithm, KeyError, KeyId, PublicKey, SigningKey, Verification, VerifyError};
pub use pcr::{PcrSignature, PcrSignatures};
pub use rsa::{RsaKey, RsaPublicKey};
pub use signer::{SignError, Signer};
