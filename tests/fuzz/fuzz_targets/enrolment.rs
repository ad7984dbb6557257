//! Any bytes are signature lists, a signed update or PCR signatures, or a refusal; what was read is written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::auth::{EfiTime, Update, Variable};
use signing::esl::SignatureDatabase;
use signing::pcr::PcrSignatures;

/// An update around the input, so that what lies behind the fixed fields is reached.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let len = u16::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 2]));
    let mut update = EfiTime::FIXED.to_bytes().to_vec();
    update.extend((24 + u32::from(len)).to_le_bytes());
    update.extend(*b"\x00\x02\xf1\x0e\x9d\xd2\xaf\x4a\xdf\x68\xee\x49\x8a\xa9\x34\x7d\x37\x56\x65\xa7");
    update.extend(bytes.get(2..).unwrap_or_default());
    update
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(database) = SignatureDatabase::from_bytes(bytes) {
        assert_eq!(database.to_bytes(), bytes);
    }
    for update in [bytes.to_vec(), wrapped(bytes)] {
        if let Ok(update) = Update::from_bytes(&update) {
            Variable::ALL.iter().for_each(|variable| drop(update.verify(*variable)));
        }
    }
    if let Ok(signatures) = PcrSignatures::from_json(bytes) {
        assert_eq!(PcrSignatures::from_json(signatures.to_json().as_bytes()).unwrap(), signatures);
    }
});
