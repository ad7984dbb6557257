//! Bundles signed with keys.

use serde_json::{Value, json};
use signing::SigningKey;
use sigstore_verify::types::dsse::pae;

use super::authority::b64;
use super::*;
use crate::trust::bundle::SIGNATURE;

pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(super) const STATEMENT: &str = "application/vnd.in-toto+json";

/// What cosign says of an image it signs.
pub(super) fn statement(digest: Digest, predicate: &str) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": digest.hex().to_string() } }],
        "predicateType": predicate,
        "predicate": {},
    });
    statement.to_string().into_bytes()
}

pub(super) fn envelope(key: &SigningKey, payload: &[u8]) -> (Vec<u8>, Value) {
    let signature = key.sign(&pae(STATEMENT, payload)).unwrap();
    let envelope = json!({ "payload": b64(payload), "payloadType": STATEMENT, "signatures": [{ "sig": b64(&signature) }] });
    (signature, envelope)
}

fn with_key(key: &SigningKey, content: (&str, Value)) -> Vec<u8> {
    let material = json!({ "publicKey": { "hint": b64(key.id().digest().as_bytes()) }, "tlogEntries": [] });
    let mut bundle = json!({ "mediaType": BUNDLE, "verificationMaterial": material });
    bundle[content.0] = content.1;
    bundle.to_string().into_bytes()
}

fn stated(key: &SigningKey, digest: Digest, predicate: &str) -> Vec<u8> {
    with_key(key, ("dsseEnvelope", envelope(key, &statement(digest, predicate)).1))
}

fn message(key: &SigningKey, document: &[u8]) -> Vec<u8> {
    let digest = json!({ "algorithm": "SHA2_256", "digest": b64(Digest::of(document).as_bytes()) });
    let signature = b64(key.sign(document).unwrap());
    with_key(key, ("messageSignature", json!({ "messageDigest": digest, "signature": signature })))
}

/// Puts a bundle beside an image: as an entry of the layout that names its subject, or listed under the tag.
pub(super) async fn refer(site: &Site, image: &ImageRef, bundle: &[u8], by_tag: bool) {
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs_err::write(site.dir.path().join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        (digest, bytes.len())
    };
    let (config, (layer, len)) = (put(b"{}").0, put(bundle));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": crate::oci::MANIFEST,
        "artifactType": BUNDLE,
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": BUNDLE, "digest": layer, "size": len }],
        "subject": { "mediaType": crate::oci::INDEX, "digest": image.digest, "size": 1 },
    });
    let (digest, size) = put(manifest.to_string().as_bytes());
    let mut entry = json!({ "mediaType": crate::oci::MANIFEST, "digest": digest, "size": size });
    if by_tag {
        entry["artifactType"] = json!(BUNDLE);
        let list = json!({ "schemaVersion": 2, "mediaType": crate::oci::INDEX, "manifests": [entry] });
        let (digest, size) = put(list.to_string().as_bytes());
        let name = format!("{}:sha256-{}", image.repository, image.digest.hex());
        let notes = json!({ "org.opencontainers.image.ref.name": name });
        entry =
            json!({ "mediaType": crate::oci::INDEX, "digest": digest, "size": size, "annotations": notes });
    }
    let path = site.dir.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().push(entry);
    fs_err::write(&path, index.to_string()).unwrap();
}

async fn outcome(bundle: impl Fn(&Site, &Publication) -> Vec<u8>, by_tag: bool) -> Result<(), String> {
    let site = Site::new();
    let index = site.index().await;
    let at = site.put(&index).await;
    refer(&site, &at, &bundle(&site, &index), by_tag).await;
    let source = site.source(by(&site.key));
    match source.manifest(&at.repository, at.digest).await {
        Ok(_) => source
            .manifest(&at.repository, index.children[0].digest)
            .await
            .map(drop)
            .map_err(|e| e.to_string()),
        Err(_) => Err(refusal(&source, &at).await),
    }
}

#[tokio::test]
async fn bundles_that_refer_to_an_image_count() {
    for by_tag in [false, true] {
        let signed = |site: &Site, index: &Publication| stated(&site.key, index.digest, SIGNATURE);
        assert_eq!(outcome(signed, by_tag).await, Ok(()));
        assert_eq!(outcome(|site, index| message(&site.key, &index.document), by_tag).await, Ok(()));
    }
}

#[tokio::test]
async fn bundles_that_say_or_prove_something_else_do_not() {
    let other = SigningKey::generate().unwrap();
    let unknown = format!("a signature with key {}, which the policy does not know", other.id());
    let refused = outcome(|_, index| stated(&other, index.digest, SIGNATURE), false).await.unwrap_err();
    assert!(refused.contains(&unknown), "{refused}");
    let refused = outcome(|_, index| message(&other, &index.document), false).await.unwrap_err();
    assert!(refused.contains(&unknown), "{refused}");
    let elsewhere = Digest::of(b"another");
    let replayed = outcome(|site, _| stated(&site.key, elsewhere, SIGNATURE), false).await.unwrap_err();
    assert!(replayed.contains(&format!("of another digest, `{elsewhere}`")), "{replayed}");
    let replayed = outcome(|site, _| message(&site.key, b"another"), true).await.unwrap_err();
    assert!(replayed.contains(&format!("of another digest, `{elsewhere}`")), "{replayed}");
    let contents = "https://spdx.dev/Document";
    let stated = outcome(|site, index| stated(&site.key, index.digest, contents), false).await.unwrap_err();
    assert!(stated.contains(contents) && stated.contains("no signature"), "{stated}");
    let long = outcome(|_, _| vec![b' '; MAX_BUNDLE + 1], false).await.unwrap_err();
    assert!(long.contains("cannot be used"), "{long}");
    for nonsense in [&b""[..], b"{}", b"null", &[b'['; 4000]] {
        let refused = outcome(|_, _| nonsense.to_vec(), false).await.unwrap_err();
        assert!(refused.contains("it is no bundle"), "{refused}");
    }
}

#[test]
fn a_bundle_with_a_flipped_bit_is_not_believed() {
    let key = SigningKey::generate().unwrap();
    let document = b"{}";
    let good = stated(&key, Digest::of(document), SIGNATURE);
    let judged = |bytes: &[u8]| {
        let bundle = Candidate::Bundle(Bytes::copy_from_slice(bytes));
        judge(&by(&key), &bundle, (Digest::of(document), document))
    };
    assert!(judged(&good).is_ok());
    let text = String::from_utf8(good.clone()).unwrap();
    let (from, to) = (text.find("\"payload\":\"").unwrap() + 11, text.find("\",\"payloadType").unwrap());
    for place in from..to {
        let mut flipped = good.clone();
        flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
        assert!(flipped == good || judged(&flipped).is_err(), "{place}");
    }
}
