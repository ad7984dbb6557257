//! Container clients against the real service on the reference release, which must have been made (`make reference`).
//!
//! Each client pulls both architectures by tag and by digest, and what it got is compared with what the service offers as
//! downloads. A machine without a client skips, and says so.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this crate is a test"
)]

mod archives;
mod artefacts;
mod attestations;
mod boots;
mod bundles;
mod conformance;
mod contract;
mod cosign;
mod crowd;
mod daemons;
mod programs;
mod pulled;
mod pulls;
mod registry;
mod schematics_shared;
mod site;
mod tokens;
mod trust;
mod upstream;
