//! The service from outside: a real factory on a loopback port, and requests written byte by byte.

mod client;
mod cors;
mod errors;
mod operations;
mod pages;
mod schematics;
