//! The shape of the project: the root is the map, arrows go one way, files stay small.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most lines a source file may have; the goal is 300.
const MAX_LINES: usize = 400;

/// Which workspace crates each crate may depend on.
const ARROWS: [(&str, &[&str]); 7] = [
    ("schematics", &[]),
    ("signing", &["schematics"]),
    ("builder", &["schematics", "signing"]),
    ("extensions", &["schematics", "signing", "builder"]),
    ("web", &["schematics"]),
    ("factory", &["schematics", "signing", "builder", "extensions", "web"]),
    ("tests", &["schematics", "signing", "builder", "extensions", "factory"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?} failed");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_visible_root_is_the_map() {
    let files = git(&["ls-files"]);
    let visible: BTreeSet<&str> = files
        .lines()
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "builder",
        "extensions",
        "factory",
        "schematics",
        "signing",
        "tests",
        "web",
    ];
    assert_eq!(visible, BTreeSet::from(expected));
}

#[test]
fn arrows_go_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), ARROWS.len());
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) = ARROWS.iter().find(|(known, _)| *known == name).expect("a crate of the map");
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            let ours = ARROWS.iter().any(|(known, _)| *known == target) && dependency["path"].is_string();
            // A crate may test itself with a feature of its own.
            assert!(!ours || target == name || allowed.contains(&target), "{name} depends on {target}");
        }
    }
}

#[test]
fn files_stay_small() {
    let files = git(&["ls-files", "*.rs"]);
    let large: Vec<String> = files
        .lines()
        .filter_map(|path| {
            let lines = std::fs::read_to_string(root().join(path)).ok()?.lines().count();
            (lines > MAX_LINES).then(|| format!("{path}: {lines} lines"))
        })
        .collect();
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn nothing_is_left_undone() {
    let output = Command::new("git")
        .arg("-C")
        .arg(root())
        .args([
            "grep",
            "-nE",
            r"todo!\(|unimplemented!\(|#\[ignore|FIXME|dbg!\(",
            "--",
            "*.rs",
            ":!tests/structure.rs",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
