//! Any bytes are a certificate, a signature or a table of signatures, or a refusal; what is believed has a known signer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::authenticode::{entries, read, table, verify};
use signing::Certificate;

/// The table of signatures of a program signed with a key that nobody has any more. Inputs are laid over it, so that most
/// are nearly right.
const TABLE: &[u8] = include_bytes!("../../fixtures/signatures/table");

/// `template` with `changes` laid over it from byte `at` on.
fn changed(template: &[u8], at: usize, changes: &[u8]) -> Vec<u8> {
    let mut bytes = template.to_vec();
    bytes.resize(bytes.len().max(at + changes.len()), 0);
    bytes[at..].iter_mut().zip(changes).for_each(|(to, change)| *to ^= change);
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    drop(Certificate::from_der(bytes));
    drop(read(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(Certificate::from_pem(text));
    }
    let made = table(bytes).unwrap();
    assert_eq!(entries(&made).unwrap()[0].pkcs7(), Some(bytes));

    let honest = read(entries(TABLE).unwrap()[0].pkcs7().unwrap()).unwrap();
    let [low, high, changes @ ..] = bytes else { return };
    let at = usize::from(u16::from_le_bytes([*low, *high]));
    let certificate = changed(honest.signer().to_der(), at % honest.signer().to_der().len(), changes);
    if let Ok(certificate) = Certificate::from_der(&certificate) {
        assert_eq!(Certificate::from_pem(&certificate.to_pem()).unwrap(), certificate);
        // Without its key, nobody else is certified by it.
        assert!(!certificate.is_issued_by(honest.signer()) || certificate == *honest.signer());
    }
    let table = changed(TABLE, at % TABLE.len(), changes);
    for entry in entries(&table).unwrap_or_default() {
        let Some(signature) = entry.pkcs7().and_then(|bytes| read(bytes).ok()) else { continue };
        if verify(&signature, honest.digest(), honest.signer()).is_ok() {
            assert!(signature.signer().belongs_to(honest.signer().public_key()));
        }
    }
});
