//! How a run ended, read from the serial log.

use std::{fmt, time::Duration};

use serde_json::Value;

use super::refusals::{Refusal, refusals};

const FACTS: &str = "FACTORY-FACTS ";
const FAILED: &str = "FACTORY-FAILED ";
const PANIC: &str = "Kernel panic - not syncing";
/// A panic of emulated machines on busy hosts; says nothing about the image.
const TIMER_PANIC: &str = "IO-APIC + timer doesn't work";

/// A machine that reported.
#[derive(Debug, Clone)]
pub struct Boot {
    /// What the guest said about itself; the members are described in `tests/reference/README.md`.
    pub facts: Value,
    /// What the firmware refused to start before, in the order it was tried.
    pub refusals: Vec<Refusal>,
    /// The serial log up to then.
    pub log: String,
    /// From the start of QEMU to the report.
    pub took: Duration,
}

impl Boot {
    /// A text member, empty when it is not there or no text.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.facts.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list member as texts, empty when it is not there or no list.
    #[must_use]
    pub fn list(&self, member: &str) -> Vec<&str> {
        let items = self.facts.get(member).and_then(Value::as_array);
        items.map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// The words of the kernel command line.
    #[must_use]
    pub fn cmdline(&self) -> Vec<&str> {
        self.text("cmdline").split_whitespace().collect()
    }

    /// A PCR as lower-case hex, such as `pcr("sha256", 11)`; empty without a TPM or without the bank.
    #[must_use]
    pub fn pcr(&self, bank: &str, index: u32) -> String {
        let value = self.facts.pointer(&format!("/tpm/banks/{bank}/{index}"));
        value.and_then(Value::as_str).unwrap_or_default().to_lowercase()
    }

    /// PCR 11 as lower-case hex after the phase of this name; `start` is before the first.
    #[must_use]
    pub fn phase(&self, bank: &str, name: &str) -> String {
        let value = self.facts.pointer(&format!("/tpm/phases/{bank}/{name}"));
        value.and_then(Value::as_str).unwrap_or_default().to_lowercase()
    }

    /// The lines the task of [`super::Machine::task`] printed; empty when the guest found none.
    #[must_use]
    pub fn task(&self) -> Vec<&str> {
        let lines = self.facts.pointer("/task/output").and_then(Value::as_array);
        lines.map(|lines| lines.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// Whether the kernel module of an extension was loaded by name.
    #[must_use]
    pub fn module_loaded(&self, name: &str) -> bool {
        let module = self.facts.get("modules").and_then(|modules| modules.get(name));
        module.and_then(|module| module.get("loaded")).and_then(Value::as_bool).unwrap_or_default()
    }
}

/// How a run ended that brought no facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The guest said why it could not report.
    Failed(String),
    /// The kernel panicked.
    Panic(String),
    /// The panic TCG is known for; the run may be repeated.
    TimerPanic,
    /// The firmware found nothing to boot.
    NothingToBoot,
    /// The firmware refused everything it could have booted, for its signature.
    Refused(Vec<Refusal>),
    /// A text given to [`super::Machine::stop_on`] was seen.
    Stopped(String),
    /// The facts were no JSON.
    NoJson(String),
    /// QEMU ended by itself.
    Ended,
    /// The time was over.
    TimedOut(Duration),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "the guest failed: {why}"),
            Self::Panic(line) => write!(f, "the guest's kernel panicked: {line}"),
            Self::TimerPanic => write!(f, "the guest's kernel found no timer"),
            Self::NothingToBoot => write!(f, "the firmware found nothing to boot"),
            Self::Refused(all) => {
                let all: Vec<String> = all.iter().map(Refusal::to_string).collect();
                write!(f, "the firmware refused {}", all.join(", "))
            }
            Self::Stopped(text) => write!(f, "the log contains `{text}`"),
            Self::NoJson(why) => write!(f, "the guest's facts are no JSON: {why}"),
            Self::Ended => write!(f, "the machine ended before the guest reported"),
            Self::TimedOut(limit) => write!(f, "the guest did not report within {} s", limit.as_secs()),
        }
    }
}

/// What the log of a machine with so many boot options says so far: facts, an ending, or nothing yet.
pub(super) fn judge(log: &str, stops: &[String], options: usize) -> Option<Result<Value, Ending>> {
    if let Some(line) = line_after(log, FACTS) {
        return Some(serde_json::from_str(line).map_err(|error| Ending::NoJson(error.to_string())));
    }
    if let Some(line) = line_after(log, FAILED) {
        return Some(Err(Ending::Failed(line.to_owned())));
    }
    if log.contains(TIMER_PANIC) {
        return Some(Err(Ending::TimerPanic));
    }
    if let Some(line) = line_after(log, PANIC) {
        return Some(Err(Ending::Panic(line.trim_start_matches(": ").to_owned())));
    }
    if let Some(stop) = stops.iter().find(|text| log.contains(text.as_str())) {
        return Some(Err(Ending::Stopped(stop.clone())));
    }
    let refused = refusals(log);
    if options > 0 && refused.len() >= options {
        return Some(Err(Ending::Refused(refused)));
    }
    gave_up(log).then_some(Err(Ending::NothingToBoot))
}

/// Whether UEFI firmware says that no boot option is left, or starts its own shell instead.
fn gave_up(log: &str) -> bool {
    log.contains("No bootable option or device was found")
        || log.lines().any(|line| line.contains("starting Boot") && line.contains("\"EFI Internal Shell\""))
}

/// The rest of the first complete line with the mark in it.
fn line_after<'a>(log: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = log.split_once(mark)?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_line_counts() {
        assert_eq!(judge("boot\nFACTORY-FACTS {\"a\":1}", &[], 1), None);
        let facts = judge("boot\r\nFACTORY-FACTS {\"a\":1}\r\n", &[], 1).unwrap().unwrap();
        assert_eq!(facts["a"], 1);
    }

    #[test]
    fn broken_facts_are_an_ending() {
        let ending = judge("FACTORY-FACTS {\"a\":\n", &[], 1).unwrap().unwrap_err();
        assert!(matches!(ending, Ending::NoJson(_)));
    }

    #[test]
    fn failures_panics_and_stops_are_told_apart() {
        assert_eq!(
            judge("FACTORY-FAILED no root\n", &[], 1),
            Some(Err(Ending::Failed("no root".to_owned())))
        );
        let log = "[1.0] Kernel panic - not syncing: IO-APIC + timer doesn't work!\n";
        assert_eq!(judge(log, &[], 1), Some(Err(Ending::TimerPanic)));
        let log = "[1.0] Kernel panic - not syncing: VFS\n";
        assert_eq!(judge(log, &[], 1), Some(Err(Ending::Panic("VFS".to_owned()))));
        let stops = ["Access Denied".to_owned()];
        assert_eq!(
            judge("x: Access Denied", &stops, 1),
            Some(Err(Ending::Stopped("Access Denied".to_owned())))
        );
        assert_eq!(judge("x", &stops, 1), None);
        let log = "BdsDxe: starting Boot0002 \"EFI Internal Shell\" from Fv(7CB8)";
        assert_eq!(judge(log, &stops, 1), Some(Err(Ending::NothingToBoot)));
    }
}
