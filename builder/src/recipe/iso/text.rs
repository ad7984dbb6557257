//! The texts on an ISO: menus, boot loader configuration, names.

use std::str::FromStr;

use schematics::{Digest, Feature, TalosVersion};

use super::IsoInputs;

/// When systemd-boot enrols the SecureBoot keys it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enroll {
    /// Never.
    Off,
    /// When the user picks it from the menu.
    Manual,
    /// On its own in virtual machines, else by hand.
    IfSafe,
    /// On its own.
    Force,
}

impl Enroll {
    /// The word for it in `loader.conf`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Manual => "manual",
            Self::IfSafe => "if-safe",
            Self::Force => "force",
        }
    }
}

/// Not one of the words for it. The beginning is Sidero's Image Factory's, which clients match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid secureboot enrollKeys value {0:?}: expected `off`, `manual`, `if-safe` or `force`")]
pub struct EnrollError(String);

/// Whatever the case of the word, as in Talos.
impl FromStr for Enroll {
    type Err = EnrollError;

    fn from_str(word: &str) -> Result<Self, EnrollError> {
        let all = [Self::Off, Self::Manual, Self::IfSafe, Self::Force];
        all.into_iter()
            .find(|mode| mode.as_str() == word.to_lowercase())
            .ok_or_else(|| EnrollError(word.to_owned()))
    }
}

/// The `loader.conf` of an ISO.
#[must_use]
pub fn loader_conf(enroll: Enroll) -> String {
    let mode = enroll.as_str();
    format!("# systemd-boot configuration\n\ntimeout 10\n\nsecure-boot-enroll {mode}\n")
}

/// The menu of a GRUB that boots this command line.
#[must_use]
pub fn grub_cfg(version: &TalosVersion, cmdline: &str) -> String {
    let mut menu = String::from(
        "set default=0\nset timeout=3\n\ninsmod all_video\n\nterminal_input console\nterminal_output console\n",
    );
    menu.push_str(&entry("Talos ISO", cmdline));
    if version.supports(Feature::GrubReset) {
        menu.push_str(&entry(
            "Reset Talos installation",
            &format!("{cmdline} talos.experimental.wipe=system"),
        ));
    }
    menu
}

fn entry(title: &str, cmdline: &str) -> String {
    let quoted = grub_quote(cmdline);
    format!(
        "\nmenuentry \"{title}\" {{\n  set gfxmode=auto\n  set gfxpayload=text\n  linux /boot/vmlinuz {quoted}\n  \
         initrd /boot/initramfs.xz\n}}\n"
    )
}

/// Text with a backslash in front of what GRUB would not take literally.
#[must_use]
pub fn grub_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if r#"\{}&$|;<>""#.contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// The configuration beside a GRUB for UEFI: goes on with the menu of the ISO that has the file `marker`.
pub(super) fn grub_efi_cfg(marker: &str) -> String {
    format!(
        "search --no-floppy --set=root --file /{marker}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    )
}

/// A file name that only ISOs with the same contents share.
pub(super) fn marker(inputs: &IsoInputs<'_>) -> String {
    let parts = [inputs.kernel.manifest_digest(), inputs.initramfs.manifest_digest()];
    let menu = Digest::of(grub_cfg(inputs.version, inputs.cmdline).as_bytes());
    let all: Vec<u8> = parts.iter().chain([&menu]).flat_map(|digest| *digest.as_bytes()).collect();
    let hex = Digest::of(&all).hex();
    format!("boot/grub/{}.id", hex.get(..32).unwrap_or(&hex))
}

/// The volume id: the version in what characters there are; older releases have a general one.
#[must_use]
pub fn volume_id(version: &TalosVersion) -> String {
    if !version.supports(Feature::IsoLabel) {
        return "ISOIMAGE".to_owned();
    }
    let upper = format!("TALOS-{version}").to_uppercase();
    let mapped = upper.chars().filter_map(|c| match c {
        'A'..='Z' | '0'..='9' => Some(c),
        '_' | '-' | '.' => Some('_'),
        _ => None,
    });
    mapped.take(32).collect()
}

/// The volume set id.
#[must_use]
pub fn volume_set(version: &TalosVersion) -> String {
    if version.supports(Feature::IsoLabel) { format!("Talos-{version}") } else { String::new() }
}
