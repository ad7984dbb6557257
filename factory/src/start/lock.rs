//! One server per data directory.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another server uses it.
    #[error("{} is in use by another factory; give this one a `data` directory of its own", dir.display())]
    Taken {
        /// The directory.
        dir: PathBuf,
    },
    /// It cannot be written to.
    #[error("cannot use {} for data", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Holds a data directory for this process; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: fs::File,
}

impl DataLock {
    /// Makes the directory where needed and takes it.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written to.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let path = dir.join("lock");
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match file.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(LockError::Taken { dir: dir.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => return Err(unusable(source)),
        }
        // The number is for people who wonder who has it.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("new");
        let lock = DataLock::take(&dir).unwrap();
        assert!(matches!(DataLock::take(&dir), Err(LockError::Taken { .. })));
        drop(lock);
        DataLock::take(&dir).unwrap();
        assert_eq!(fs::read_to_string(dir.join("lock")).unwrap().trim(), std::process::id().to_string());
    }

    #[test]
    fn what_is_no_directory_cannot_be_taken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(DataLock::take(file.path()), Err(LockError::Unusable { .. })));
    }
}
