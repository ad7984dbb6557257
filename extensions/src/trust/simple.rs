//! Signatures in cosign's first form: a payload, and everything else in annotations.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::Digest;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use signing::cosign::{self, ImageSignature, ImageSignatureError};
use sigstore_verify::types::Bundle;
use sigstore_verify::types::encoding::DerCertificate;

use super::policy::TrustedSigner;
use super::refusal::Finding;
use super::root;

/// The certificate that says who signed, and those that certify it, in PEM.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
/// The transparency log's promise, as JSON.
const PROMISE: &str = "dev.sigstore.cosign/bundle";
/// The signature of a timestamp authority, as JSON.
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// The most certificates of a chain.
const MAX_CHAIN: usize = 8;
/// The longest annotation that is read, in bytes.
const MAX_NOTE: usize = 64 * 1024;

/// Who of `signers` has signed the payload, which must be about the image.
pub(super) fn judge(
    signers: &[TrustedSigner],
    (payload, notes): (&[u8], &BTreeMap<String, String>),
    digest: Digest,
) -> Result<String, Finding> {
    let unusable = |why: &str| Finding::Unusable(why.to_owned());
    if notes.values().any(|note| note.len() > MAX_NOTE) {
        return Err(unusable("an annotation is too long"));
    }
    let signature = notes.get(cosign::ANNOTATION).ok_or_else(|| unusable("no signature in it"))?;
    if notes.contains_key(CERTIFICATE) {
        let bundle = to_bundle(payload, signature, notes)?;
        let by = root::judge(signers, &bundle, payload)?;
        return cosign::claim(&digest, payload).map(|_| by).map_err(|error| finding(&error));
    }
    let signed = ImageSignature { payload: payload.to_vec(), signature: signature.clone() };
    let mut found = Finding::UnknownKey(None);
    for signer in signers {
        let TrustedSigner::Key(key) = signer else { continue };
        match cosign::verify(key, &digest, &signed) {
            Ok(_) => return Ok(signer.to_string()),
            Err(ImageSignatureError::Signature { .. }) => {}
            Err(error) => found = finding(&error),
        }
    }
    Err(found)
}

fn finding(error: &ImageSignatureError) -> Finding {
    match error {
        ImageSignatureError::OtherImage { found, .. } => Finding::OtherImage(found.clone()),
        ImageSignatureError::Signature { .. } => Finding::UnknownKey(None),
        ImageSignatureError::TooLong { .. }
        | ImageSignatureError::Encoding { .. }
        | ImageSignatureError::Payload { .. } => Finding::Unusable(error.to_string()),
    }
}

/// The log's promise as cosign writes it.
#[derive(Deserialize)]
struct Promise {
    #[serde(rename = "SignedEntryTimestamp")]
    signed: String,
    #[serde(rename = "Payload")]
    payload: Entry,
}

#[derive(Deserialize)]
struct Entry {
    body: String,
    #[serde(rename = "integratedTime")]
    time: i64,
    #[serde(rename = "logIndex")]
    index: u64,
    #[serde(rename = "logID")]
    log: String,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

/// The same in the form of a bundle (version 0.1), which is what the verifier knows.
fn to_bundle(payload: &[u8], signature: &str, notes: &BTreeMap<String, String>) -> Result<Bundle, Finding> {
    let unusable = |what: &str| Finding::Unusable(format!("its {what} cannot be read"));
    let note = |name: &str| notes.get(name).map(String::as_str).filter(|note| !note.is_empty());
    let mut certificates = pem(note(CERTIFICATE).unwrap_or_default());
    certificates.extend(pem(note(CHAIN).unwrap_or_default()));
    if certificates.is_empty() || certificates.len() > MAX_CHAIN {
        return Err(unusable("certificate"));
    }
    let promise = note(PROMISE).ok_or_else(|| Finding::Unusable("no promise of a log in it".to_owned()))?;
    let promise: Promise = serde_json::from_str(promise).map_err(|_| unusable("promise of a log"))?;
    let timestamps: Vec<Value> = match note(TIMESTAMP) {
        None => Vec::new(),
        Some(text) => {
            let timestamp: Timestamp = serde_json::from_str(text).map_err(|_| unusable("timestamp"))?;
            vec![json!({ "signedTimestamp": timestamp.signed })]
        }
    };
    let entry = entry(&promise).ok_or_else(|| unusable("promise of a log"))?;
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {
            "x509CertificateChain": { "certificates": certificates },
            "tlogEntries": [entry],
            "timestampVerificationData": { "rfc3161Timestamps": timestamps },
        },
        "messageSignature": {
            "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(Sha256::digest(payload)) },
            "signature": signature,
        },
    });
    serde_json::from_value(bundle).map_err(|_| unusable("parts"))
}

/// The log's entry; its kind stands in its body, which the log has signed.
fn entry(Promise { signed, payload }: &Promise) -> Option<Value> {
    let body: Value = serde_json::from_slice(&STANDARD.decode(&payload.body).ok()?).ok()?;
    Some(json!({
        "logIndex": payload.index.to_string(),
        "logId": { "keyId": STANDARD.encode(bytes_of(&payload.log)?) },
        "kindVersion": { "kind": body.get("kind")?, "version": body.get("apiVersion")? },
        "integratedTime": payload.time.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": signed },
        "canonicalizedBody": payload.body,
    }))
}

/// Certificates in PEM as a bundle lists them.
fn pem(text: &str) -> Vec<Value> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END)
        .filter_map(|block| DerCertificate::from_pem(block).ok())
        .map(|der| json!({ "rawBytes": der.to_base64() }))
        .collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    // A log's id is a SHA-256, like the digest of anything else.
    format!("sha256:{hex}").parse::<Digest>().ok().map(|id| id.as_bytes().to_vec())
}
