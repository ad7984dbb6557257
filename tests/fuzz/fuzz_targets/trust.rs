//! Any bytes are a signature of nothing, whoever is believed.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use extensions::trust::{judge, Candidate, Keyless, Matcher, TrustRoot, TrustedSigner};
use libfuzzer_sys::fuzz_target;
use schematics::Digest;
use signing::SigningKey;

/// A real bundle. Inputs are laid over it, so that most are nearly right.
const BUNDLE: &[u8] = include_bytes!("../../../extensions/src/trust/tests/vectors/cosign-v3-blob.sigstore.json");
/// The image that nobody has signed.
const DOCUMENT: &[u8] = b"{}";
/// The annotations of cosign's first form.
const NOTES: [&str; 5] = [
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/chain",
    "dev.sigstore.cosign/rfc3161timestamp",
];

static ANYBODY: LazyLock<Vec<TrustedSigner>> = LazyLock::new(|| {
    let any = || Matcher::pattern("(?s).*").unwrap();
    let root = Arc::new(TrustRoot::public_good().unwrap());
    let key = SigningKey::generate().unwrap().public_key().clone();
    let keyless = Keyless { identity: any(), issuer: any(), root };
    vec![TrustedSigner::Key(key), TrustedSigner::Keyless(keyless)]
});

fn refused(candidate: &Candidate) {
    let verdict = judge(&ANYBODY, candidate, (Digest::of(DOCUMENT), DOCUMENT));
    assert!(!verdict.unwrap_err().to_string().contains('\n'));
}

fuzz_target!(|bytes: &[u8]| {
    refused(&Candidate::Bundle(Bytes::copy_from_slice(bytes)));
    let [low, high, changes @ ..] = bytes else { return };
    let at = usize::from(u16::from_le_bytes([*low, *high])) % BUNDLE.len();
    let mut bundle = BUNDLE.to_vec();
    bundle[at..].iter_mut().zip(changes).for_each(|(to, change)| *to ^= change);
    refused(&Candidate::Bundle(bundle.into()));

    let mut parts = changes.split(|byte| *byte == 0);
    let payload = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let notes: BTreeMap<String, String> =
        NOTES.iter().zip(parts).map(|(name, part)| ((*name).to_owned(), text(part))).collect();
    refused(&Candidate::Simple { payload, notes });
});
