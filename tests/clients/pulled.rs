//! What a client has pulled: layers, or one archive of everything.

use std::path::{Path, PathBuf};

use fs_err as fs;
use schematics::{Arch, Digest};
use serde_json::Value;
use tests::{Failure, tool};

use crate::site::text;

/// Layers as archives, compressed or not, the lowest first.
#[derive(Debug)]
pub(crate) struct Pulled(Vec<PathBuf>);

impl Pulled {
    /// The flat archive of a container.
    pub(crate) fn archive(path: PathBuf) -> Self {
        Self(vec![path])
    }

    /// The image of an architecture in an OCI layout directory.
    pub(crate) fn layout(dir: &Path, arch: Arch) -> Self {
        let read = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            dir.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())
        };
        let mut document = read(dir.join("index.json"));
        while let Some(entries) = document["manifests"].as_array().cloned() {
            let wanted = |entry: &&Value| entry["platform"]["architecture"] == arch.name();
            let entry = entries.iter().find(wanted).or(entries.first()).unwrap();
            document = read(blob(entry));
        }
        let config = read(blob(&document["config"]));
        assert_eq!(config["architecture"], arch.name(), "another architecture was pulled");
        Self(document["layers"].as_array().unwrap().iter().map(blob).collect())
    }

    /// A file of the uppermost layer that has it.
    pub(crate) fn file(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let mut missing = None;
        for layer in self.0.iter().rev() {
            match tool::run("tar", "tar", ["-xOf", &text(layer), path]) {
                Err(failure @ Failure::Program { .. }) => missing = Some(failure),
                other => return other,
            }
        }
        Err(missing.unwrap())
    }

    /// Fails the test unless this is the installer of an architecture with this unified kernel image.
    pub(crate) fn check(&self, arch: Arch, uki: Digest) -> Result<(), Failure> {
        let found = self.file(&format!("usr/install/{arch}/vmlinuz.efi"))?;
        assert_eq!(Digest::of(&found), uki, "{arch}");
        assert!(!self.file(&format!("usr/install/{arch}/systemd-boot.efi"))?.is_empty());
        assert!(!self.file("usr/bin/installer")?.is_empty());
        let other = if arch == Arch::Amd64 { Arch::Arm64 } else { Arch::Amd64 };
        assert!(self.file(&format!("usr/install/{other}/vmlinuz.efi")).is_err());
        Ok(())
    }
}
