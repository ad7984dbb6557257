//! What firmware with SecureBoot refused, read from the serial log.

use std::fmt;

/// How firmware says that a boot option failed.
const FAILED: &str = "BdsDxe: failed to ";
/// The reasons that are about signatures. Everything else, such as `Not Found`, is no refusal.
const REASONS: [&str; 2] = ["Access Denied", "Security Violation"];

/// A boot option that was there and was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the firmware calls it, with its device path.
    pub option: String,
    /// What the firmware gives as the reason.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.option, self.reason)
    }
}

/// The refusals in a log, in order.
pub(super) fn refusals(log: &str) -> Vec<Refusal> {
    let failures = log.split('\n').filter_map(|line| line.split_once(FAILED)).map(|(_, rest)| rest);
    failures
        .filter_map(|rest| {
            let (option, reason) = rest.rsplit_once(": ")?;
            let reason = REASONS.into_iter().find(|known| reason.starts_with(known))?;
            Some(Refusal { option: option.to_owned(), reason: reason.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_are_refusals() {
        let log = "\
            BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x3,0x0): Access Denied\r\n\
            BdsDxe: failed to load Boot0002 \"UEFI PXEv4\" from PciRoot(0x0)/Pci(0x4,0x0): Not Found\r\n\
            BdsDxe: starting Boot0003\r\n";
        let all = refusals(log);
        assert_eq!(all.len(), 1, "{all:?}");
        let text = "load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x3,0x0) (Access Denied)";
        assert_eq!(all[0].to_string(), text);
    }
}
