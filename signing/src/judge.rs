//! Other people's tools, which judge what we sign in tests.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a tool in `dir`. `None`, and a line that says so, when it is not installed.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> Option<Output> {
    let command = Command::new(program).args(args).current_dir(dir).env("COSIGN_PASSWORD", "").output();
    match command {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: `{program}` is not installed");
            None
        }
        Err(error) => panic!("cannot start {program}: {error}"),
    }
}

/// As [`run`], for tools that must succeed; gives what they printed.
pub(crate) fn passes(program: &str, args: &[&str], dir: &Path) -> Option<String> {
    let output = run(program, args, dir)?;
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
