//! The service from outside: a real factory on a loopback port, and requests written byte by byte.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

mod client;
mod cors;
mod errors;
mod images;
mod judges;
mod operations;
mod pages;
mod schematics;
mod versions;
