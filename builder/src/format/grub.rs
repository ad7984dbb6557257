//! GRUB images, cooked once by GRUB's own `grub-mkimage`.
//!
//! The images carry every module they need, so that an ISO has no others. They depend on GRUB's files alone, not on
//! a release, a schematic or the time.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use schematics::{Arch, Blame, Blamed};
use tokio::process::Command;

use super::iso9660::boot::{BiosBoot, BootImageError};
use crate::image::VirtualImage;
use crate::store::{Blob, BlobStore, BlobStoreExt as _, StoreError};

/// How long `grub-mkimage` may take; it needs less than a second.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// The largest image; those with all the modules below have some hundred KiB.
const MAX_IMAGE: u64 = 8 << 20;
/// Characters of a failed program's output that go into an error.
const MAX_REPORT: usize = 2000;

/// Where an ISO has the boot image for a BIOS.
pub const BIOS_PATH: &str = "boot/grub/i386-pc/eltorito.img";
/// Where a GRUB for UEFI looks for its configuration, on the medium it was loaded from.
pub const EFI_CONFIG: &str = "EFI/BOOT/grub.cfg";

/// Finds the medium by its configuration, the one GRUB was started from first.
const BIOS_CONFIG: &str = "search --no-floppy --set=root --hint $root --file /boot/grub/grub.cfg\n\
                           set prefix=($root)/boot/grub\n";

const MODULES: [&str; 18] = [
    "part_msdos",
    "part_gpt",
    "iso9660",
    "fat",
    "normal",
    "configfile",
    "linux",
    "boot",
    "search",
    "search_fs_file",
    "all_video",
    "serial",
    "terminal",
    "echo",
    "test",
    "ls",
    "reboot",
    "halt",
];

/// GRUB's files on this machine.
#[derive(Debug, Clone)]
pub struct GrubTools {
    /// The program `grub-mkimage`.
    pub mkimage: PathBuf,
    /// Directories with a directory of modules for each platform, such as `i386-pc`; the first that has one counts.
    pub modules: Vec<PathBuf>,
}

/// What boots an ISO on a BIOS, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BiosImages {
    /// The boot image for optical media.
    pub core: Blob,
    /// The bootstrap for the same medium as a disk.
    pub bootstrap: Blob,
}

/// Why there is no GRUB image.
#[derive(Debug, thiserror::Error)]
pub enum GrubError {
    /// The program is missing.
    #[error("`{}` is missing: GRUB images need the Debian package grub-common", program.display())]
    Program {
        /// The program.
        program: PathBuf,
    },
    /// The modules of a platform are missing.
    #[error("there are no GRUB modules for `{platform}`: they are in the Debian package {package}")]
    Modules {
        /// GRUB's name of the platform.
        platform: &'static str,
        /// The package that has them.
        package: &'static str,
    },
    /// The program could not be run, or its files not be read.
    #[error("could not {action} for a GRUB image")]
    Run {
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program takes too long.
    #[error("grub-mkimage did not finish within {} seconds", TIME_LIMIT.as_secs())]
    Time,
    /// The program failed.
    #[error("grub-mkimage failed ({status}): {report}")]
    Failed {
        /// How it ended.
        status: String,
        /// What it said.
        report: String,
    },
    /// The program made something else.
    #[error("grub-mkimage made {size} bytes, more than the {MAX_IMAGE} of any image")]
    Size {
        /// How many.
        size: u64,
    },
    /// The images lack the places that must be patched.
    #[error("the GRUB images for a BIOS are of another kind than expected")]
    Image(#[source] BootImageError),
    /// The store did not take or deliver them.
    #[error("could not store or load a GRUB image")]
    Store(#[source] StoreError),
}

impl Blamed for GrubError {
    fn blame(&self) -> Blame {
        match self {
            Self::Store(error) => error.blame(),
            Self::Program { .. } | Self::Modules { .. } => Blame::Unsupported,
            Self::Time => Blame::Busy,
            Self::Run { .. } | Self::Failed { .. } | Self::Size { .. } | Self::Image(_) => Blame::Ours,
        }
    }
}

/// A kind of image.
struct Platform {
    name: &'static str,
    format: &'static str,
    package: &'static str,
    prefix: &'static str,
    config: Option<&'static str>,
    /// Modules beside those all have.
    modules: &'static [&'static str],
}

const BIOS: Platform = Platform {
    name: "i386-pc",
    format: "i386-pc-eltorito",
    package: "grub-pc-bin",
    prefix: "/boot/grub",
    config: Some(BIOS_CONFIG),
    modules: &["biosdisk"],
};

const fn efi(arch: Arch) -> Platform {
    let (name, package) = match arch {
        Arch::Amd64 => ("x86_64-efi", "grub-efi-amd64-bin"),
        Arch::Arm64 => ("arm64-efi", "grub-efi-arm64-bin"),
    };
    Platform { name, format: name, package, prefix: "/EFI/BOOT", config: None, modules: &[] }
}

impl GrubTools {
    /// The directory with the modules of a platform, such as `arm64-efi`, when there is one.
    #[must_use]
    pub fn modules_for(&self, platform: &str) -> Option<PathBuf> {
        let whole = |directory: &PathBuf| directory.join("moddep.lst").is_file();
        self.modules.iter().map(|directory| directory.join(platform)).find(whole)
    }

    /// Cooks what boots an ISO on a BIOS; amd64 alone has one.
    ///
    /// # Errors
    /// When GRUB's files are missing or its program fails.
    pub async fn cook_bios(&self, store: &dyn BlobStore) -> Result<BiosImages, GrubError> {
        let modules = self.expect_modules(&BIOS)?;
        let core = self.cook(&BIOS, &modules).await?;
        let bootstrap = read(&modules.join("boot_hybrid.img")).await?;
        BiosBoot::new(BIOS_PATH, VirtualImage::from_bytes(core.clone()), &core, &bootstrap)
            .map_err(GrubError::Image)?;
        let core = store.put(core).await.map_err(GrubError::Store)?;
        let bootstrap = store.put(bootstrap).await.map_err(GrubError::Store)?;
        Ok(BiosImages { core, bootstrap })
    }

    /// Cooks a GRUB for UEFI, which reads [`EFI_CONFIG`].
    ///
    /// # Errors
    /// When GRUB's files are missing or its program fails.
    pub async fn cook_efi(&self, arch: Arch, store: &dyn BlobStore) -> Result<Blob, GrubError> {
        let platform = efi(arch);
        let image = self.cook(&platform, &self.expect_modules(&platform)?).await?;
        store.put(image).await.map_err(GrubError::Store)
    }

    fn expect_modules(&self, platform: &Platform) -> Result<PathBuf, GrubError> {
        let missing = || GrubError::Modules { platform: platform.name, package: platform.package };
        self.modules_for(platform.name).ok_or_else(missing)
    }

    async fn cook(&self, platform: &Platform, modules: &Path) -> Result<Bytes, GrubError> {
        let run = |action| move |source| GrubError::Run { action, source };
        let private = tempfile::tempdir().map_err(run("make a directory"))?;
        let output = private.path().join("image");
        let mut command = Command::new(&self.mkimage);
        command.arg("--directory").arg(modules).args([
            "--format",
            platform.format,
            "--prefix",
            platform.prefix,
        ]);
        command.arg("--output").arg(&output);
        if let Some(config) = platform.config {
            let file = private.path().join("config");
            tokio::fs::write(&file, config).await.map_err(run("write the configuration"))?;
            command.arg("--config").arg(&file);
        }
        command.args(MODULES).args(platform.modules);
        command.env_clear().current_dir(private.path()).stdin(Stdio::null()).kill_on_drop(true);
        self.finish(command).await?;
        read(&output).await
    }

    async fn finish(&self, mut command: Command) -> Result<(), GrubError> {
        let ended = tokio::time::timeout(TIME_LIMIT, command.output()).await.map_err(|_| GrubError::Time)?;
        let output = ended.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => GrubError::Program { program: self.mkimage.clone() },
            _ => GrubError::Run { action: "run grub-mkimage", source },
        })?;
        if output.status.success() {
            return Ok(());
        }
        let report = String::from_utf8_lossy(&output.stderr).trim().chars().take(MAX_REPORT).collect();
        Err(GrubError::Failed { status: output.status.to_string(), report })
    }
}

impl BiosImages {
    /// Loads them, ready for an ISO.
    ///
    /// # Errors
    /// When they are not in the store, or something else is.
    pub async fn load(&self, store: &dyn BlobStore) -> Result<BiosBoot, GrubError> {
        let core = store.read_all(self.core.digest, MAX_IMAGE).await.map_err(GrubError::Store)?;
        let bootstrap = store.read_all(self.bootstrap.digest, MAX_IMAGE).await.map_err(GrubError::Store)?;
        BiosBoot::new(BIOS_PATH, VirtualImage::from_blob(self.core), &core, &bootstrap)
            .map_err(GrubError::Image)
    }
}

async fn read(path: &Path) -> Result<Bytes, GrubError> {
    let run = |source| GrubError::Run { action: "read a file", source };
    let size = tokio::fs::metadata(path).await.map_err(run)?.len();
    if size > MAX_IMAGE {
        return Err(GrubError::Size { size });
    }
    Ok(tokio::fs::read(path).await.map_err(run)?.into())
}

#[cfg(test)]
mod tests;
