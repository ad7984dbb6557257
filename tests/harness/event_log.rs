//! The event log of a machine's firmware, replayed by tpm2_eventlog.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{Failure, qemu::Boot, tool};

/// What an event log adds up to.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The value of each PCR in each bank, as lower-case hex, as far as firmware and boot loader measured.
    pub pcrs: BTreeMap<(String, u32), String>,
    /// What tpm2_eventlog tells of each event, as YAML.
    pub text: String,
}

impl Replay {
    /// Replays the log in the facts of a guest. Files go to `dir`; `event_log.bin` is the log itself.
    ///
    /// # Errors
    /// [`Failure::Missing`] without tpm2_eventlog, [`Failure::Program`] when there is no log or it cannot be read.
    pub fn of(boot: &Boot, dir: &Path) -> Result<Self, Failure> {
        let encoded = boot.facts.pointer("/tpm/event_log").and_then(Value::as_str).unwrap_or_default();
        let (text, packed, log) =
            (dir.join("event_log.b64"), dir.join("event_log.gz"), dir.join("event_log.bin"));
        write(&text, encoded.as_bytes())?;
        write(&packed, &tool::run("base64", "coreutils", ["-d".as_ref(), text.as_os_str()])?)?;
        write(&log, &tool::run("gzip", "gzip", ["-dc".as_ref(), packed.as_os_str()])?)?;
        let printed = tool::run("tpm2_eventlog", "tpm2-tools", [&log])?;
        let text = String::from_utf8_lossy(&printed).into_owned();
        Ok(Self { pcrs: sums(&text), text })
    }

    /// A PCR as lower-case hex, such as `pcr("sha256", 4)`; empty when nothing was measured into it.
    #[must_use]
    pub fn pcr(&self, bank: &str, index: u32) -> &str {
        self.pcrs.get(&(bank.to_owned(), index)).map_or("", String::as_str)
    }
}

/// The sums at the end: `pcrs:`, then for each bank its name and lines of `index : 0xvalue`.
fn sums(text: &str) -> BTreeMap<(String, u32), String> {
    let mut all = BTreeMap::new();
    let mut bank = String::new();
    let lines = text.lines().skip_while(|line| line.trim_end() != "pcrs:").skip(1);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        match (name.trim().parse(), value.trim().strip_prefix("0x")) {
            (Ok(index), Some(value)) => drop(all.insert((bank.clone(), index), value.to_lowercase())),
            _ => bank = name.trim().to_owned(),
        }
    }
    all
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    fs::write(path, content).map_err(Failure::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_per_bank() {
        let text = "events:\n- EventNum: 0\npcrs:\n  sha1:\n    0  : 0xAA\n  sha256:\n    0  : 0xBB\n    11 : 0xcc\n";
        let all = sums(text);
        assert_eq!(all.len(), 3);
        assert_eq!(all[&("sha1".to_owned(), 0)], "aa");
        assert_eq!(all[&("sha256".to_owned(), 11)], "cc");
    }
}
