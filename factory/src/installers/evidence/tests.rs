use signing::cosign::ImageSignature;
use signing::{KeyAlgorithm, PublicKey};

use super::*;

const REFERENCE: &str = "factory.example/installer/abc";

fn subject() -> Document {
    Document::new(INDEX, Bytes::from_static(b"{\"index\":1}"))
}

fn statements() -> Vec<Statement> {
    let about = || in_toto::Subject { name: REFERENCE.to_owned(), digest: subject().digest };
    let other = Statement { predicate_type: "https://example.org/p".to_owned(), ..signed(about()) };
    vec![signed(about()), other]
}

fn checked(evidence: &Evidence, key: &PublicKey) {
    let image: ImageManifest =
        serde_json::from_slice(&evidence.tagged(EvidenceTag::Signature(subject().digest)).bytes).unwrap();
    let [layer] = image.layers.as_slice() else { panic!("{image:?}") };
    let payload = evidence.blob(layer.digest).unwrap().to_vec();
    let found = ImageSignature { payload, signature: layer.annotations[cosign::ANNOTATION].clone() };
    let claim = cosign::verify(key, &subject().digest, &found).unwrap();
    assert_eq!(claim.reference, REFERENCE);
    assert!(evidence.blob(image.config.digest).is_some());

    let entries = &evidence.referrers().manifests;
    let predicates: Vec<&str> = entries.iter().map(|entry| entry.annotations[PREDICATE].as_str()).collect();
    assert_eq!(predicates, [SIGNED, "https://example.org/p"]);
    for (entry, statement) in entries.iter().zip(statements()) {
        assert_eq!(entry.artifact_type.as_deref(), Some(bundle::MEDIA_TYPE));
        let manifest = evidence.document(entry.digest).unwrap();
        assert_eq!(entry.size, manifest.bytes.len() as u64);
        let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
        assert_eq!(manifest["subject"]["digest"], subject().digest.to_string());
        assert_eq!(manifest["subject"]["mediaType"], INDEX);
        let bundle: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        let bundle = Bundle::decode(&evidence.blob(bundle).unwrap()).unwrap();
        let text = bundle.text(key, in_toto::PAYLOAD_TYPE).unwrap();
        assert_eq!(Statement::decode(text).unwrap(), statement);
        assert_eq!(manifest["config"]["digest"], Digest::of(b"{}").to_string());
    }
}

#[test]
fn everything_that_is_said_is_signed_and_there() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let key = SigningKey::new(algorithm).unwrap();
        let compose = || Evidence::compose(&key, &subject(), REFERENCE, &statements()).unwrap();
        let evidence = compose();
        checked(&evidence, key.public_key());
        let again: Vec<Digest> = compose().digests().collect();
        assert_eq!(evidence.digests().collect::<Vec<_>>(), again);
        for digest in evidence.digests() {
            let there = evidence.document(digest).map(|document| document.bytes);
            let bytes = there.or_else(|| evidence.blob(digest)).unwrap();
            assert_eq!(Digest::of(&bytes), digest);
        }
    }
}

#[test]
fn tags_are_made_of_digests() {
    let digest = Digest::of(b"x");
    let tag = format!("sha256-{}", digest.hex());
    assert_eq!(EvidenceTag::parse(&tag), Some(EvidenceTag::Referrers(digest)));
    assert_eq!(EvidenceTag::parse(&cosign::tag(&digest)), Some(EvidenceTag::Signature(digest)));
    for other in ["v1.13.0", "latest", "sha256-", "sha256-00.sig", &format!("{tag}.att"), &tag.to_uppercase()]
    {
        assert_eq!(EvidenceTag::parse(other), None, "{other}");
    }
}
