//! The recipe revisions: the one way to say "same inputs, other bytes".

use super::Kind;

/// The revision of a recipe. Raise it when the same inputs make other bytes, with a line that says why.
pub(super) const fn of(kind: Kind) -> u32 {
    match kind {
        Kind::Kernel => 1,
        Kind::Initramfs => 1,
        Kind::Cmdline => 1,
        Kind::Uki => 1,
        Kind::UefiIso => 1,
        Kind::HybridIso => 1,
        Kind::GrubIso => 1,
        Kind::Addon => 1,
        Kind::InstallerLayer => 1,
        Kind::OverlayLayer => 1,
        Kind::InstallerArchive => 1,
    }
}

/// The revision of the documents that tell of an image.
pub(super) const REPORT: u32 = 1;
