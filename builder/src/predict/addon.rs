//! PCR 12: what changes a unified kernel image from outside.

use super::event::{Event, EventType, Register};
use crate::measure::BankDigests;

/// The register of what configures the kernel.
const PCR: u32 = 12;

/// An add-on the stub loads beside a unified kernel image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedAddon {
    /// The name of its file, without directories.
    pub file: String,
    /// The kernel arguments it adds, as the stub takes them: without white space around them.
    pub cmdline: Option<String>,
    /// The digests of the microcode archive it adds.
    pub microcode: Option<BankDigests>,
}

/// What PCR 12 holds when the stub loads `addons`, given in the order in which it does: those of the machine
/// (`loader/addons`) sorted by name, then those of the image (`<image>.efi.extra.d`) sorted by name.
///
/// Kernel arguments of all add-ons are measured as one text, with its final NUL, in UTF-16. Microcode is measured add-on by
/// add-on from the last to the first, since the kernel takes the first it finds. Without add-ons nothing is measured.
#[must_use]
pub fn kernel_config(addons: &[LoadedAddon]) -> Register {
    let mut events = Vec::new();
    let added: Vec<&str> = addons.iter().filter_map(|addon| addon.cmdline.as_deref()).collect();
    let added = added.join(" ");
    if !added.is_empty() {
        let bytes: Vec<u8> = added.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        events.push(Event::of(EventType::BootLoader, added, &bytes));
    }
    events.extend(addons.iter().rev().filter_map(|addon| {
        let digests = addon.microcode?;
        Some(Event { kind: EventType::Tagged, description: addon.file.clone(), digests })
    }));
    let assumes = [
        "there are no other add-ons, no credentials and no device trees beside the image",
        "nobody passes kernel arguments to the image",
    ];
    Register::at_once(PCR, &assumes, events)
}
