//! What a run must have come to.

use std::path::Path;

use tests::event_log::Replay;
use tests::qemu::{Boot, Ending};
use tests::{Failure, or_skip};

/// The banks of the machines' TPMs.
pub(crate) const BANKS: [&str; 3] = ["sha256", "sha384", "sha512"];

/// The image with this word on its command line booted, enforced or not.
#[track_caller]
pub(crate) fn assert_booted(boot: &Boot, word: &str, secure_boot: u8) {
    assert!(boot.cmdline().contains(&word), "{:?}", boot.cmdline());
    assert_eq!(boot.facts["efi"]["secure_boot"], secure_boot, "{}", boot.facts["efi"]);
}

/// The firmware refused everything there was, and for its signature.
#[track_caller]
pub(crate) fn assert_refused(result: Result<Boot, Failure>) {
    match result {
        Err(Failure::Guest { ending: Ending::Refused(all), .. }) => assert!(!all.is_empty()),
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts["cmdline"])))),
    }
}

/// The firmware's log adds up to what the TPM has, in every bank, and up to PCR 11 before the first phase. `dir` takes the
/// log.
#[track_caller]
pub(crate) fn assert_replays(boot: &Boot, dir: &Path) -> Result<(), Failure> {
    let replay = Replay::of(boot, dir)?;
    for bank in BANKS {
        assert_eq!(boot.phase(bank, "start"), replay.pcr(bank, 11), "{bank}");
        // The kernel measures into 10, and the guest into 11.
        for pcr in (0..=9).chain(12..=15) {
            let (seen, logged) = (boot.pcr(bank, pcr), replay.pcr(bank, pcr));
            let untouched = logged.is_empty() && !seen.is_empty() && seen.bytes().all(|digit| digit == b'0');
            assert!(seen == logged || untouched, "{bank} {pcr}: {seen}, but {logged} in the log");
        }
        for pcr in [4, 7] {
            assert!(!replay.pcr(bank, pcr).is_empty(), "{bank} {pcr}");
        }
    }
    Ok(())
}
