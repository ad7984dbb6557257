//! The keys that sign SecureBoot images: sets of them, each for somebody.
//!
//! A file names them (`keys` in the configuration). Reading it reaches nobody; opening the sets reads the public keys of
//! all signers, so that a wrong name or a missing permission is known when the factory starts.

mod file;
mod set;
mod spec;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use futures::future::join_all;
use schematics::{Blame, Blamed};

use crate::signers::{Access, SignerSpec};

pub use file::KeyFileError;
pub use set::{KeySet, OpenSetError};
pub use spec::{CertificateSpec, EnrolmentFiles, SetSpec};

/// The sets a file names; none by default.
#[derive(Debug, Clone, Default)]
pub struct KeySets {
    sets: Vec<SetSpec>,
}

impl KeySets {
    /// Reads a file of keys, YAML or JSON. Paths in it are relative to its directory; keys it does not know are problems.
    ///
    /// # Errors
    /// All problems of the file at once.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        file::read(path)
    }

    /// What the file says of each set, in its order.
    #[must_use]
    pub fn specs(&self) -> &[SetSpec] {
        &self.sets
    }

    /// Files with private keys that every user of this machine can read: they work, but should not stay so.
    #[must_use]
    pub fn exposed(&self) -> BTreeSet<&Path> {
        let signers = self.sets.iter().flat_map(|set| [&set.secureboot, &set.pcr]);
        let files = signers.filter_map(|spec| match spec {
            SignerSpec::Pem(path) => Some(path.as_path()),
            _ => None,
        });
        files.filter(|path| readable_by_all(path)).collect()
    }

    /// Opens every set, with what the environment of this process says about services and credentials.
    ///
    /// # Errors
    /// All problems of all sets at once.
    pub async fn open(&self) -> Result<OpenKeySets, OpenKeysError> {
        self.open_with(&Access::of_process()).await
    }

    /// Opens every set: reaches all signers, reads the certificates, and checks that they belong together.
    ///
    /// # Errors
    /// All problems of all sets at once.
    pub async fn open_with(&self, access: &Access) -> Result<OpenKeySets, OpenKeysError> {
        let (mut sets, mut problems) = (Vec::new(), Vec::new());
        let opened = join_all(self.sets.iter().map(|spec| set::open(spec, access))).await;
        for (spec, opened) in self.sets.iter().zip(opened) {
            match opened {
                Ok(set) => sets.push(Arc::new(set)),
                Err(found) => {
                    let named = |problem| SetProblem { set: spec.name.clone(), problem };
                    problems.extend(found.into_iter().map(named));
                }
            }
        }
        if problems.is_empty() { Ok(OpenKeySets { sets }) } else { Err(OpenKeysError { problems }) }
    }
}

fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

/// Sets of keys that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("keys cannot be used:{}", lines(problems))]
pub struct OpenKeysError {
    /// What is wrong, never nothing.
    pub problems: Vec<SetProblem>,
}

/// A problem of one set.
#[derive(Debug)]
pub struct SetProblem {
    /// The set.
    pub set: String,
    /// Its problem.
    pub problem: OpenSetError,
}

impl fmt::Display for SetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set `{}`: {}", self.set, crate::log::chain(&self.problem))
    }
}

impl Blamed for OpenKeysError {
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

fn lines<T: fmt::Display>(problems: &[T]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
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

#[cfg(test)]
mod tests;
