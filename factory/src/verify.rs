//! Use case: check what was downloaded, or an image, against the signatures that belong to it.
//!
//! Nothing is asked but the files and the place that are named, and nobody is trusted but the key that is given.

mod error;
mod file;
mod image;

use std::fmt;

use schematics::Digest;
use signing::KeyId;

pub use error::CheckError;
pub use file::{FileToCheck, check_file};
pub use image::{ImageToCheck, check_image};

/// The longest text beside a file, in bytes, but for bundles.
const MAX_TEXT: u64 = 64 * 1024;

/// What was checked, and is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was asked about.
    pub what: String,
    /// Each thing that was looked at.
    pub facts: Vec<Fact>,
}

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The digest of what was asked about.
    Digest(Digest),
    /// A checksum, by the file it is in.
    Checksum(String),
    /// A signature: where it is, and of which key.
    Signature(String, KeyId),
    /// A signed statement: its kind, where it is, and of which key.
    Statement(String, String, KeyId),
    /// A bundle that says nothing by this key, or about this: where it is, and why it does not count.
    Ignored(String, String),
    /// The parts of an image have the digests it names: how many there are.
    Parts(usize),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "digest     {digest}"),
            Self::Checksum(place) => write!(f, "checksum   as in {place}"),
            Self::Signature(place, key) => write!(f, "signature  in {place}, by key {key}"),
            Self::Statement(kind, place, key) => write!(f, "statement  {kind} in {place}, by key {key}"),
            Self::Ignored(place, why) => write!(f, "ignored    {place}: {why}"),
            Self::Parts(count) => write!(f, "parts      {count}, each with the digest it is named by"),
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        self.facts.iter().try_for_each(|fact| writeln!(f, "  {fact}"))
    }
}
