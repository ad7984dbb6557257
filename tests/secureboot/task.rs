//! What guests do with a signed policy, and what they say of it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tests::qemu::Boot;

const POLICY: &str = include_str!("guest/policy.sh");

/// A script with the functions of `policy.sh`, and files of the host below `/tmp`.
pub(crate) fn task(files: &[(&str, &Path)], steps: &str) -> String {
    let mut script = POLICY.to_owned();
    for (name, path) in files {
        let content = fs::read_to_string(path).unwrap();
        writeln!(script, "cat > /tmp/{name} <<'END'\n{}\nEND", content.trim_end()).unwrap();
    }
    script + steps
}

/// What the task printed, without its explanations; all of it goes into the message.
#[track_caller]
pub(crate) fn assert_task(boot: &Boot, expected: &[&str]) {
    let printed = boot.task();
    let results: Vec<&str> = printed.iter().copied().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(results, expected, "{printed:#?}");
}
