//! External programs.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::Failure;

/// Where the system keeps programs that are not on everybody's `PATH`.
const SYSTEM_DIRS: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Where `make setup-test` puts programs that no package of this Debian brings.
const OWN_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");
/// Where GRUB's modules are: Debian's directory, and the one `make setup` puts those of other architectures into.
pub const GRUB_MODULES: &str = concat!("/usr/lib/grub,", env!("CARGO_MANIFEST_DIR"), "/../target/tools/grub");

/// The full path of a program.
///
/// # Errors
/// [`Failure::Missing`] with the package to install.
pub fn find(program: &str, package: &str) -> Result<PathBuf, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_DIRS.iter().chain([&OWN_DIR]).map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| missing(program, package))
}

/// A file a package brings.
///
/// # Errors
/// [`Failure::Missing`] with the package to install.
pub fn file(path: &str, package: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(path);
    if path.is_file() { Ok(path) } else { Err(missing(&path.display().to_string(), package)) }
}

/// The modules of one of GRUB's platforms.
///
/// # Errors
/// [`Failure::Missing`] when no directory of [`GRUB_MODULES`] has them.
pub fn grub_modules(platform: &str) -> Result<PathBuf, Failure> {
    GRUB_MODULES
        .split(',')
        .map(|directory| PathBuf::from(directory).join(platform))
        .find(|directory| directory.join("moddep.lst").is_file())
        .ok_or_else(|| Failure::Missing {
            what: format!("GRUB for {platform}"),
            hint: "make setup, with a network".to_owned(),
        })
}

/// A file that `make setup-test` makes.
///
/// # Errors
/// [`Failure::Missing`] when it did not.
pub fn made(name: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(OWN_DIR).join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::Missing { what: path.display().to_string(), hint: "make setup-test".to_owned() })
}

/// Runs a program to its end and returns what it wrote.
///
/// # Errors
/// When it is missing, cannot be started, or ends with an error.
pub fn run<A: AsRef<OsStr>>(
    program: &str,
    package: &str,
    args: impl IntoIterator<Item = A>,
) -> Result<Vec<u8>, Failure> {
    let path = find(program, package)?;
    let output =
        Command::new(&path).args(args).stdin(Stdio::null()).output().map_err(Failure::io("start", &path))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::Program { program: program.to_owned(), stderr })
}

fn missing(what: &str, package: &str) -> Failure {
    Failure::Missing { what: what.to_owned(), hint: format!("apt-get install {package}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find("no-such-program", "some-package").unwrap_err();
        assert_eq!(error.to_string(), "no-such-program is missing (apt-get install some-package)");
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let error = run("ls", "coreutils", ["/no/such/directory"]).unwrap_err();
        assert!(matches!(&error, Failure::Program { program, .. } if program == "ls"), "{error}");
    }
}
