//! The service from outside: a real factory on a loopback port, and requests written byte by byte.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, what is not there is a failure"
)]

mod artefacts;
mod attestations;
mod bundles;
mod client;
mod companions;
mod concurrency;
mod contents;
mod cors;
mod errors;
mod evidence;
mod faults;
mod gates;
mod golden;
mod images;
mod initramfs;
mod installers;
mod isos;
mod judges;
mod measurements;
mod operations;
mod overlays;
mod pages;
mod planted;
mod rebuilds;
mod schematics;
mod secureboot;
mod site;
mod sources;
mod trust;
mod ukis;
mod verify;
mod versions;
