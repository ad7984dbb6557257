//! Any bytes are a schematic or a refusal; what a schematic's canonical text says is the schematic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schematics::Schematic;

fuzz_target!(|bytes: &[u8]| {
    let Ok(schematic) = Schematic::decode(bytes) else { return };
    let canonical = schematic.canonical();
    if schematic.check_round_trip().is_ok() {
        let again = Schematic::decode(&canonical).expect("the check has read it");
        assert_eq!(again.canonical(), canonical, "the canonical text of a canonical text is another one");
        assert_eq!(again.id(), schematic.id());
    }
});
