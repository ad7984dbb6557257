//! Images of the running service, with keys of its own.

mod addon;
mod enrolment;
mod network;
mod refusals;
mod upgrade;

use std::path::{Path, PathBuf};

use fs_err as fs;
use schematics::Arch;
use serde_json::Value;
use tests::keys::KeyFiles;
use tests::qemu::Boot;
use tests::service::Service;
use tests::{Failure, esp};

use crate::verdict::{BANKS, assert_replays};

pub(crate) const VERSION: &str = "v1.13.0";

/// A factory that signs, and its keys.
pub(crate) struct Site {
    pub(crate) service: Service,
    pub(crate) keys: KeyFiles,
}

impl Site {
    pub(crate) fn new() -> Result<Self, Failure> {
        let keys = KeyFiles::generate().unwrap();
        let file = keys.file();
        Ok(Self { service: Service::with(&[("keys", file.to_str().unwrap())])?, keys })
    }

    /// An image of a schematic whose command line has this word.
    pub(crate) fn download(&self, word: &str, options: &str, asset: &str) -> PathBuf {
        let id = self.service.create(&schematic(word, options));
        self.service.download(&format!("{id}/{asset}"))
    }

    /// An image, and what is told of its measurements.
    pub(crate) fn told(&self, word: &str, options: &str, asset: &str) -> (PathBuf, Value) {
        let document = self.download(word, options, &format!("{asset}.pcrs.json"));
        let document = serde_json::from_slice(&fs::read(document).unwrap()).unwrap();
        (self.download(word, options, asset), document)
    }

    /// The certificate of the SecureBoot key.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.keys.certificate("main")
    }
}

/// A schematic with this word on its command line; two arguments keep emulated machines on the right path.
pub(crate) fn schematic(word: &str, options: &str) -> String {
    format!("customization:\n  extraKernelArgs: [no_timer_check, panic=-1, {word}]\n{options}")
}

/// An EFI system partition that starts an image.
pub(crate) fn bootable(arch: Arch, image: &Path) -> Result<PathBuf, Failure> {
    let name = match arch {
        Arch::Amd64 => "EFI/BOOT/BOOTX64.EFI",
        Arch::Arm64 => "EFI/BOOT/BOOTAA64.EFI",
    };
    let path = image.with_extension("esp");
    esp::write(&path, &[(name, image.to_owned())])?;
    Ok(path)
}

/// The value a document tells of a register in a bank: at a phase, or when it does not change any more.
fn value<'a>(document: &'a Value, pcr: u32, phase: Option<&str>, bank: &str) -> &'a str {
    let predictions = document["predictions"].as_array().unwrap();
    let register = predictions
        .iter()
        .find(|one| one["pcr"] == pcr && one["profile"].as_str().is_none_or(|profile| profile == "main"));
    let values = register.unwrap()["values"].as_array().unwrap();
    let found = values.iter().find(|value| value["phase"].as_str() == phase);
    found.unwrap_or_else(|| panic!("{pcr} {phase:?}"))[bank].as_str().unwrap()
}

/// The guest has what was told, in every bank, and its event log adds up to it.
#[track_caller]
pub(crate) fn assert_as_told(
    boot: &Boot,
    document: &Value,
    registers: &[u32],
    dir: &Path,
) -> Result<(), Failure> {
    for bank in BANKS {
        for pcr in registers {
            assert_eq!(boot.pcr(bank, *pcr), value(document, *pcr, None, bank), "{bank} {pcr}");
        }
        for (phase, passed) in [
            ("start", ""),
            ("enter-initrd", "enter-initrd"),
            ("leave-initrd", "enter-initrd:leave-initrd"),
            ("enter-machined", "enter-initrd:leave-initrd:enter-machined"),
        ] {
            assert_eq!(boot.phase(bank, phase), value(document, 11, Some(passed), bank), "{bank} {phase}");
        }
    }
    assert_replays(boot, dir)
}
