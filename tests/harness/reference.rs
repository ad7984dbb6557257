//! The reference release and its raw inputs, made by `make reference`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use schematics::Arch;

use crate::Failure;

/// The two versions of the reference release, oldest first.
pub const VERSIONS: [&str; 2] = ["v1.12.0", "v1.13.0"];

/// Names another layout of the reference release.
const LAYOUT: &str = "FACTORY_TEST_REFERENCE";

/// The OCI layout of the reference release: `target/reference`, or what `FACTORY_TEST_REFERENCE` says.
///
/// # Errors
/// [`Failure::Reference`] when it was not made, or not to the end.
pub fn layout() -> Result<PathBuf, Failure> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/reference");
    let path = env::var_os(LAYOUT).map_or(ours, PathBuf::from);
    if path.join(".stamp").is_file() { Ok(path) } else { Err(Failure::Reference { path }) }
}

/// Trust in whoever signed the reference release, as the configuration says it.
#[must_use]
pub fn trust(layout: &Path) -> String {
    format!("key:{}", layout.join("cosign.pub").display())
}

/// The finished directory of inputs.
#[derive(Debug, Clone)]
pub struct Inputs {
    root: PathBuf,
}

impl Inputs {
    /// Finds the inputs below `target/reference`.
    ///
    /// # Errors
    /// [`Failure::Reference`] when they were not made, or not to the end.
    pub fn find() -> Result<Self, Failure> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/reference/inputs");
        if root.join(".stamp").is_file() {
            return Ok(Self { root });
        }
        Err(Failure::Reference { path: root })
    }

    /// The kernel, a PE image on both architectures.
    #[must_use]
    pub fn kernel(&self, version: &str, arch: Arch) -> PathBuf {
        self.release(version, arch, "vmlinuz")
    }

    /// The initramfs without extensions.
    #[must_use]
    pub fn initramfs(&self, version: &str, arch: Arch) -> PathBuf {
        self.release(version, arch, "initramfs.xz")
    }

    /// systemd-stub.
    #[must_use]
    pub fn stub(&self, version: &str, arch: Arch) -> PathBuf {
        self.release(version, arch, "systemd-stub.efi")
    }

    /// systemd-boot.
    #[must_use]
    pub fn boot_loader(&self, version: &str, arch: Arch) -> PathBuf {
        self.release(version, arch, "systemd-boot.efi")
    }

    /// The root of an extension image: `manifest.yaml` and `rootfs/`.
    #[must_use]
    pub fn extension(&self, name: &str, arch: Arch) -> PathBuf {
        self.root.join("extensions").join(name).join(arch.to_string())
    }

    /// The kernel release, the name of its module directory.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kernel_release(&self, arch: Arch) -> Result<String, Failure> {
        let path = self.root.join(format!("kernel-release-{arch}"));
        let text = fs::read_to_string(&path).map_err(Failure::io("read", &path))?;
        Ok(text.trim().to_owned())
    }

    fn release(&self, version: &str, arch: Arch, file: &str) -> PathBuf {
        self.root.join("releases").join(version).join(arch.to_string()).join(file)
    }
}
