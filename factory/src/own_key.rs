//! Keys a factory makes for itself at its first start.

use std::fs::DirBuilder;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use schematics::{Blame, Blamed};
use signing::{KeyAlgorithm, KeyError, SigningKey};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// The longest key file, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// Room for a key as text, so that reading it does not leave copies behind.
const USUAL: usize = 8192;

/// Why a key of ours cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnKeyError {
    /// Its file cannot be read.
    #[error("cannot read the key {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its file cannot be made.
    #[error("cannot make the key {}", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else, or the system has no randomness for a new key.
    #[error("the key {} cannot be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
}

impl Blamed for OwnKeyError {
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

/// The key of a file.
///
/// # Errors
/// When the file cannot be read, or holds no key.
pub(crate) fn open(path: &Path) -> Result<SigningKey, OwnKeyError> {
    let text = read(path).map_err(|source| OwnKeyError::Read { path: path.to_owned(), source })?;
    SigningKey::from_pem(&text).map_err(|source| OwnKeyError::Key { path: path.to_owned(), source })
}

/// The key of a file; a new one for this algorithm when there is no such file.
///
/// The file of a new key is for its owner alone, appears whole or not at all, and never replaces another: of several
/// processes that start at a time, all use the key of the first.
///
/// # Errors
/// When a file that is there cannot be read or holds no key, or a new one cannot be made.
pub(crate) fn open_or_make(path: &Path, algorithm: KeyAlgorithm) -> Result<SigningKey, OwnKeyError> {
    match open(path) {
        Err(OwnKeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let unusable = |source| OwnKeyError::Key { path: path.to_owned(), source };
    let text = SigningKey::new(algorithm).and_then(|key| key.to_pem()).map_err(unusable)?;
    write(path, &text).map_err(|source| OwnKeyError::Make { path: path.to_owned(), source })?;
    open(path)
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(USUAL));
    fs::File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file aside and gives it its name, unless another has it by now.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Temporary files are for their owner alone.
    let mut aside = NamedTempFile::new_in(dir)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    match aside.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        Ok(_) | Err(_) => fs::File::open(dir)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;

    use super::*;

    fn open_or_make(path: &Path) -> Result<SigningKey, OwnKeyError> {
        super::open_or_make(path, KeyAlgorithm::Ed25519)
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/own.pem");
        let made = open_or_make(&path).unwrap().id();
        assert_eq!(open_or_make(&path).unwrap().id(), made);
        assert_eq!(open(&path).unwrap().id(), made);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something was left behind");
    }

    #[test]
    fn all_who_start_at_a_time_have_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/own.pem");
        let ids: Vec<_> = thread::scope(|scope| {
            let start = || scope.spawn(|| open_or_make(&path).unwrap().id());
            let started: Vec<_> = (0..8).map(|_| start()).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[test]
    fn what_is_no_key_is_neither_used_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own.pem");
        assert!(matches!(open(&path), Err(OwnKeyError::Read { .. })));
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(open_or_make(&path), Err(OwnKeyError::Key { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let below = path.join("a file is no directory");
        assert!(matches!(open_or_make(&below), Err(OwnKeyError::Read { .. })));
    }
}
