//! The keys that sign SecureBoot images: sets of them, each for somebody.
//!
//! A file names them (`keys` in the configuration). Reading it reaches nobody; opening the sets reads the public keys of
//! all signers, so that a wrong name or a missing permission is known when the factory starts.

mod file;
mod set;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schematics::{Blame, Blamed};

pub use file::KeyFileError;
pub use set::KeySet;

/// The sets a file names; none by default.
#[derive(Debug, Clone, Default)]
pub struct KeySets {
    path: PathBuf,
    sets: Vec<file::Set>,
}

impl KeySets {
    /// Reads a file of keys, YAML or JSON. Paths in it are relative to its directory.
    ///
    /// # Errors
    /// All problems of the file at once.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self { path: path.to_owned(), sets: file::read(path)? })
    }

    /// Opens every set.
    ///
    /// # Errors
    /// When a key or a certificate of a set cannot be used.
    pub async fn open(&self) -> Result<OpenKeySets, OpenKeysError> {
        let mut opened = Vec::new();
        for set in &self.sets {
            let name = set.name.clone();
            let failed = |source| OpenKeysError { name, path: self.path.clone(), source };
            opened.push(Arc::new(set::open(set).await.map_err(failed)?));
        }
        Ok(OpenKeySets { sets: opened })
    }
}

/// A set cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the set `{name}` of keys in {path} cannot be used")]
pub struct OpenKeysError {
    /// The set.
    name: String,
    /// The file that names it.
    path: PathBuf,
    /// What is wrong with it.
    #[source]
    source: set::OpenSetError,
}

impl Blamed for OpenKeysError {
    fn blame(&self) -> Blame {
        self.source.blame()
    }
}

/// Sets whose signers answer.
#[derive(Debug, Default)]
pub struct OpenKeySets {
    sets: Vec<Arc<KeySet>>,
}

/// There is no set of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no set `{name}` of keys; there are: {known}")]
pub struct UnknownKeySet {
    /// The name.
    name: String,
    /// The names there are.
    known: String,
}

impl OpenKeySets {
    /// The set for requests to a host, as in a `Host` header: the one whose URL names it, else the first one without a URL.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&Arc<KeySet>> {
        let own = self.sets.iter().find(|set| set.serves(host));
        own.or_else(|| self.sets.iter().find(|set| set.url().is_none()))
    }

    /// The set of this name; without a name, the one for any host.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn named(&self, name: Option<&str>) -> Result<Option<&Arc<KeySet>>, UnknownKeySet> {
        let Some(name) = name else { return Ok(self.of_host("")) };
        let found = self.sets.iter().find(|set| set.name() == name);
        let known = || self.sets.iter().map(|set| set.name()).collect::<Vec<_>>().join(", ");
        found.map(Some).ok_or_else(|| UnknownKeySet { name: name.to_owned(), known: known() })
    }

    /// All sets, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<KeySet>> {
        self.sets.iter()
    }
}
