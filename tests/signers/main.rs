//! Signers against places that really hold keys and really sign, and what happens when these fail.
//!
//! Real: SoftHSM for PKCS#11, moto for AWS KMS (with signatures of requests checked), Vault's transit engine, and a signing
//! daemon on Google's gRPC library. Fakes that check every request and sign for real: Azure Key Vault and Google Cloud KMS,
//! of which no emulator that signs can be had.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is a test"
)]

mod aws;
mod azure;
mod common;
mod gcp;
mod pkcs11;
mod proxy;
mod service;
mod signerd;
mod vault;
