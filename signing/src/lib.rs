#![doc = include_str!("../README.md")]

pub mod cosign;
#[cfg(test)]
mod judge;
pub mod key;
mod pem;

pub use key::{KeyError, KeyId, PublicKey, SigningKey, VerifyError};
