//! PCR 4: the programs that were started.

use schematics::{Blame, Blamed};
use serde::Serialize;

use super::event::{Event, EventType, Register};
use crate::format::pe::{self, PeError};
use crate::image::VirtualImage;
use crate::measure::{BankDigests, MeasureError, Meter};

/// The register of boot loaders and what they load.
const PCR: u32 = 4;
/// What the firmware measures before it starts what it was told to start, without a NUL.
const ACTION: &str = "Calling EFI Application from Boot Option";
/// A separator that tells of no error.
pub(super) const SEPARATOR: [u8; 4] = [0; 4];

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// systemd-boot.
    BootLoader,
    /// A unified kernel image.
    KernelImage,
    /// An add-on of one.
    Addon,
}

/// A program the firmware loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// What it is for.
    pub role: Role,
    /// Its file.
    pub path: String,
    /// Its Authenticode digests, with each bank's hash function.
    pub authenticode: BankDigests,
}

impl Program {
    /// Measures a program whose beginning is `head` ([`pe::HEAD`] bytes, or all of it). Reads it once.
    ///
    /// # Errors
    /// When it is no PE32+ image of a sane layout, or cannot be read.
    pub async fn measure(
        role: Role,
        path: &str,
        (image, head): (&VirtualImage, &[u8]),
        meter: &Meter,
    ) -> Result<Self, ProgramMeasureError> {
        let signed = pe::signed_bytes(image, head).map_err(ProgramMeasureError::Program)?;
        let authenticode = meter.digests(&signed).await.map_err(ProgramMeasureError::Read)?;
        Ok(Self { role, path: path.to_owned(), authenticode })
    }
}

/// Why a program cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProgramMeasureError {
    /// It is none.
    #[error("cannot measure what is no EFI program")]
    Program(#[source] PeError),
    /// Its bytes cannot be read.
    #[error("cannot measure an EFI program")]
    Read(#[source] MeasureError),
}

impl Blamed for ProgramMeasureError {
    fn blame(&self) -> Blame {
        match self {
            Self::Program(_) => Blame::Upstream,
            Self::Read(source) => source.blame(),
        }
    }
}

/// What PCR 4 holds once `programs` were loaded, in this order.
///
/// A kernel image that systemd's stub starts is not among them: the stub loads it without the firmware. Its add-ons are,
/// behind it.
#[must_use]
pub fn boot_loader_code(programs: &[Program]) -> Register {
    let mut events = vec![
        Event::of(EventType::Action, ACTION, ACTION.as_bytes()),
        Event::of(EventType::Separator, "separator", &SEPARATOR),
    ];
    events.extend(programs.iter().map(|program| Event {
        kind: EventType::Application,
        description: program.path.clone(),
        digests: program.authenticode,
    }));
    let assumes = [
        "the firmware starts the first program at its first attempt, without another program before it",
        "there is no shim, and no other boot loader",
    ];
    Register::at_once(PCR, &assumes, events)
}
