#![doc = include_str!("../README.md")]

pub mod app;
pub mod artefacts;
pub mod available;
pub mod bundle;
pub mod cli;
pub mod companions;
pub mod config;
pub mod flights;
pub mod http;
pub mod images;
pub mod inspect;
pub mod installers;
pub mod keys;
pub mod log;
mod metered;
pub mod metrics;
pub mod own_key;
pub mod register;
pub mod release;
pub mod seal;
pub mod signed_records;
pub mod signers;
pub mod sources;
pub mod start;
