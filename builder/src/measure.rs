//! What a TPM will hold in PCR 11 after a unified kernel image was started, computed before anything starts.
//!
//! systemd's stub extends the register with the name and the content of each section it uses, and the system extends it
//! with a word for each phase of its boot. Prediction is pure; [`Meter`] computes the digests of the contents it needs.

mod banks;
mod meter;

use std::fmt;

use crate::format::pe::SectionName;

pub use banks::{BankDigests, BankHashers};
pub use meter::{MeasureError, Meter};

/// The sections that are measured, in the order in which the stub measures them, whatever their order in the file.
///
/// `.pcrsig` is not among them: it is made of what is measured. Images of ours have no `.ucode`, `.dtb`, `.dtbauto` and
/// `.hwids`; the places of these are the stub's too.
pub const SECTIONS: [&str; 13] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey",
    ".profile", ".dtbauto", ".hwids",
];

/// A step of Talos' boot that extends PCR 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The initramfs has started.
    EnterInitrd,
    /// The initramfs hands over.
    LeaveInitrd,
    /// Talos' init has started. The last phase that is signed: disks are unlocked in it.
    EnterMachined,
}

impl Phase {
    /// All phases that are signed, in the order they are passed. `start-the-world` comes later, and is left out on
    /// purpose: it closes the door behind the boot.
    pub const ALL: [Self; 3] = [Self::EnterInitrd, Self::LeaveInitrd, Self::EnterMachined];

    /// The word that is measured, without a NUL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EnterInitrd => "enter-initrd",
            Self::LeaveInitrd => "leave-initrd",
            Self::EnterMachined => "enter-machined",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one event measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The name of a section, with the NUL behind it.
    SectionName(&'static str),
    /// The content of a section, all bytes it has in memory.
    SectionContent(&'static str),
    /// The word for a phase.
    Phase(Phase),
}

/// One extension of PCR 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrEvent {
    /// What is measured.
    pub measured: Measured,
    /// Its digests.
    pub digests: BankDigests,
    /// What the register holds afterwards.
    pub value: BankDigests,
}

/// All that is measured into PCR 11 from the stub to the last phase, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    events: Vec<PcrEvent>,
    value: BankDigests,
}

impl Prediction {
    /// Predicts from the digests of sections, by name. Sections that are not in [`SECTIONS`] are not measured, and of
    /// several with one name the first is, as the stub has it.
    #[must_use]
    pub fn of(sections: &[(SectionName, BankDigests)]) -> Self {
        let mut measured = Vec::new();
        for name in SECTIONS {
            if let Some((_, digests)) = sections.iter().find(|(given, _)| given.as_bytes() == name.as_bytes())
            {
                measured
                    .push((Measured::SectionName(name), BankDigests::of(&[name.as_bytes(), b"\0"].concat())));
                measured.push((Measured::SectionContent(name), *digests));
            }
        }
        for phase in Phase::ALL {
            measured.push((Measured::Phase(phase), BankDigests::of(phase.name().as_bytes())));
        }
        let mut value = BankDigests::reset();
        let extend = |(measured, digests)| {
            value = value.extended(&digests);
            PcrEvent { measured, digests, value }
        };
        let events = measured.into_iter().map(extend).collect();
        Self { events, value }
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[PcrEvent] {
        &self.events
    }

    /// What the register holds after the last phase: the value that is signed.
    #[must_use]
    pub const fn value(&self) -> &BankDigests {
        &self.value
    }
}

#[cfg(test)]
mod tests;
