//! Why a test could not do its work.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::qemu::Ending;

/// Why the harness could not produce a result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something the test needs is not on this machine: the test cannot say anything.
    #[error("{what} is missing ({hint})")]
    Missing {
        /// The program, file or privilege.
        what: String,
        /// How to get it.
        hint: String,
    },
    /// The reference release was not made: no reason to skip, since everybody can make it.
    #[error("there is no reference release at {}; `make reference` makes it", path.display())]
    Reference {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or a process could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An external program ended with an error.
    #[error("{program} failed: {stderr}")]
    Program {
        /// Its name.
        program: String,
        /// What it said.
        stderr: String,
    },
    /// The machine did not report facts.
    #[error("{ending}; the log ends with:\n{tail}")]
    Guest {
        /// How the run ended.
        ending: Ending,
        /// The last lines of the serial log, and of QEMU's own messages.
        tail: String,
    },
}

impl Failure {
    /// A closure for `map_err` that says what was tried on which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The file that collects one line for each skipped test, when a run wants to count them.
const SKIPS: &str = "FACTORY_TEST_SKIPS";

/// The value, or `None` after saying what is missing on this machine.
///
/// The line goes to the file named by `FACTORY_TEST_SKIPS`, and to standard error past libtest's capture: a skipped test is
/// always visible.
///
/// # Panics
/// On every other failure: the test has failed.
#[track_caller]
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn or_skip<T>(result: Result<T, Failure>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(missing @ Failure::Missing { .. }) => {
            let test = std::thread::current().name().unwrap_or("test").to_owned();
            let _ = writeln!(io::stderr().lock(), "skipped: {test}: {missing}");
            if let Some(path) = env::var_os(SKIPS)
                && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
            {
                let _ = writeln!(file, "{test}: {missing}");
            }
            None
        }
        Err(failure) => {
            let mut text = failure.to_string();
            let mut source = std::error::Error::source(&failure);
            while let Some(error) = source {
                text = format!("{text}: {error}");
                source = error.source();
            }
            panic!("{text}")
        }
    }
}
