//! Signatures with certificates.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::authority::{Authority, BEGIN, ISSUER, Identity, b64};
use super::bundles::{BUNDLE, envelope, refer, statement};
use super::*;
use crate::trust::bundle::SIGNATURE;

const WHO: &str = "release@example.com";

fn wanted(identity: &str, issuer: &str, root: TrustRoot) -> Vec<TrustedSigner> {
    let identity = Matcher::pattern(identity).unwrap();
    let issuer = Matcher::Exact(issuer.to_owned());
    vec![TrustedSigner::Keyless(Keyless { identity, issuer, root: Arc::new(root) })]
}

/// A payload signed by somebody with a certificate, as cosign annotates it.
fn simple(authority: &Authority, who: &Identity, digest: Digest, time: i64) -> Candidate {
    let payload = cosign::payload(&digest, "r").unwrap();
    let signature = who.key.sign(&payload).unwrap();
    let body = Authority::body(who, &payload, &signature);
    let notes = BTreeMap::from([
        (cosign::ANNOTATION.to_owned(), b64(&signature)),
        ("dev.sigstore.cosign/certificate".to_owned(), who.pem.clone()),
        ("dev.sigstore.cosign/chain".to_owned(), authority.pem()),
        ("dev.sigstore.cosign/bundle".to_owned(), authority.note(&body, time)),
    ]);
    Candidate::Simple { payload: payload.into(), notes }
}

/// A bundle, version 0.3, with a statement.
fn stated(authority: &Authority, who: &Identity, digest: Digest, time: i64) -> Value {
    let payload = statement(digest, SIGNATURE);
    let (signature, envelope) = envelope(&who.key, &payload);
    let body = Authority::envelope_body(who, &payload, &signature);
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "certificate": { "rawBytes": b64(&who.der) },
            "tlogEntries": [authority.entry("dsse", &body, time)],
        },
        "dsseEnvelope": envelope,
    })
}

fn bundle(value: &Value) -> Candidate {
    Candidate::Bundle(value.to_string().into())
}

#[test]
fn an_identity_counts_in_both_forms_while_its_certificate_is_good() {
    let (authority, document) = (Authority::new(), b"{}");
    let (who, digest) = (authority.certify(WHO), Digest::of(document));
    let forms = |digest, time| {
        [simple(&authority, &who, digest, time), bundle(&stated(&authority, &who, digest, time))]
    };
    let signers = wanted(r".*@example\.com", ISSUER, authority.root());
    let verdict = |signers: &[TrustedSigner], candidate: &Candidate| {
        judge(signers, candidate, (digest, document)).map_err(|finding| finding.to_string())
    };
    for good in forms(digest, BEGIN + 500) {
        assert_eq!(verdict(&signers, &good), Ok(format!("by identity {WHO} of issuer {ISSUER}")));
        for (identity, issuer) in [("other@example.com", ISSUER), (WHO, "https://other.example")] {
            let found = verdict(&wanted(identity, issuer, authority.root()), &good).unwrap_err();
            assert_eq!(found, format!("a signature by identity `{WHO}` of issuer `{ISSUER}`"));
        }
        let stranger = verdict(&wanted(WHO, ISSUER, Authority::new().root()), &good).unwrap_err();
        assert!(stranger.contains("cannot be used"), "{stranger}");
        let keys = by(&SigningKey::generate().unwrap());
        assert!(verdict(&keys, &good).unwrap_err().contains("with a certificate"));
    }
    for (time, word) in [(BEGIN + 2000, "Expired"), (BEGIN - 10, "not"), (9_999_999_999, "future")] {
        for bad in forms(digest, time) {
            let found = verdict(&signers, &bad).unwrap_err();
            assert!(found.contains("cannot be used"), "{time} {word}: {found}");
        }
    }
    for replayed in forms(Digest::of(b"another"), BEGIN + 500) {
        let found = verdict(&signers, &replayed).unwrap_err();
        assert_eq!(found, format!("a signature of another digest, `{}`", Digest::of(b"another")));
    }
}

#[test]
fn without_the_proof_of_a_log_an_identity_is_nothing() {
    let (authority, document) = (Authority::new(), b"{}");
    let (who, digest) = (authority.certify(WHO), Digest::of(document));
    let signers = wanted(WHO, ISSUER, authority.root());
    let verdict = |candidate: &Candidate| judge(&signers, candidate, (digest, document));
    let good = stated(&authority, &who, digest, BEGIN + 1);
    assert!(verdict(&bundle(&good)).is_ok());
    let entry = "/verificationMaterial/tlogEntries/0";
    let mut none = good.clone();
    none["verificationMaterial"]["tlogEntries"] = json!([]);
    let mut unproven = good.clone();
    unproven.pointer_mut(entry).unwrap().as_object_mut().unwrap().remove("inclusionProof");
    let mut timeless = good.clone();
    timeless.pointer_mut(entry).unwrap().as_object_mut().unwrap().remove("inclusionPromise");
    let mut later = good.clone();
    later.pointer_mut(entry).unwrap()["integratedTime"] = json!((BEGIN + 2).to_string());
    // The log has seen another signature of the same person.
    let mut borrowed = good.clone();
    borrowed["verificationMaterial"]["tlogEntries"] =
        stated(&authority, &who, Digest::of(b"another"), BEGIN + 1)["verificationMaterial"]["tlogEntries"]
            .clone();
    // Another log says it.
    let mut foreign = good.clone();
    foreign["verificationMaterial"]["tlogEntries"] =
        stated(&Authority::new(), &who, digest, BEGIN + 1)["verificationMaterial"]["tlogEntries"].clone();
    for bad in [none, unproven, timeless, later, borrowed, foreign] {
        assert!(matches!(verdict(&bundle(&bad)), Err(Finding::Unusable(_))), "{bad}");
    }
    let Candidate::Simple { payload, notes } = simple(&authority, &who, digest, BEGIN + 1) else { panic!() };
    for (name, value) in [
        ("dev.sigstore.cosign/bundle", ""),
        ("dev.sigstore.cosign/bundle", "{}"),
        ("dev.sigstore.cosign/certificate", "no certificate"),
        ("dev.cosignproject.cosign/signature", "AAAA"),
        ("dev.cosignproject.cosign/signature", "?"),
    ] {
        let mut notes = notes.clone();
        notes.insert(name.to_owned(), value.to_owned());
        assert!(verdict(&Candidate::Simple { payload: payload.clone(), notes }).is_err(), "{name} {value}");
    }
}

#[tokio::test]
async fn an_image_signed_by_an_identity_is_used() {
    let (authority, site) = (Authority::new(), Site::new());
    let who = authority.certify(WHO);
    let index = site.index().await;
    let at = site.put(&index).await;
    let signed = stated(&authority, &who, index.digest, BEGIN + 1);
    refer(&site, &at, signed.to_string().as_bytes(), false).await;
    let source = site.source(wanted("other", ISSUER, authority.root()));
    assert!(refusal(&source, &at).await.contains(&format!("by identity `{WHO}` of issuer `{ISSUER}`")));
    let source = site.source(wanted(WHO, ISSUER, authority.root()));
    assert!(pull_tree(&source, &at, Arch::Arm64, &store(), &Limits::default()).await.is_ok());
}

/// Made by cosign 3 with Sigstore's public instance; from the tests of the crate `sigstore-verify`.
#[test]
fn a_real_bundle_is_proven_by_the_embedded_root() {
    let bytes = Bytes::from_static(include_bytes!("vectors/cosign-v3-blob.sigstore.json"));
    let text = include_bytes!("vectors/cosign-v3-blob.txt");
    let (identity, issuer) = ("w.vollprecht@gmail.com", "https://github.com/login/oauth");
    let verdict = |signers: &[TrustedSigner], text: &[u8]| {
        judge(signers, &Candidate::Bundle(bytes.clone()), (Digest::of(text), text))
    };
    let root = || TrustRoot::public_good().unwrap();
    assert!(verdict(&wanted(identity, issuer, root()), text).is_ok());
    let other = verdict(&wanted("[^@]+@siderolabs.com", issuer, root()), text);
    assert!(matches!(other, Err(Finding::OtherIdentity { .. })));
    let elsewhere = verdict(&wanted(identity, issuer, root()), b"test content for cosign!");
    assert_eq!(elsewhere, Err(Finding::OtherImage(Digest::of(text).to_string())));
    let unknown = verdict(&wanted(identity, issuer, Authority::new().root()), text);
    assert!(matches!(unknown, Err(Finding::Unusable(_))));
    let talos = TrustedSigner::Keyless(Keyless::talos(Arc::new(root())).unwrap());
    assert!(matches!(verdict(&[talos], text), Err(Finding::OtherIdentity { .. })));
}

#[test]
fn what_is_no_trusted_root_is_refused() {
    let good = Authority::new().json();
    for (list, word) in [("tlogs", "transparency log"), ("certificateAuthorities", "certificate authority")] {
        let mut root = good.clone();
        root[list] = json!([]);
        assert!(TrustRoot::from_json(&root.to_string()).unwrap_err().to_string().contains(word));
    }
    assert!(matches!(TrustRoot::from_json("{}"), Err(RootError::Form(_))));
    let mut damaged = good;
    damaged["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = json!("AAAA");
    assert!(matches!(TrustRoot::from_json(&damaged.to_string()), Err(RootError::Content(_))));
}
