//! PCR 11: what the stub starts, and how far the system has come.

use super::event::{Event, EventType, Register, Value};
use crate::measure::{self, BankDigests, Measured, Prediction};

/// The register of unified kernel images.
const PCR: u32 = 11;
/// What Talos measures once its disks are open and its services start. It is never signed: whoever comes later is to open
/// nothing.
const LAST_PHASE: &str = "start-the-world";

/// What PCR 11 holds when `profile` of a unified kernel image is started: after the stub, and after each phase.
#[must_use]
pub fn kernel_boot(profile: Option<&str>, prediction: &Prediction) -> Register {
    let mut events: Vec<Event> = Vec::new();
    let mut values = Vec::new();
    let mut phases: Vec<&str> = Vec::new();
    let mut value = BankDigests::reset();
    let mut note = |phases: &[&str], events: usize, digests| {
        values.push(Value { phase: Some(phases.join(":")), events, digests });
    };
    for event in prediction.events() {
        if let Measured::Phase(phase) = event.measured {
            note(&phases, events.len(), value);
            phases.push(phase.name());
        }
        value = event.value;
        events.push(describe(event));
    }
    note(&phases, events.len(), value);
    phases.push(LAST_PHASE);
    let last = Event::of(EventType::Userspace, LAST_PHASE, LAST_PHASE.as_bytes());
    value = value.extended(&last.digests);
    events.push(last);
    note(&phases, events.len(), value);
    let assumes = vec!["the system measures Talos' phases and nothing else"];
    Register { pcr: PCR, profile: profile.map(str::to_owned), assumes, events, values }
}

fn describe(event: &measure::PcrEvent) -> Event {
    let (kind, description) = match event.measured {
        Measured::SectionName(name) => (EventType::BootLoader, format!("name {name}")),
        Measured::SectionContent(name) => (EventType::BootLoader, format!("content {name}")),
        Measured::Phase(phase) => (EventType::Userspace, phase.name().to_owned()),
    };
    Event { kind, description, digests: event.digests }
}
