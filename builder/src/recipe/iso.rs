//! ISOs: which of the three layouts a release gets, and what is in each.

mod text;

use schematics::{Arch, Blame, Blamed, Boot, Bootloader, Feature, TalosVersion};

use crate::format::fat::{self, FatError, FatOptions};
use crate::format::grub;
use crate::format::iso9660::boot::BiosBoot;
use crate::format::iso9660::{self, IsoOptions, Partitioning};
use crate::image::VirtualImage;
use crate::tree::{Tree, TreeError};

pub use text::{Enroll, EnrollError, grub_cfg, grub_quote, loader_conf, volume_id, volume_set};

/// Room in the EFI system partition for everything but boot loader and kernel image, in bytes.
const ESP_ROOM: u64 = 10 << 20;
const MIB: u64 = 1 << 20;
/// systemd-boot wants to write a seed here; a file of zeros that is read-only keeps it from trying.
const RANDOM_SEED: [u8; 32] = [0; 32];

/// How an ISO is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsoLayout {
    /// systemd-boot and a unified kernel image, for UEFI alone.
    UefiOnly,
    /// The same for UEFI, and GRUB with kernel and initramfs for a BIOS.
    Hybrid,
    /// GRUB with kernel and initramfs, for both.
    Grub,
}

/// GRUB's parts of an ISO.
#[derive(Debug, Clone, Default)]
pub struct GrubImages {
    /// What boots it on a BIOS.
    pub bios: Option<BiosBoot>,
    /// What boots it on UEFI.
    pub efi: Option<VirtualImage>,
}

/// What an ISO is made of.
#[derive(Debug, Clone)]
pub struct IsoInputs<'a> {
    /// The Talos version.
    pub version: &'a TalosVersion,
    /// The architecture.
    pub arch: Arch,
    /// The kernel command line, for GRUB; the unified kernel image has its own.
    pub cmdline: &'a str,
    /// The kernel.
    pub kernel: &'a VirtualImage,
    /// The initramfs.
    pub initramfs: &'a VirtualImage,
    /// The unified kernel image; signed, when it has to be.
    pub uki: Option<&'a VirtualImage>,
    /// systemd-boot; signed, when it has to be.
    pub sd_boot: Option<&'a VirtualImage>,
    /// GRUB, for the layouts that have it.
    pub grub: Option<&'a GrubImages>,
    /// The time of everything, in seconds since 1970.
    pub epoch: u32,
    /// Whether systemd-boot enrols SecureBoot keys.
    pub enroll: Enroll,
    /// More files for the EFI system partition, such as the keys to enrol.
    pub extra_esp: &'a Tree,
}

/// Why there is no such ISO.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// The version is older than SecureBoot.
    #[error("Talos {version} has no SecureBoot: it begins with v1.5.0")]
    NoSecureBoot {
        /// The version.
        version: TalosVersion,
    },
    /// The layout needs something that was not given.
    #[error("{layout} needs {what}")]
    Missing {
        /// The layout.
        layout: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The command line would not be one line of a GRUB configuration.
    #[error("the kernel command line has a line break, which a boot menu cannot hold")]
    Cmdline,
    /// A path is none.
    #[error("could not put together the files of the ISO")]
    Tree(#[from] TreeError),
    /// The EFI system partition cannot be made.
    #[error("could not lay out the EFI system partition of the ISO")]
    Esp(#[from] FatError),
    /// The volume cannot be made.
    #[error("could not lay out the volume of the ISO")]
    Volume(#[from] iso9660::IsoError),
}

impl Blamed for IsoError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoSecureBoot { .. } | Self::Cmdline => Blame::Caller,
            Self::Missing { .. } | Self::Tree(_) | Self::Esp(_) | Self::Volume(_) => Blame::Ours,
        }
    }
}

/// The layout upstream makes for such a machine.
///
/// The boot loader of the schematic counts from 1.12 on, and never with SecureBoot.
///
/// # Errors
/// When the version is too old for SecureBoot.
pub fn choose_layout(
    version: &TalosVersion,
    arch: Arch,
    boot: Boot,
    bootloader: Bootloader,
) -> Result<IsoLayout, IsoError> {
    if boot == Boot::Secure {
        if version.supports(Feature::Uki) {
            return Ok(IsoLayout::UefiOnly);
        }
        return Err(IsoError::NoSecureBoot { version: version.clone() });
    }
    if !version.supports(Feature::SdBoot) {
        return Ok(IsoLayout::Grub);
    }
    if !version.supports(Feature::IsoBootloader) {
        return Ok(IsoLayout::Hybrid);
    }
    Ok(match (bootloader, arch) {
        (Bootloader::SdBoot, _) | (Bootloader::None, Arch::Arm64) => IsoLayout::UefiOnly,
        (Bootloader::DualBoot, _) | (Bootloader::None, Arch::Amd64) => IsoLayout::Hybrid,
        (Bootloader::Grub, _) => IsoLayout::Grub,
    })
}

/// The ISO as an image. Payloads stay the extents they are, however often the layout has them.
///
/// # Errors
/// When the layout needs an input that is not there, or something does not fit.
pub fn lay_out(layout: IsoLayout, inputs: &IsoInputs<'_>) -> Result<VirtualImage, IsoError> {
    match layout {
        IsoLayout::UefiOnly => {
            let tree = systemd_tree(inputs, "an ISO for UEFI")?;
            volume(&tree, &systemd_esp(&tree, inputs)?, None, inputs)
        }
        IsoLayout::Hybrid => {
            let mut tree = systemd_tree(inputs, "a hybrid ISO")?;
            let esp = systemd_esp(&tree, inputs)?;
            tree.merge(grub_tree(inputs)?);
            let bios = bios(inputs, "a hybrid ISO")?;
            volume(&tree, &esp, bios, inputs)
        }
        IsoLayout::Grub => {
            let mut tree = grub_tree(inputs)?;
            let mut esp_tree = grub_esp_tree(&mut tree, inputs)?;
            esp_tree.merge(inputs.extra_esp.clone());
            let esp = grub_esp(&esp_tree, inputs)?;
            volume(&tree, &esp, bios(inputs, "a GRUB ISO")?, inputs)
        }
    }
}

/// The GRUB for a BIOS. arm64 machines have none, so there it may be missing.
fn bios<'a>(inputs: &IsoInputs<'a>, layout: &'static str) -> Result<Option<&'a BiosBoot>, IsoError> {
    let bios = inputs.grub.and_then(|grub| grub.bios.as_ref());
    match inputs.arch {
        Arch::Amd64 if bios.is_none() => Err(IsoError::Missing { layout, what: "a GRUB image for a BIOS" }),
        Arch::Amd64 => Ok(bios),
        Arch::Arm64 => Ok(None),
    }
}

/// What systemd-boot needs, in the ISO and in the EFI system partition alike.
fn systemd_tree(inputs: &IsoInputs<'_>, layout: &'static str) -> Result<Tree, IsoError> {
    let missing = |what| IsoError::Missing { layout, what };
    let sd_boot = inputs.sd_boot.ok_or_else(|| missing("systemd-boot"))?;
    let uki = inputs.uki.ok_or_else(|| missing("a unified kernel image"))?;
    let mut tree = Tree::default();
    tree.insert_file(&format!("EFI/BOOT/{}", inputs.arch.removable_loader()), 0o644, sd_boot.clone())?;
    tree.insert_file(&format!("EFI/Linux/Talos-{}.efi", inputs.version), 0o644, uki.clone())?;
    tree.insert_file("loader/loader.conf", 0o644, VirtualImage::from_bytes(loader_conf(inputs.enroll)))?;
    tree.insert_file("loader/random-seed", 0o444, VirtualImage::from_bytes(&RANDOM_SEED[..]))?;
    tree.merge(inputs.extra_esp.clone());
    Ok(tree)
}

fn systemd_esp(tree: &Tree, inputs: &IsoInputs<'_>) -> Result<VirtualImage, IsoError> {
    let large = inputs.sd_boot.into_iter().chain(inputs.uki);
    let usual = ESP_ROOM + large.map(|image| image.len().next_multiple_of(MIB)).sum::<u64>();
    esp(tree, usual.max(fat::size_for(tree)?), inputs)
}

fn esp(tree: &Tree, size: u64, inputs: &IsoInputs<'_>) -> Result<VirtualImage, IsoError> {
    let options = FatOptions { label: "EFI", size, volume_id: fat::INVARIANT_ID, time: inputs.epoch };
    Ok(fat::lay_out(tree, &options)?)
}

/// As small as can be, as such ISOs always were; a FAT32 only where that is not enough.
fn grub_esp(tree: &Tree, inputs: &IsoInputs<'_>) -> Result<VirtualImage, IsoError> {
    match esp(tree, fat::MIN_SIZE_16, inputs) {
        Err(IsoError::Esp(FatError::Full { .. })) => esp(tree, fat::size_for(tree)?, inputs),
        other => other,
    }
}

/// What GRUB starts, and its menu.
fn grub_tree(inputs: &IsoInputs<'_>) -> Result<Tree, IsoError> {
    if inputs.cmdline.contains(['\n', '\r']) {
        return Err(IsoError::Cmdline);
    }
    let mut tree = Tree::default();
    tree.insert_file("boot/vmlinuz", 0o644, inputs.kernel.clone())?;
    tree.insert_file("boot/initramfs.xz", 0o644, inputs.initramfs.clone())?;
    let menu = VirtualImage::from_bytes(grub_cfg(inputs.version, inputs.cmdline));
    tree.insert_file("boot/grub/grub.cfg", 0o644, menu)?;
    if let (Some(grub), Arch::Amd64) = (inputs.grub, inputs.arch)
        && let Some(bios) = &grub.bios
    {
        tree.insert_file(&bios.path, 0o644, bios.image().clone())?;
    }
    Ok(tree)
}

/// The EFI system partition of a GRUB ISO, and in the ISO what it refers to.
///
/// GRUB for UEFI is cooked once and knows no ISO. It reads a configuration next to itself, which finds this very ISO
/// by a file that no other has; a machine may have more media with a GRUB menu than one.
fn grub_esp_tree(tree: &mut Tree, inputs: &IsoInputs<'_>) -> Result<Tree, IsoError> {
    let missing = IsoError::Missing { layout: "a GRUB ISO", what: "a GRUB image for UEFI" };
    let efi = inputs.grub.and_then(|grub| grub.efi.as_ref()).ok_or(missing)?;
    let marker = text::marker(inputs);
    tree.insert_file(&marker, 0o444, VirtualImage::default())?;
    let config = VirtualImage::from_bytes(text::grub_efi_cfg(&marker));
    let mut esp = Tree::default();
    esp.insert_file(&format!("EFI/BOOT/{}", inputs.arch.removable_loader()), 0o644, efi.clone())?;
    esp.insert_file(grub::EFI_CONFIG, 0o644, config.clone())?;
    // Started from a disc, GRUB takes the whole disc for the place it came from.
    tree.insert_file(grub::EFI_CONFIG, 0o644, config)?;
    Ok(esp)
}

fn volume(
    tree: &Tree,
    esp: &VirtualImage,
    bios: Option<&BiosBoot>,
    inputs: &IsoInputs<'_>,
) -> Result<VirtualImage, IsoError> {
    let options = IsoOptions {
        volume: &volume_id(inputs.version),
        volume_set: &volume_set(inputs.version),
        epoch: inputs.epoch,
        bios,
        esp,
        partitions: if bios.is_some() { Partitioning::Gpt } else { Partitioning::Mbr },
    };
    Ok(iso9660::lay_out(tree, &options)?)
}

#[cfg(test)]
mod tests;
