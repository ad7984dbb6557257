//! An image as a container runtime unpacks it.

use std::path::{Path, PathBuf};
use std::process::Command;

use schematics::Arch;
use serde_json::Value;
use tests::{Failure, tool};

use crate::programs::Podman;

/// The root file system of an image, and its configuration as podman understood it.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) root: PathBuf,
    pub(super) image: Value,
}

impl Unpacked {
    /// Pulls and unpacks an image.
    pub(super) fn by(podman: &Podman, image: &str, arch: Arch) -> Result<Self, Failure> {
        podman.run(&["pull", "--quiet", "--tls-verify=false", &format!("--arch={arch}"), image])?;
        let said = podman.run(&["image", "inspect", image])?;
        let images: Value = serde_json::from_slice(&said).unwrap();
        let mounted = podman.run(&["image", "mount", image])?;
        let root = PathBuf::from(String::from_utf8_lossy(&mounted).trim());
        Ok(Self { root, image: images[0].clone() })
    }

    /// A copy that can be changed.
    pub(super) fn copy(&self, below: &Path) -> Self {
        let root = tempfile::tempdir_in(below).unwrap().keep();
        let copied = Command::new("cp").arg("-a").arg(self.root.join(".")).arg(&root).status().unwrap();
        assert!(copied.success());
        Self { root, image: self.image.clone() }
    }

    /// Runs its installer as Talos does: what the configuration of the image says about entry point and environment is
    /// not looked at. What it printed, and its exit code.
    pub(super) fn install(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
        let output = Command::new(tool::find("chroot", "coreutils").unwrap())
            .arg(&self.root)
            .arg("/bin/installer")
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }
}
