//! Events, and the values of a register that follow from them.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::measure::BankDigests;

/// As an object of lower-case hexadecimal texts: `{"sha256":"…","sha384":"…","sha512":"…"}`.
impl Serialize for BankDigests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.as_array().len()))?;
        for digest in self.as_array() {
            map.serialize_entry(digest.algorithm().name(), &digest.hex())?;
        }
        map.end()
    }
}

/// The kind of an event, by its name in the TCG PC Client Platform Firmware Profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum EventType {
    /// The firmware says what it does.
    #[serde(rename = "EV_EFI_ACTION")]
    Action,
    /// The firmware hands over to what it starts.
    #[serde(rename = "EV_SEPARATOR")]
    Separator,
    /// A program was loaded. The digest is its Authenticode digest.
    #[serde(rename = "EV_EFI_BOOT_SERVICES_APPLICATION")]
    Application,
    /// A variable decides what may be started.
    #[serde(rename = "EV_EFI_VARIABLE_DRIVER_CONFIG")]
    Variable,
    /// An entry of `db` allowed a program.
    #[serde(rename = "EV_EFI_VARIABLE_AUTHORITY")]
    Authority,
    /// A boot loader measured something.
    #[serde(rename = "EV_IPL")]
    BootLoader,
    /// A boot loader measured something, with a number that says what.
    #[serde(rename = "EV_EVENT_TAG")]
    Tagged,
    /// The running system measured a phase of its start. It is not in the firmware's event log.
    #[serde(rename = "userspace")]
    Userspace,
}

impl EventType {
    /// Whether the bytes of an image decide the digest, and nothing else does.
    pub(super) const fn is_of_the_asset(self) -> bool {
        match self {
            Self::Application | Self::BootLoader | Self::Tagged => true,
            Self::Action | Self::Separator | Self::Variable | Self::Authority | Self::Userspace => false,
        }
    }
}

/// One extension of a register.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What was measured, for people.
    pub description: String,
    /// What the register was extended with.
    pub digests: BankDigests,
}

impl Event {
    /// The event of measuring `bytes`.
    pub(super) fn of(kind: EventType, description: impl Into<String>, bytes: &[u8]) -> Self {
        Self { kind, description: description.into(), digests: BankDigests::of(bytes) }
    }
}

/// What a register holds after some of its events.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Value {
    /// The phases of the start that are over, joined by colons as systemd-measure writes them; none for a register that
    /// does not change after the kernel has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// After how many of the events it has this value.
    pub events: usize,
    /// The value in each bank.
    #[serde(flatten)]
    pub digests: BankDigests,
}

/// What one register will hold, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Register {
    /// The number of the register.
    pub pcr: u32,
    /// The profile of the unified kernel image that is started, where the register depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What must be true of the machine for the values to come out, in sentences.
    pub assumes: Vec<&'static str>,
    /// What extends the register, in order.
    pub events: Vec<Event>,
    /// What it holds, as time goes on.
    pub values: Vec<Value>,
}

impl Register {
    /// The prediction of a register that has one value: the one after all `events`.
    pub(super) fn at_once(pcr: u32, assumes: &[&'static str], events: Vec<Event>) -> Self {
        let values = vec![Value { phase: None, events: events.len(), digests: replay(&events) }];
        Self { pcr, profile: None, assumes: assumes.to_vec(), events, values }
    }

    /// The value after all events.
    #[must_use]
    pub fn last(&self) -> BankDigests {
        replay(&self.events)
    }
}

/// The value of a register that starts with zeros and is extended with `events`.
pub(super) fn replay(events: &[Event]) -> BankDigests {
    events.iter().fold(BankDigests::reset(), |value, event| value.extended(&event.digests))
}
