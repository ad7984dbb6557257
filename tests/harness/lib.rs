//! Test harness: everything the end-to-end tests share.
//!
//! Nothing here runs a shell. External programs are run with a fixed argv; one that is missing is a
//! [`Failure::Missing`], which [`or_skip`] turns into a skipped test.

pub mod bundle;
pub mod esp;
pub mod event_log;
pub mod failure;
pub mod file_server;
pub mod http;
pub mod iso;
pub mod keys;
pub mod netns;
pub mod pair;
pub mod qemu;
pub mod reference;
pub mod release;
pub mod server;
pub mod service;
pub mod tool;

pub use failure::{Failure, or_skip};
