//! Firmware images of the distribution.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schematics::Arch;

use crate::{Failure, tool};

/// What starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS on amd64; on arm64 nothing but QEMU's own kernel loader.
    Bios,
    /// OVMF or AAVMF with a private copy of the variables.
    Uefi,
}

/// The flash images of one machine.
#[derive(Debug)]
pub(super) struct Flash {
    pub(super) code: PathBuf,
    pub(super) vars: PathBuf,
}

impl Flash {
    /// Copies the variables into `dir`.
    pub(super) fn prepare(arch: Arch, dir: &Path) -> Result<Self, Failure> {
        let (code, vars, package) = match arch {
            Arch::Amd64 => ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", "ovmf"),
            Arch::Arm64 => {
                ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd", "qemu-efi-aarch64")
            }
        };
        let code = tool::file(code, package)?;
        let template = tool::file(vars, package)?;
        let vars = dir.join("vars.fd");
        fs::copy(&template, &vars).map_err(Failure::io("copy", &template))?;
        Ok(Self { code, vars })
    }
}
