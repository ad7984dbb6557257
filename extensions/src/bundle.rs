//! Bundles: layouts with only what certain versions and schematics need, for places without a network.
//!
//! A bundle is an OCI image layout like any other, in a directory or an archive, with a mark that says it lacks the rest on
//! purpose. Everything in it is what it was at its source, byte for byte: also an index some of whose images are left out,
//! since its signature is over its bytes. The same images give the same bundle, byte for byte.

mod collect;
mod error;
mod push;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use schematics::{Arch, Digest};

use crate::oci::{Descriptor, INDEX, Index};
use crate::reference::{ImageName, Repository};
use crate::source::REF_NAME;

pub use collect::Collector;
pub use error::{PushError, WriteError};
pub use push::{Pushed, push};
pub use write::write;

/// The annotation of a layout's index that makes it a bundle; its value is the version of this form.
pub const MARK: &str = "factory.bundle";
/// The version of this form.
pub(crate) const FORM: &str = "1";

/// Which images of an index are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Platforms {
    /// All of them, whatever they run on.
    All,
    /// Those for Linux on these architectures.
    Only(BTreeSet<Arch>),
}

/// What a bundle has in it.
#[derive(Debug, Default)]
pub struct Bundle {
    notes: BTreeMap<String, String>,
    names: BTreeMap<String, Descriptor>,
    blobs: BTreeMap<Digest, Content>,
}

/// Where the bytes of a blob are.
#[derive(Debug, Clone)]
enum Content {
    /// Here.
    Here(Bytes),
    /// At the source.
    There { repository: Repository, size: u64 },
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::There { size, .. } => *size,
        }
    }
}

impl Bundle {
    /// Says something about it, in the annotations of its index.
    pub fn note(&mut self, name: &str, text: &str) {
        self.notes.insert(name.to_owned(), text.to_owned());
    }

    /// How many bytes all of its blobs have.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blobs.values().map(Content::size).sum()
    }

    /// The names of its images, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Adds bytes, and tells their digest.
    fn keep(&mut self, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, Content::Here(bytes));
        digest
    }

    /// Names a document. A name is `repository:tag`, or `repository@digest` for one without a tag.
    fn name(&mut self, name: &ImageName, described: Descriptor) {
        let name = name.to_string();
        let annotations = BTreeMap::from([(REF_NAME.to_owned(), name.clone())]);
        self.names.insert(name, Descriptor { annotations, ..described });
    }

    /// The `index.json` of its layout.
    fn index(&self) -> Result<Bytes, serde_json::Error> {
        let mut annotations = self.notes.clone();
        annotations.insert(MARK.to_owned(), FORM.to_owned());
        let manifests = self.names.values().cloned().collect();
        Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests, annotations }.encode()
    }
}

#[cfg(test)]
mod tests;
