//! What a TPM will have measured once an image has started.
//!
//! Firmware, systemd-boot and systemd's stub each extend a platform configuration register (PCR) with a digest of what they
//! are about to use. Who knows the bytes knows the digests, so an image can come with the values a machine will show. The
//! firmware's part follows the TCG PC Client Platform Firmware Profile as EDK2 implements it, the rest systemd's "TPM2 PCR
//! Measurements Made by systemd"; both were compared with event logs of real boots (EDK2 2022.11, systemd 257).
//!
//! Facts in, predictions out; only [`Program::measure`] reads. What is assumed about the machine is part of each
//! prediction.

mod addon;
mod boot;
mod document;
mod event;
mod kernel;
mod pcrlock;
mod secure_boot;

pub use addon::{LoadedAddon, kernel_config};
pub use boot::{Program, ProgramMeasureError, Role, boot_loader_code};
pub use document::{Document, SCHEMA};
pub use event::{Event, EventType, Register, Value};
pub use kernel::kernel_boot;
pub use pcrlock::pcrlock;
pub use secure_boot::{KeyVariables, secure_boot_policy};

#[cfg(test)]
mod tests;
