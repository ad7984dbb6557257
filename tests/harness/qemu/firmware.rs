//! Firmware images of the distribution.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schematics::Arch;

use super::Vars;
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
    /// Writes the variables into `dir`; with some given, the firmware is one that knows SecureBoot.
    pub(super) fn prepare(arch: Arch, secure: Option<&Vars>, dir: &Path) -> Result<Self, Failure> {
        let (code, vars, package) = match (arch, secure) {
            (Arch::Amd64, None) => ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd", "ovmf"),
            (Arch::Amd64, Some(_)) => ("OVMF/OVMF_CODE_4M.secboot.fd", "OVMF/OVMF_VARS_4M.fd", "ovmf"),
            (Arch::Arm64, None) => ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd", "qemu-efi-aarch64"),
            // The same firmware; of its stores this is one that has been formatted.
            (Arch::Arm64, Some(_)) => {
                ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.snakeoil.fd", "qemu-efi-aarch64")
            }
        };
        let code = tool::file(&format!("/usr/share/{code}"), package)?;
        let template = tool::file(&format!("/usr/share/{vars}"), package)?;
        let vars = dir.join("vars.fd");
        match secure {
            Some(secure) => secure.write(&template, &vars)?,
            None => fs::copy(&template, &vars).map(drop).map_err(Failure::io("copy", &template))?,
        }
        Ok(Self { code, vars })
    }
}
